// Named and anonymous volumes: their life, their contents at first use, and who may use them.

import {spawn} from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {command, keelbox, testUser} from './helpers/cli';
import {ownState, refused, snapshot} from './helpers/inside';
import {lane, scaled, type Who} from './helpers/lane';
import {busybox, busyboxRoot} from './helpers/roots';

const test = lane({host: true, guest: true, rootless: true});
const testBusybox = test.needing(busybox);
const INVALID = 'ERR_KEELBOX_INVALID_ARG';
const NOT_FOUND = 'ERR_KEELBOX_NOT_FOUND';

interface Store extends Who {
  env: Record<string, string>;
  root: string;
  home: string;
}

/** keelbox with state folders of the test's own; answers stdout of what must work. */
function storeOf(who: Who): Store {
  return {...who, ...ownState(who)};
}

async function ok(t: ExecutionContext, store: Store, ...args: string[]): Promise<string> {
  const {exitCode, stdout, stderr} = await keelbox(args, {...store});
  t.is(exitCode, 0, `${args.join(' ')}\n${stderr}`);
  return stdout;
}

/** What a script in a throw-away container with these flags says. */
const inside = (t: ExecutionContext, store: Store, flags: string[], script: string, root = ['host']) =>
  ok(t, store, 'run', '--rm', ...flags, ...root, 'sh', '-c', script);

const volumesOf = ({root}: Store) => {
  const folder = path.join(root, 'volumes');
  return existsSync(folder) ? readdirSync(folder).sort() : [];
};

test.asEach('a named volume is made at its first use, and keeps what is written', async (t, who) => {
  const store = storeOf(who);
  await inside(t, store, ['-v', 'data:/d'], 'echo kept > /d/f');
  t.is(
    await inside(t, store, ['-v', 'data:/d:ro'], 'cat /d/f; (echo x > /d/g) 2>/dev/null || echo read-only'),
    'kept\nread-only\n',
  );
  t.is(await ok(t, store, 'volume', 'ls', '-q'), 'data\n');
  t.deepEqual(volumesOf(store), ['data']);
});

test.asEach('what root of a container writes into a volume is the caller’s on disk', async (t, who) => {
  const store = storeOf(who);
  await inside(t, store, ['-v', 'data:/d'], 'touch /d/f');
  const {uid} = lstatSync(path.join(store.root, 'volumes/data/data/f'));
  t.is(uid, who.asUser ? testUser().uid : 0);
});

test.asEach('volume create, ls, inspect, exists and rm say what docker’s say', async (t, who) => {
  const store = storeOf(who);
  t.is(await ok(t, store, 'volume', 'create', '--label', 'a=1', '-l', 'b', 'one1'), 'one1\n');
  t.is(await ok(t, store, 'volume', 'create', 'one1'), 'one1\n');
  const anonymous = (await ok(t, store, 'volume', 'create')).trim();
  t.regex(anonymous, /^[0-9a-f]{64}$/);
  t.is(await ok(t, store, 'volume', 'ls', '-f', 'name=one'), 'DRIVER    VOLUME NAME\nlocal     one1\n');
  t.is(
    await ok(t, store, 'volume', 'ls', '--filter', 'label=a=1', '--format', '{{.Name}} {{.Labels}}'),
    'one1 a=1,b=\n',
  );
  t.is(await ok(t, store, 'volume', 'ls', '-qf', 'anonymous=true'), `${anonymous}\n`);
  const [document] = JSON.parse(await ok(t, store, 'volume', 'inspect', 'one1'));
  const mountpoint = path.join(store.root, 'volumes/one1/data');
  t.like(document, {
    Name: 'one1',
    Driver: 'local',
    Scope: 'local',
    Mountpoint: mountpoint,
    Labels: {a: '1', b: ''},
    Options: {},
  });
  t.is(await ok(t, store, 'volume', 'inspect', '-f', '{{.Mountpoint}}', 'one1'), `${mountpoint}\n`);
  await ok(t, store, 'volume', 'exists', 'one1');
  t.is(await ok(t, store, 'volume', 'rm', 'one1'), 'one1\n');
  t.is((await keelbox(['volume', 'exists', 'one1'], {...store})).exitCode, 1);
  refused(t, await keelbox(['volume', 'rm', 'one1'], {...store}), {code: NOT_FOUND, exitCode: 1, says: 'one1'});
  await ok(t, store, 'volume', 'rm', '-f', 'one1');
});

