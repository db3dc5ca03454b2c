/**
 * Images that ask for what only their author would give them: roots, ids and volumes of their own, and other images beside
 * them. What they may have they get exactly; what they may not have is refused, and the store is whole afterwards.
 */
import {existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {baseTar, fileTar, Layout, ownFolder, tarOf} from './helpers/archives';
import {keelbox} from './helpers/cli';
import {ownState, refused, snapshot} from './helpers/inside';
import {lane, type Who} from './helpers/lane';
import {busybox} from './helpers/roots';
import {type Member, tar} from './helpers/tar';

const test = lane({host: true, guest: true, rootless: true}).needing(busybox);

interface Store extends Who {
  env: Record<string, string>;
  root: string;
}

async function ok(t: ExecutionContext, store: Store, ...args: string[]): Promise<string> {
  const {exitCode, stdout, stderr} = await keelbox(args, {...store});
  t.is(exitCode, 0, `${args.join(' ')}\n${stderr}`);
  return stdout;
}

/** An archive of an image of these layers over a busybox root. */
async function imageOf(layers: Buffer[], config: object = {}): Promise<string> {
  const layout = new Layout();
  layout.index([layout.image([await baseTar(), ...layers], {config: {Cmd: ['sh'], ...config}})], 'x:1');
  return layout.archive();
}

/** A store of the test's own, with that image in it as `x:1`. */
async function storeWith(t: ExecutionContext, who: Who, layers: Buffer[], config: object = {}): Promise<Store> {
  const store = {...who, ...ownState(who)};
  await ok(t, store, 'load', '-i', await imageOf(layers, config));
  return store;
}

const layerOf = (...members: Member[]) => tar(...members);

const inside = (t: ExecutionContext, store: Store, script: string, ...flags: string[]) =>
  ok(t, store, 'run', '--rm', ...flags, 'x:1', 'sh', '-c', script);

/** `system check` has nothing to say. */
async function whole(t: ExecutionContext, store: Store): Promise<void> {
  const {exitCode, stdout, stderr} = await keelbox(['system', 'check'], {...store});
  t.is(exitCode, 0, stdout + stderr);
}

test.asEach('the root has the mode and the owner that the topmost layer gives it', async (t, who) => {
  const top = layerOf({path: './', mode: 0o1771, uid: 1000, gid: 50});
  const store = await storeWith(t, who, [top]);
  const look = 'stat -c "%a %u:%g" /';
  t.is(await inside(t, store, look), '1771 1000:50\n');
  // Also where the layer is not on disk, and for root on this machine.
  t.is(await inside(t, store, look, '--privileged'), '1771 1000:50\n');
  await whole(t, store);
});

test.asRoot('files of ids past 65535 belong to whom they say, and can be changed', async (t, who) => {
  const store = await storeWith(t, who, [layerOf({path: 'big', uid: 100_000, gid: 200_001, data: 'x'})]);
  t.is(await inside(t, store, 'stat -c %u:%g /big; echo y >> /big && cat /big'), '100000:200001\nxy\n');
  t.is(await inside(t, store, 'stat -c %u:%g /big', '--userns=auto'), '100000:200001\n');
  // Who says how many ids gets as many.
  t.is(await inside(t, store, 'stat -c %u:%g /big', '--userns=auto:size=65536'), '65534:65534\n');
});

test.asRoot('ids that no container gets are refused with a way out', async (t, who) => {
  const huge = layerOf({path: 'huge', data: 'x', pax: {uid: '4294967294', gid: '1'}});
  const store = await storeWith(t, who, [huge]);
  refused(t, await keelbox(['run', '--rm', 'x:1', 'true'], {...store}), {
    code: 'ERR_KEELBOX_USERNS',
    says: /4294967294/,
    fix: /--userns=/,
  });
  t.is(await inside(t, store, 'stat -c %u:%g /huge', '--userns=host'), '4294967294:1\n');
  t.is(await inside(t, store, 'stat -c %u:%g /huge', '--userns=auto:size=65536'), '65534:1\n');
});

test.asUser('ids that an ordinary user does not have are refused, and nothing stays', async (t, who) => {
  const store = {...who, ...ownState(who)};
  const file = await imageOf([layerOf({path: 'big', uid: 1_000_000})]);
  const why = /1000000:0 is outside the ids that you have/;
  refused(t, await keelbox(['load', '-i', file], {...store}), {
    code: 'ERR_KEELBOX_LAYER',
    says: /./,
    why,
    fix: /subuid/,
  });
  t.deepEqual(readdirSync(path.join(store.root, 'tmp')), []);
  await whole(t, store);
});

const mount = (rest: string) => `--mount=type=image,src=y:1,dst=/m${rest}`;

/** A store with `x:1`, and `y:1` whose upper layer hides and adds. */
async function twoImages(t: ExecutionContext, who: Who): Promise<Store> {
  const store = await storeWith(t, who, []);
  const low = layerOf(
    {path: 'd/', mode: 0o755, uid: 7},
    {path: 'd/old', data: 'old'},
    {path: 'd/kept', data: 'kept'},
    {path: 'o/', mode: 0o755},
    {path: 'o/hidden', data: 'x'},
    {path: 'out', type: '2', link: '../../../../etc'},
    {path: 'gone/', mode: 0o755},
  );
  const high = layerOf(
    {path: './', mode: 0o711},
    {path: 'd/.wh.old'},
    {path: 'd/new', data: 'new'},
    {path: 'o/', mode: 0o755},
    {path: 'o/.wh..wh..opq'},
    {path: 'o/shown', data: 'x'},
    {path: '.wh.gone'},
  );
  const layout = new Layout();
  layout.index([layout.image([low, high])], 'y:1');
  await ok(t, store, 'load', '-i', await layout.archive());
  return store;
}

test.asEach('an image is mounted whole, in part, and read-only unless asked', async (t, who) => {
  const store = await twoImages(t, who);
  const look = 'stat -c "%a %u" /m /m/d; ls /m /m/d /m/o; echo x > /m/d/x';
  const first = await keelbox(['run', '--rm', mount(''), 'x:1', 'sh', '-c', look], {...store});
  t.is(first.stdout, '711 0\n755 7\n/m:\nd\no\nout\n\n/m/d:\nkept\nnew\n\n/m/o:\nshown\n');
  t.regex(first.stderr, /Read-only file system/);
  t.is(await inside(t, store, 'cat /m/new /m/kept; ls /m', mount(',image-subpath=d')), 'newkeptkept\nnew\n');
  t.is(await inside(t, store, 'ls /m', mount(',subpath=o')), 'shown\n');
  t.is(await inside(t, store, 'cat /m', mount(',image-subpath=d/new')), 'new');
  t.is(await inside(t, store, 'echo z > /m/d/z && cat /m/d/z', mount(',rw=true')), 'z\n');
  // What was written has gone with the container.
  t.is(await inside(t, store, 'ls /m/d', mount('')), 'kept\nnew\n');
  t.is(await ok(t, store, 'run', '--rm', mount(''), 'host', 'cat', '/m/d/new'), 'new');
  await whole(t, store);
});

test.asEach('no part of an image outside it is mounted, and none that it has removed', async (t, who) => {
  const store = await twoImages(t, who);
  const cases: Record<string, RegExp> = {
    '../etc': /leads out/,
    '/etc': /absolute/,
    'd/../../x': /leads out/,
    out: /symbolic link/,
    'out/passwd': /symbolic link/,
    gone: /./,
    'd/old': /./,
    'o/hidden': /./,
    'd/new/x': /./,
  };
  for (const [subpath, why] of Object.entries(cases)) {
    const args = ['run', '--rm', mount(`,image-subpath=${subpath}`), 'x:1', 'ls', '/m'];
    refused(t, await keelbox(args, {...store}), {code: 'ERR_KEELBOX_MOUNT', says: /./, why});
  }
  const missing = await keelbox(['run', '--rm', '--mount=type=image,src=none,dst=/m', 'x:1', 'true'], {...store});
  refused(t, missing, {code: 'ERR_KEELBOX_IMAGE_NOT_FOUND', says: /none/});
  t.deepEqual(readdirSync(path.join(store.root, 'containers')), []);
});

test.asEach('an image that is mounted in a container is in use', async (t, who) => {
  const store = await twoImages(t, who);
  await ok(t, store, 'run', '--name', 'user', mount(''), 'host', 'true');
  refused(t, await keelbox(['rmi', 'y:1'], {...store}), {
    code: 'ERR_KEELBOX_IMAGE_IN_USE',
    exitCode: 2,
    says: /y:1/,
    why: /user/,
  });
  t.is(await ok(t, store, 'run', '--rm', '--volumes-from', 'user', 'x:1', 'cat', '/m/d/new'), 'new');
  // Its layers stay as long as the container, and then go.
  const layers = () => readdirSync(path.join(store.root, 'layers/sha256')).length;
  const before = layers();
  await ok(t, store, 'rmi', '-f', 'y:1');
  t.is(layers(), before);
  await whole(t, store);
  await ok(t, store, 'rm', 'user');
  t.is(layers(), before - 2);
  await whole(t, store);
});

const volumes = ({root}: Store) => {
  const folder = path.join(root, 'volumes');
  return existsSync(folder) ? readdirSync(folder).filter(name => !name.startsWith('.') && name !== 'lock') : [];
};

test.asEach("an image's VOLUME is an anonymous volume with what the image has there", async (t, who) => {
  const layer = layerOf({path: 'data/', mode: 0o1770, uid: 3, gid: 4}, {path: 'data/file', data: 'of the image'});
  const store = await storeWith(t, who, [layer], {Volumes: {'/data': {}, '/new/place': {}}});
  const look = 'stat -c "%a %u:%g" /data; cat /data/file; echo; grep -c -e " /data " -e " /new/place " /proc/mounts';
  t.is(await inside(t, store, look), '1770 3:4\nof the image\n2\n');
  t.deepEqual(volumes(store), []);
  await ok(t, store, 'run', '--name', 'kept', 'x:1', 'sh', '-c', 'echo mine > /data/file');
  t.is(volumes(store).length, 2);
  t.is(await ok(t, store, 'run', '--rm', '--volumes-from', 'kept', 'x:1', 'cat', '/data/file'), 'mine\n');
  // One of the user's goes in its place.
  t.is(await inside(t, store, 'ls /data', '--tmpfs', '/data'), '');
  await ok(t, store, 'rm', '-v', 'kept');
  t.deepEqual(volumes(store), []);
  await whole(t, store);
});

test.asEach('a VOLUME with .. or through a link copies nothing of this machine (CVE-2022-23648)', async (t, who) => {
  const canary = ownFolder('canary');
  writeFileSync(path.join(canary, 'secret'), 'HOSTSECRET');
  const tree = ownFolder('links');
  symlinkSync(canary, path.join(tree, 'absolute'));
  symlinkSync(`../../../../../../../..${canary}`, path.join(tree, 'relative'));
  mkdirSync(path.join(tree, 'real'));
  symlinkSync('real', path.join(tree, 'inner'));
  const before = snapshot(canary);
  const links = await tarOf(tree);
  for (const volume of [`/../../../../..${canary}`, `/real/../../..${canary}`]) {
    const store = await storeWith(t, who, [links], {Volumes: {[volume]: {}}});
    const result = await keelbox(['run', '--rm', 'x:1', 'find', '/', '-xdev', '-name', 'secret'], {...store});
    refused(t, result, {code: 'ERR_KEELBOX_MOUNT', says: /./, why: /\.\./});
    t.deepEqual(volumes(store), []);
  }
  const store = await storeWith(t, who, [links], {Volumes: {'/absolute': {}, '/relative/sub': {}, '/inner': {}}});
  const script =
    'find / -name secret 2>/dev/null | grep -v ^/proc; grep -rl HOSTSECRET /absolute /relative /inner /real; true';
  const result = await keelbox(['run', '--rm', 'x:1', 'sh', '-c', script], {...store});
  t.is(result.exitCode, 0, result.stderr);
  t.is(result.stdout, '');
  t.deepEqual(volumes(store), []);
  t.deepEqual(snapshot(canary), before);
});

test.asEach('labels and annotations of an image decide nothing (annot_sandbox, CVE-2026-53488)', async (t, who) => {
  const names = {
    'run.oci.seccomp_fail_unknown_syscall': '1',
    'run.oci.keep_original_groups': '1',
    'run.oci.hooks.stdout': '/tmp/x',
    'org.systemd.property.ExecStopPost': "'/bin/touch /tmp/x'",
    'io.podman.annotations.privileged': 'TRUE',
    'io.containers.autoupdate': 'registry',
    'io.kubernetes.cri.log-driver': 'binary:///bin/sh',
    'io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel': 'true',
  };
  const layers = [await baseTar(), await fileTar('hello', 'x')];
  const plans: string[] = [];
  for (const labels of [{}, names]) {
    const store = {...who, ...ownState(who)};
    const layout = new Layout();
    const config = {config: {Cmd: ['true'], Labels: labels}};
    layout.index([{...layout.image(layers, config), annotations: labels}], 'x:1');
    await ok(t, store, 'load', '-i', await layout.archive());
    const [id] = (await ok(t, store, 'images', '-q', '--no-trunc')).trim().split('\n');
    const plan = await ok(t, store, 'run', '--dry-run=json', id as string);
    plans.push(
      plan
        .replaceAll(store.root, 'ROOT')
        .replaceAll(store.env.KEELBOX_RUNROOT as string, 'RUN')
        .replaceAll(id as string, 'ID'),
    );
  }
  t.is(plans[0], plans[1] as string);
  t.notRegex(plans[1] as string, /run\.oci|org\.systemd|io\.podman/);
});

test.asEach('an image decides its user, folder and variables, and nothing else by them', async (t, who) => {
  const passwd = layerOf(
    {path: 'etc/', mode: 0o755},
    {path: 'etc/passwd', data: 'root:x:0:0::/:/bin/sh\nweb:x:33:44::/home/web:/bin/sh\n'},
    {path: 'etc/group', data: 'root:x:0:\nweb:x:44:\nmore:x:55:web\n'},
  );
  const config = {User: 'web', WorkingDir: '/made/for/it', Env: ['A=1\nB=2', 'LD_PRELOAD=/x=y', 'EMPTY=']};
  const store = await storeWith(t, who, [passwd], config);
  const says = await inside(t, store, 'unset LD_PRELOAD; id; pwd; echo "$A|$B|$EMPTY|"');
  t.is(says, 'uid=33(web) gid=44(web) groups=44(web),55(more)\n/made/for/it\n1\nB=2|||\n');
  for (const User of ['nobody-there', '33:none', '-1', '4294967296', 'web:44:55']) {
    const other = await storeWith(t, who, [passwd], {User});
    const result = await keelbox(['run', '--rm', 'x:1', 'true'], {...other});
    refused(t, result, {code: 'ERR_KEELBOX_USER', says: /./});
  }
});
