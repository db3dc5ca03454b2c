/** Directories as roots: in place, and under an overlay with `:O`. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import path from 'node:path';
import {specFolder} from './helpers/cli';
import {answer, runIn, snapshot} from './helpers/inside';
import {lane} from './helpers/lane';
import {busybox, busyboxRoot} from './helpers/roots';

const test = lane({host: true, guest: true, rootless: true}).needing(busybox);

/** What a container may add to a root in place: mount points, and the files that stand under mounts. */
const listing = (root: string) => readdirSync(root).sort();

test.asEach('a tree in place: files made inside are there outside, and belong to its owner', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  t.is(
    await answer(t, 'echo made > /made; mkdir /tmp/d; stat -c %u:%g / /made /bin/sh', {...who, rootfs}),
    '0:0\n0:0\n0:0\n',
  );
  const {uid, gid} = statSync(rootfs);
  for (const name of ['made', 'tmp/d']) t.like(lstatSync(path.join(rootfs, name)), {uid, gid}, name);
  t.is(readFileSync(path.join(rootfs, 'made'), 'utf8'), 'made\n');
});

test.asEach('a tree in place: what the container mounts and its devices are never in it', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  await answer(t, 'ls /proc/1 /dev/null /sys/kernel > /dev/null; echo x > /dev/shm/x', {...who, rootfs});
  for (const folder of ['proc', 'sys', 'dev']) t.deepEqual(listing(path.join(rootfs, folder)), [], folder);
});

test.asEach(':O leaves the tree as it was, whatever is done inside', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  const before = snapshot(rootfs);
  const script =
    'rm -r /etc /home; echo x > /new; echo y >> /bin/busybox; chmod 700 /tmp; mv /root /moved; mkdir -p /etc/deep; ln /bin/busybox /link; ls /';
  t.regex(await answer(t, script, {...who, rootfs: `${rootfs}:O`}), /moved\nnew\n/);
  t.deepEqual(snapshot(rootfs), before);
});

test.asEach(':O: two containers do not see each other’s writes', async (t, who) => {
  const rootfs = `${await busyboxRoot(who)}:O`;
  // Each writes at once, waits until the other must have, and then looks.
  const script = (name: string) => `echo ${name} > /tmp/${name}; echo ${name} > /same; sleep 1; ls /tmp; cat /same`;
  const seen = await Promise.all(['a', 'b'].map(name => answer(t, script(name), {...who, rootfs})));
  t.deepEqual(seen, ['a\na\n', 'b\nb\n']);
  t.is(await answer(t, 'ls /tmp; test ! -e /same', {...who, rootfs}), '');
});

test.asEach('two containers in one tree in place see each other’s files, but not processes', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  // On a slow machine one may start long after the other.
  const both = 'n=0; until [ -e /tmp/a ] && [ -e /tmp/b ] || [ $n = 300 ]; do sleep 0.1; n=$((n + 1)); done';
  const script = (name: string) => `echo x > /tmp/${name}; ${both}; ls /tmp; echo /proc/[0-9]*`;
  const seen = await Promise.all(['a', 'b'].map(name => answer(t, script(name), {...who, rootfs})));
  t.deepEqual(seen, ['a\nb\n/proc/1\n', 'a\nb\n/proc/1\n']);
});

test.asEach('what docker would show: hostname, id, ps, mount, status', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  const shown = await answer(
    t,
    'hostname; id; ps -o pid,user,args; mount | head -1; grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status',
    {...who, rootfs: `${rootfs}:O`},
  );
  const [hostname, id, , first, second, root, ...status] = shown.trim().split('\n');
  t.regex(hostname ?? '', /^[0-9a-f]{12}$/);
  t.is(id, 'uid=0(root) gid=0(root) groups=0(root)');
  t.regex(first ?? '', /^ +1 root +sh -c hostname/);
  t.regex(second ?? '', /^ +\d+ root +(\{ps\} .*|ps -o pid,user,args)$/);
  t.regex(root ?? shown, /^overlay on \/ type overlay \(rw,/);
  t.deepEqual(status, ['CapEff:\t00000000800405fb', 'NoNewPrivs:\t1', 'Seccomp:\t2']);
});