test.asEach('a volume that a container uses is not removed, and the container is named', async (t, who) => {
  const store = storeOf(who);
  await ok(t, store, 'run', '--name', 'user1', '-v', 'data:/d', 'host', 'true');
  const refusal = {code: INVALID, exitCode: 2, says: 'data', why: 'user1', fix: 'keelbox rm user1'};
  refused(t, await keelbox(['volume', 'rm', 'data'], {...store}), refusal);
  refused(t, await keelbox(['volume', 'rm', '-f', 'data'], {...store}), refusal);
  t.is(await ok(t, store, 'volume', 'ls', '-qf', 'dangling=true'), '');
  t.regex(await ok(t, store, 'volume', 'prune', '-af'), /reclaimed space: 0B/);
  await ok(t, store, 'rm', 'user1');
  t.regex(await ok(t, store, 'volume', 'prune', '-af'), /Deleted Volumes:\ndata\n/);
  t.deepEqual(volumesOf(store), []);
});

test.asEach('anonymous volumes go with --rm and rm -v, and stay otherwise', async (t, who) => {
  const store = storeOf(who);
  await inside(t, store, ['-v', '/d', '--mount', 'dst=/e'], 'touch /d/f /e/f');
  t.deepEqual(volumesOf(store), []);
  for (const name of ['kept', 'gone']) await ok(t, store, 'run', '--name', name, '-v', '/d', 'host', 'touch', '/d/f');
  t.is(volumesOf(store).length, 2);
  await ok(t, store, 'rm', 'kept');
  await ok(t, store, 'rm', '-v', 'gone');
  const [left = '', ...more] = volumesOf(store);
  t.regex(left, /^[0-9a-f]{64}$/);
  t.deepEqual(more, []);
  await ok(t, store, 'volume', 'prune', '-f');
  t.deepEqual(volumesOf(store), []);
});

test.asEach('a start that fails leaves no anonymous volume', async (t, who) => {
  const store = storeOf(who);
  for (const flags of [['--rm'], []]) {
    const {exitCode} = await keelbox(['run', ...flags, '-v', '/d', 'host', '/no/such/command'], {...store});
    t.is(exitCode, 127);
  }
  t.deepEqual(volumesOf(store), []);
});

test.asEach('--volumes-from mounts what another container has, also read-only', async (t, who) => {
  const store = storeOf(who);
  const shared = path.join(store.home, 'shared');
  mkdirSync(shared);
  if (who.asUser) chownSync(shared, testUser().uid, testUser().gid);
  const flags = ['-v', 'data:/d', '-v', '/anonymous', '-v', `${shared}:/s`];
  await ok(t, store, 'run', '--name', 'first', ...flags, 'host', 'sh', '-c', 'touch /d/1 /anonymous/2 /s/3');
  t.is(
    await inside(t, store, ['--volumes-from', 'first'], 'ls /d /anonymous /s | grep [123] | sort; touch /d/4'),
    '1\n2\n3\n',
  );
  t.is(
    await inside(t, store, ['--volumes-from', 'first:ro'], 'touch /d/5 /s/5 2>/dev/null || echo read-only; ls /d'),
    'read-only\n1\n4\n',
  );
  // It is the first container's, although the others with --rm had it too.
  t.is(volumesOf(store).length, 2);
  t.is(await inside(t, store, ['--volumes-from', 'first', '--tmpfs', '/d'], 'ls /d'), '');
  const missing = await keelbox(['run', '--rm', '--volumes-from', 'nobody', 'host', 'true'], {...store});
  refused(t, missing, {code: NOT_FOUND, exitCode: 125, says: 'nobody'});
  await ok(t, store, 'rm', '-v', 'first');
});

/** A root with something in /srv/www to begin a volume with. */
async function seeded({asUser}: Who): Promise<string> {
  const root = await busyboxRoot({asUser});
  const at = (name: string) => path.join(root, 'srv/www', name);
  mkdirSync(at('deep/er'), {recursive: true});
  writeFileSync(at('page'), 'text');
  writeFileSync(at('deep/er/run'), '#!/bin/sh\n', {mode: 0o755});
  symlinkSync('page', at('link'));
  chmodSync(at(''), 0o750);
  if (!asUser) {
    chownSync(at('page'), 33, 44);
    chownSync(at(''), 33, 44);
  } else
    for (const name of ['', 'page', 'deep', 'deep/er', 'deep/er/run', '..'])
      chownSync(at(name), testUser().uid, testUser().gid);
  return root;
}

testBusybox.asEach('a new volume begins with what the image has there, with its owners and modes', async (t, who) => {
  const store = storeOf(who);
  const root = ['--rootfs', `${await seeded(who)}:O`];
  const look = 'cd /srv/www; stat -c "%n %a %u:%g" . page deep/er/run; readlink link; cat page';
  const plain = await inside(t, store, [], look, root);
  t.is(await inside(t, store, ['-v', 'www:/srv/www'], look, root), plain);
  await inside(t, store, ['-v', 'www:/srv/www'], 'rm /srv/www/page; echo new > /srv/www/other', root);
  t.is(await inside(t, store, ['-v', 'www:/srv/www'], 'ls /srv/www', root), 'deep\nlink\nother\n');
  t.false(existsSync(path.join(store.root, 'volumes/www/filling')));
  t.is(await inside(t, store, ['-v', 'empty:/srv/www:nocopy'], 'ls /srv/www', root), '');
  t.is(await inside(t, store, ['--mount', 'src=empty2,dst=/srv/www,volume-nocopy'], 'ls /srv/www', root), '');
});

testBusybox.asEach('a copy that was cut off is completed by the next container', async (t, who) => {
  const store = storeOf(who);
  const root = ['--rootfs', `${await seeded(who)}:O`];
  await ok(t, store, 'volume', 'create', 'www');
  const at = path.join(store.root, 'volumes/www');
  // As a start leaves it that was killed after the first file.
  for (const [file, text] of [
    ['filling', ''],
    ['.keelbox-copy', 'half'],
    ['data/page', 'changed by somebody'],
  ] as const) {
    writeFileSync(path.join(at, file), text);
    if (who.asUser) chownSync(path.join(at, file), testUser().uid, testUser().gid);
  }
  const look = 'cd /srv/www; cat page; echo; ls; test -x deep/er/run && echo whole';
  t.is(await inside(t, store, ['-v', 'www:/srv/www'], look, root), 'changed by somebody\ndeep\nlink\npage\nwhole\n');
  t.deepEqual(readdirSync(at).sort(), ['data', 'volume.json']);
});

testBusybox.asEach('containers that start at once on a new volume all see it whole', async (t, who) => {
  const store = storeOf(who);
  const root = ['--rootfs', `${await seeded(who)}:O`];
  const starts = Array.from({length: 4}, () => inside(t, store, ['-v', 'www:/srv/www'], 'ls -R /srv/www', root));
  const [first, ...others] = await Promise.all(starts);
  for (const other of others) t.is(other, first ?? '');
  t.true(first?.includes('run\n'));
});

testBusybox.asEach(
  'CVE-2022-23648: volume_symlink, volume_dotdot: no path of an image copies the host’s files',
  async (t, who) => {
    const store = storeOf(who);
    const canary = path.join(store.home, 'canary');
    mkdirSync(canary, {mode: 0o755});
    writeFileSync(path.join(canary, 'HOSTSECRET'), 'x');
    const tree = await busyboxRoot(who);
    symlinkSync(canary, path.join(tree, 'absolute'));
    symlinkSync(`../../../../../../../..${canary}`, path.join(tree, 'dotdot'));
    const before = snapshot(canary);
    for (const target of ['/absolute', '/dotdot']) {
      const listed = await inside(t, store, ['-v', `${target.slice(1)}1:${target}`], `ls -a ${target}`, [
        '--rootfs',
        `${tree}:O`,
      ]);
      t.false(listed.includes('HOSTSECRET'), target);
    }
    const refusal = await keelbox(['run', '--rm', '-v', `/x/../..${canary}`, '--rootfs', `${tree}:O`, 'true'], {
      ...store,
    });
    refused(t, refusal, {code: 'ERR_KEELBOX_MOUNT', says: '..'});
    t.deepEqual(snapshot(canary), before);
  },
);