test.asEach('a tree with no more than one static program is enough', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  for (const name of readdirSync(rootfs)) if (name !== 'bin') rmSync(path.join(rootfs, name), {recursive: true});
  for (const root of [`${rootfs}:O`, rootfs]) {
    t.is(
      await answer(t, 'id -u; cat /etc/hostname | wc -l; ls -d /proc/1 /sys/kernel /dev/null', {...who, rootfs: root}),
      '0\n1\n/dev/null\n/proc/1\n/sys/kernel\n',
    );
  }
});

test.asEach('the root’s path may be relative, a link, or end in a slash', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  const link = `${rootfs}-link`;
  symlinkSync(rootfs, link);
  for (const [root, cwd] of [
    [`./${path.basename(rootfs)}:O`, specFolder()],
    [`${link}:O`],
    [`${rootfs}/:O`],
    [link],
  ] as const)
    t.is(
      await answer(t, 'test -x /bin/busybox && echo found', {...who, rootfs: root, ...(cwd ? {cwd} : {})}),
      'found\n',
      root,
    );
});

test.asEach('a tree whose path has spaces, colons, commas and backslashes works under an overlay', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  for (const [index, name] of ['with space', 'a,b', 'back\\slash', 'co:lon'].entries()) {
    const odd = path.join(specFolder(), `${index}${who.asUser} ${name}`);
    renameSync(rootfs, odd);
    t.is(await answer(t, 'echo x > /x; cat /x', {...who, rootfs: `${odd}:O`}), 'x\n', name);
    t.false(existsSync(path.join(odd, 'x')));
    renameSync(odd, rootfs);
  }
});

test.asEach('the root cannot be left by .., chroot or a link', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  t.true(existsSync(specFolder()));
  const script = `cd /../../..; pwd; ls -d ${specFolder()} || echo none; mkdir -p /jail/bin; cp /bin/busybox /jail/bin/sh;
    chroot /jail /bin/sh -c 'cd ../../../../..; pwd'; ls -id / /.. | cut -d / -f 1 | sort -u | wc -l`;
  t.is(await answer(t, script, {...who, rootfs: `${rootfs}:O`}), '/\nnone\n/\n1\n');
});

test.asEach('set-user-id programs of the tree give nobody rights', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  const options = {...who, rootfs};
  await answer(t, 'cp /bin/busybox /bin/id-suid; rm /bin/id; cp /bin/busybox /bin/id; chmod 4755 /bin/id', options);
  t.is(await answer(t, '/bin/id -u', {...options, flags: ['-u', '1000']}), '1000\n');
});

test.asRoot('ids of the tree are those of the container: nothing is shifted on disk', async t => {
  const rootfs = await busyboxRoot();
  const script = 'mkdir /tmp/a; chown 1000:1001 /tmp/a; chown 65534:65534 /tmp; stat -c %u:%g /tmp/a /home/guest';
  t.is(await answer(t, script, {rootfs}), '1000:1001\n0:0\n');
  t.like(lstatSync(path.join(rootfs, 'tmp/a')), {uid: 1000, gid: 1001});
  t.like(lstatSync(path.join(rootfs, 'tmp')), {uid: 65_534, gid: 65_534});
});

test.asEach('a tree without the program that is asked for says so, and is left as it was', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  rmSync(path.join(rootfs, 'bin'), {recursive: true});
  mkdirSync(path.join(rootfs, 'bin'));
  t.is((await runIn(['sh'], {...who, rootfs})).exitCode, 127);
  t.deepEqual(listing(path.join(rootfs, 'bin')), []);
});