testBusybox.asEach(
  'CVE-2025-9566: a link that a container leaves in a volume is followed inside only',
  async (t, who) => {
    const store = storeOf(who);
    const canary = path.join(store.home, 'canary');
    mkdirSync(canary, {mode: 0o777});
    const root = ['--rootfs', `${await seeded(who)}:O`];
    await inside(t, store, ['-v', 'data:/d'], `ln -s ${canary} /d/link; ln -s ${canary}/f /d/file`, root);
    const before = snapshot(canary);
    const flags = ['-v', 'data:/d', '-v', 'other:/d/link/made', '--tmpfs', '/d/link/too'];
    await inside(t, store, flags, 'true', root);
    t.is(readlinkSync(path.join(store.root, 'volumes/data/data/link')), canary);
    t.deepEqual(snapshot(canary), before);
  },
);

test.asEach('volume-subpath is a folder of the volume; a link of a container’s leads none out', async (t, who) => {
  const store = storeOf(who);
  await inside(
    t,
    store,
    ['-v', 'data:/d'],
    'mkdir -p /d/a/b; touch /d/a/b/f; ln -s /etc /d/out; ln -s ../../../../../../../../etc /d/a/up',
  );
  const at = (subpath: string) => ['--mount', `type=volume,src=data,dst=/s,volume-subpath=${subpath}`];
  t.is(await inside(t, store, at('a/b'), 'ls /s'), 'f\n');
  for (const subpath of ['out', 'a/up', '../data', '/etc', 'missing']) {
    const result = await keelbox(['run', '--rm', ...at(subpath), 'host', 'ls', '/s'], {...store});
    refused(t, result, {code: 'ERR_KEELBOX_MOUNT', says: /path below|cannot mount/});
  }
});

test.asEach('the driver local: memory, a folder of this machine, and nothing that needs a daemon', async (t, who) => {
  const store = storeOf(who);
  const shared = path.join(store.home, 'shared');
  mkdirSync(shared, {mode: 0o777});
  chmodSync(shared, 0o777);
  await ok(
    t,
    store,
    'volume',
    'create',
    '-o',
    'type=tmpfs',
    '-o',
    'device=tmpfs',
    '-o',
    'o=size=1m,mode=700',
    'memory',
  );
  t.is(
    await inside(
      t,
      store,
      ['-v', 'memory:/m'],
      'stat -f -c %T /m; stat -c %a /m; df -k /m | tail -1 | tr -s " " | cut -d" " -f2',
    ),
    'tmpfs\n700\n1024\n',
  );
  await ok(t, store, 'volume', 'create', '-o', 'type=none', '-o', 'o=bind', '-o', `device=${shared}`, 'folder');
  await inside(t, store, ['-v', 'folder:/f'], 'echo x > /f/made');
  t.is(readFileSync(path.join(shared, 'made'), 'utf8'), 'x\n');
  const mount = `src=inline,dst=/i,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=${shared}`;
  t.is(await inside(t, store, ['--mount', mount], 'ls /i'), 'made\n');
  for (const options of [['type=nfs', 'device=:/x'], ['o=bind'], ['size=1m']]) {
    const args = ['volume', 'create', ...options.flatMap(option => ['-o', option]), 'bad1'];
    refused(t, await keelbox(args, {...store}), {code: INVALID, says: 'bad1'});
  }
  await ok(t, store, 'volume', 'rm', 'folder');
  t.true(existsSync(path.join(shared, 'made')));
});

for (const name of ['x', '.hidden', 'a/b', '..', '-x1', 'a b', `a${'b'.repeat(255)}`, 'ünï']) {
  test(`a volume is not called ${JSON.stringify(name.slice(0, 20))}`, async t => {
    const store = storeOf({asUser: false});
    refused(t, await keelbox(['volume', 'create', '--', name], {...store}), {code: INVALID, says: /name/});
    t.deepEqual(volumesOf(store), []);
  });
}

test.asEach('killed at any moment, create and rm leave nothing that is half', async (t, who) => {
  const store = storeOf(who);
  for (let round = 0; round < scaled(12); round++) {
    const {file, args, options} = command(['volume', round % 2 ? 'rm' : 'create', 'data'], {...store});
    const child = spawn(file, args, {...options, stdio: 'ignore'});
    // From the start: one that ends by itself before it is killed says so only once.
    const ended = new Promise(resolve => child.on('exit', resolve).on('error', resolve));
    await new Promise(resolve => setTimeout(resolve, 20 + round * 5));
    child.kill('SIGKILL');
    await ended;
    const names = (await ok(t, store, 'volume', 'ls', '-q')).split('\n').filter(Boolean);
    t.true(names.length === 0 || names.join() === 'data', names.join());
    if (names.length > 0) await ok(t, store, 'volume', 'inspect', 'data');
  }
  await ok(t, store, 'volume', 'create', 'last');
  await ok(t, store, 'volume', 'rm', '-f', 'data', 'last');
  t.deepEqual(volumesOf(store), []);
});

test.asEach('nobody else can look into the store’s volumes', async (t, who) => {
  const store = storeOf(who);
  await ok(t, store, 'volume', 'create', 'data');
  for (const folder of ['', 'volumes', 'volumes/data']) {
    t.is(lstatSync(path.join(store.root, folder)).mode & 0o077, 0, folder);
  }
});

test.asEach('volume export and import carry owners, modes, links and times', async (t, who) => {
  const store = storeOf(who);
  const make =
    'cd /d; mkdir -m 710 a; echo text > a/f; chmod 640 a/f; ln a/f a/hard; ln -s f a/soft; touch -d @1000 a/f';
  const owners = 'chown 7:8 /d/a/f';
  await inside(t, store, ['-v', 'from:/d'], `${make}; ${owners}`);
  const archive = path.join(store.home, 'v.tar');
  await ok(t, store, 'volume', 'export', '-o', archive, 'from');
  await ok(t, store, 'volume', 'create', 'to');
  await ok(t, store, 'volume', 'import', 'to', archive);
  const look = 'cd /d; stat -c "%n %a %u:%g %h %s" a a/f a/hard a/soft; stat -c %Y a/f; readlink a/soft; cat a/f';
  t.is(await inside(t, store, ['-v', 'to:/d'], look), await inside(t, store, ['-v', 'from:/d'], look));
  const piped = await keelbox(['volume', 'export', 'from'], {...store});
  t.deepEqual(piped.bytes, readFileSync(archive));
  t.is((await keelbox(['volume', 'import', 'to', '-'], {...store, input: piped.bytes})).exitCode, 0);
  const missing = {code: NOT_FOUND, exitCode: 1, says: 'nothing'};
  refused(t, await keelbox(['volume', 'export', '-o', archive, 'nothing'], {...store}), missing);
  refused(t, await keelbox(['volume', 'import', 'nothing', archive], {...store}), missing);
});

test.asEach('CVE-2023-0778, CVE-2025-11395: no link leads an export or import out of its volume', async (t, who) => {
  const store = storeOf(who);
  const canary = path.join(store.home, 'canary');
  mkdirSync(canary, {mode: 0o777});
  chmodSync(canary, 0o777);
  writeFileSync(path.join(canary, 'secret'), 'HOSTSECRET');
  await inside(t, store, ['-v', 'evil:/d'], `ln -s ${canary} /d/x; ln -s ${canary}/secret /d/y`);
  const {bytes} = await keelbox(['volume', 'export', 'evil'], {...store});
  t.true(bytes.length > 0);
  t.false(bytes.includes('HOSTSECRET'));
  // An archive whose entries go through a link: the one in the archive, or the one that a container left.
  await inside(t, store, ['-v', 'plain:/d'], 'mkdir /d/x; echo owned > /d/x/made; echo owned > /d/y');
  const plain = (await keelbox(['volume', 'export', 'plain'], {...store})).bytes;
  const before = snapshot(canary);
  await keelbox(['volume', 'import', 'evil', '-'], {...store, input: plain});
  await ok(t, store, 'volume', 'create', 'both');
  await keelbox(['volume', 'import', 'both', '-'], {...store, input: Buffer.concat([bytes.subarray(0, -1024), plain])});
  t.deepEqual(snapshot(canary), before);
});
