/**
 * keelbox in a container of another engine, as in a CI job: podman with runc, with this machine's own files under an overlay
 * as the container's root, as an image's would be.
 */
import {mkdirSync, mkdtempSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {keelbox, type Result, specFolder} from './helpers/cli';
import {refused} from './helpers/inside';
import {lane} from './helpers/lane';
import {busybox, busyboxRoot} from './helpers/roots';
import {finish, prepared} from './helpers/within';

const test = lane({host: true}).needing('podman', 'runc', 'unshare', busybox);
const testSelf = lane({host: true, guest: true, rootless: true}).needing('unshare');

const STORE = {KEELBOX_ROOT: '/var/lib/kb', KEELBOX_RUNROOT: '/run/kb', HOME: '/tmp'};

/** podman's own state, and an overlay over this machine's root, in a mount namespace that ends with the container. */
function inPodman(flags: string[], args: string[], env: Record<string, string> = {}): Promise<Result> {
  const folder = mkdtempSync(path.join(specFolder(), 'podman-'));
  for (const name of ['up', 'work', 'merged', 'store']) mkdirSync(path.join(folder, name), {mode: 0o755});
  const script = `mount -t overlay -o lowerdir=/,upperdir=${folder}/up,workdir=${folder}/work none ${folder}/merged && exec "$@"`;
  const podman = [
    '--root',
    `${folder}/store`,
    '--runroot',
    `${folder}/run`,
    '--cgroup-manager',
    'cgroupfs',
    '--runtime',
    'runc',
  ];
  // Without CAP_SYS_RESOURCE, as on some machines, podman's usual limits cannot be set.
  const run = [
    'run',
    '--rm',
    '--network',
    'none',
    '--ulimit',
    'nofile=1024:1024',
    '--ulimit',
    'nproc=1024:1024',
    ...flags,
  ];
  const set = Object.entries({...STORE, ...env}).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
  const product = ['-v', `${path.join(specFolder(), 'dist')}:/keelbox:ro`, '--rootfs', path.join(folder, 'merged')];
  const command = [process.execPath, '--', '/keelbox/cli.cjs', ...args];
  return finish('unshare', [
    '-m',
    'sh',
    '-c',
    script,
    'sh',
    'podman',
    ...podman,
    ...run,
    ...set,
    ...product,
    ...command,
  ]);
}

const UNCONFINED = ['--security-opt', 'seccomp=unconfined'];
const UNMASKED = ['--security-opt', 'unmask=ALL'];
const SCRIPT = 'id -u; echo $$; touch /new /tmp/x && echo made; ls /proc | grep -c "^[0-9]"; hostname | wc -c';
const WORKS = /^0\n1\nmade\n\d\n13\n$/;

test.asRoot('in a privileged container everything works, on a volume without a notice', async t => {
  const volume = mkdtempSync(path.join(specFolder(), 'volume-'));
  const root = await busyboxRoot();
  const flags = ['--privileged', '-v', `${volume}:/store`, '-v', `${root}:/root-of-it`];
  const env = {KEELBOX_ROOT: '/store/root'};
  const args = ['run', '--rm', '--rootfs', '/root-of-it:O', '--', 'sh', '-c', `${SCRIPT}; cat /proc/self/uid_map`];
  const result = await inPodman(flags, args, env);
  t.is(result.stderr, '');
  t.regex(result.stdout, /^0\n1\nmade\n\d\n13\n +0 +[12]\d{9} +65536\n$/);
});

test.asRoot('in a privileged container without a volume, `host` has its ids and read-only programs', async t => {
  const result = await inPodman(
    ['--privileged'],
    ['run', '--rm', 'host', '--', 'sh', '-c', `${SCRIPT}; cat /proc/self/uid_map`],
  );
  t.regex(result.stdout, /^0\n1\nmade\n\d\n13\n +0 +[12]\d{9} +65536\n$/, result.stderr);
  t.regex(
    result.stderr,
    /^notice: this machine's programs are read-only in this container: their file system takes no id-mapped mounts\n$/,
  );
});

test.asRoot('in a privileged container without a volume, what is to be kept is refused with the fix', async t => {
  const root = await busyboxRoot();
  const args = ['run', '-q', '--rootfs', '/root-of-it:O', '--', 'true'];
  const result = await inPodman(['--privileged', '-v', `${root}:/root-of-it`], args);
  refused(t, result, {code: 'ERR_KEELBOX_MOUNT', says: 'writable layer', why: 'is on overlay', fix: 'a volume'});
});

test.asRoot('all capabilities, but masked paths: the container has a /proc of its own all the same', async t => {
  const script = `${SCRIPT}; readlink /proc/self | wc -l; (echo x > /proc/sys/kernel/hostname) 2>/dev/null || echo read-only; cat /proc/kallsyms | wc -l`;
  const result = await inPodman(
    ['--cap-add', 'ALL', ...UNCONFINED],
    ['run', '--rm', '-q', 'host', '--', 'sh', '-c', script],
  );
  t.regex(result.stdout, /^0\n1\nmade\n\d\n13\n1\nread-only\n0\n$/, result.stderr);
});

test.asRoot('an unconfined container with nothing masked gives what an ordinary user has', async t => {
  const script = `${SCRIPT}; cat /proc/self/uid_map; chown 33:33 /tmp/x && stat -c %u /tmp/x`;
  const result = await inPodman([...UNCONFINED, ...UNMASKED], ['run', '--rm', 'host', '--', 'sh', '-c', script]);
  t.is(result.stderr, '');
  t.regex(result.stdout, /^0\n1\nmade\n\d\n13\n +0 +0 +1\n +1 +1879048193 +65535\n33\n$/);
});

test.asRoot('nothing is left in the store of a container without rights', async t => {
  const volume = mkdtempSync(path.join(specFolder(), 'volume-'));
  const flags = [...UNCONFINED, ...UNMASKED, '-v', `${volume}:/store`];
  const env = {KEELBOX_ROOT: '/store/root', KEELBOX_RUNROOT: '/store/run'};
  const script = 'mkdir /tmp/d && touch /tmp/d/f && chown -R 33:33 /tmp/d && chmod 700 /tmp/d';
  t.is((await inPodman(flags, ['run', '--rm', 'host', '--', 'sh', '-c', script], env)).exitCode, 0);
  const {stdout} = await finish('find', [`${volume}/root/containers`, `${volume}/run/containers`, '-mindepth', '1']);
  t.is(stdout, '');
});

test.asRoot('an ordinary user of an unconfined container', async t => {
  const flags = [...UNCONFINED, ...UNMASKED, '--user', '1000:1000'];
  const env = {KEELBOX_ROOT: '/tmp/kb', KEELBOX_RUNROOT: '/tmp/kb-run'};
  const result = await inPodman(flags, ['run', '--rm', 'host', '--', 'sh', '-c', SCRIPT], env);
  t.regex(result.stdout, WORKS, result.stderr);
  t.is(result.stderr, '');
});

test.asRoot('a default container is told the flags that allow it', async t => {
  const result = await inPodman([], ['run', '--rm', 'host', '--', 'true']);
  const fix = 'podman run --security-opt seccomp=unconfined --security-opt unmask=ALL';
  refused(t, result, {code: 'ERR_KEELBOX_PERMISSION', says: '/proc', why: 'hidden', fix});
});

test.asRoot('a container without any capability is told what its root lacks', async t => {
  const result = await inPodman(['--cap-drop', 'ALL', ...UNMASKED], ['run', '--rm', 'host', '--', 'true']);
  refused(t, result, {code: 'ERR_KEELBOX_USERNS', says: 'ids', why: 'CAP_SETFCAP', fix: '--cap-add SETFCAP'});
});

/** As docker's: it allows user namespaces to nobody without CAP_SYS_ADMIN. */
function strictProfile(): string {
  const file = path.join(mkdtempSync(path.join(specFolder(), 'profile-')), 'seccomp.json');
  const clone = {index: 0, value: 0x10000000, valueTwo: 0x10000000, op: 'SCMP_CMP_MASKED_EQ'};
  const syscalls = [
    {names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38},
    {names: ['clone', 'unshare'], action: 'SCMP_ACT_ERRNO', errnoRet: 1, args: [clone]},
    {names: ['mount', 'fsopen', 'open_tree', 'move_mount', 'setns'], action: 'SCMP_ACT_ERRNO', errnoRet: 1},
  ];
  writeFileSync(file, JSON.stringify({defaultAction: 'SCMP_ACT_ALLOW', syscalls}));
  return file;
}

test.asRoot('a filter like docker’s is told as what it is', async t => {
  const result = await inPodman(
    ['--security-opt', `seccomp=${strictProfile()}`],
    ['run', '--rm', 'host', '--', 'true'],
  );
  refused(t, result, {code: 'ERR_KEELBOX_USERNS', says: 'namespaces', why: 'seccomp', fix: 'seccomp=unconfined'});
});

test.asRoot('a read-only container with a tmpfs for the store', async t => {
  const flags = [
    '--privileged',
    '--read-only',
    '--read-only-tmpfs=false',
    '--tmpfs',
    '/run/kb:rw,mode=755,notmpcopyup',
  ];
  const env = {KEELBOX_ROOT: '/run/kb/root', KEELBOX_RUNROOT: '/run/kb/run'};
  const result = await inPodman(flags, ['run', '--rm', '-q', 'host', '--', 'sh', '-c', SCRIPT], env);
  t.regex(result.stdout, WORKS, result.stderr);
});

/** Without any engine: a mount namespace in which parts of /proc are hidden, as engines hide them. */
function masked(asUser: boolean): Promise<Result> {
  // One /proc anywhere that is seen whole is enough for the kernel.
  const others = `awk '$5 != "/proc" && / - proc /{print $5}' /proc/self/mountinfo | xargs -r umount -l`;
  const script =
    'mount -t tmpfs -o ro,size=0 none /proc/acpi 2>/dev/null || mount -t tmpfs none /proc/tty; mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; exec $AS "$@"';
  return prepared(`${others}; ${script}`, ['run', '--rm', 'host', '--', 'sh', '-c', SCRIPT], {asUser});
}

testSelf.asRoot('root runs containers where /proc is partly hidden', async t => {
  const result = await masked(false);
  t.is(result.stderr, '');
  t.regex(result.stdout, WORKS);
});

testSelf.asRoot('an ordinary user is told so where /proc is partly hidden, and how it can be had', async t => {
  const result = await masked(true);
  refused(t, result, {
    code: 'ERR_KEELBOX_PERMISSION',
    says: '/proc',
    why: 'hidden',
    fix: /ProtectKernelTunables=no|systempaths=unconfined|unmask=ALL|procMount/,
  });
});

testSelf.asEach(
  'a default container of keelbox’s own runs none, and a privileged one of root’s does',
  async (t, who) => {
    const inner = ['/keelbox-node', '--', '/keelbox/cli.cjs', 'run', '--rm', '-q', 'host', '--', 'id', '-u'];
    const env = ['-e', 'KEELBOX_ROOT=/tmp/kb', '-e', 'KEELBOX_RUNROOT=/tmp/kb-run', '-e', 'HOME=/tmp'];
    const mounts = [
      '-v',
      `${process.execPath}:/keelbox-node:ro`,
      '-v',
      `${path.join(specFolder(), 'dist')}:/keelbox:ro`,
    ];
    const outer = ['run', '--rm', '-q', ...env, ...mounts];
    const plain = await keelbox([...outer, 'host', '--', ...inner], who);
    t.is(plain.exitCode, 125, plain.stdout);
    t.regex(plain.stderr, /ERR_KEELBOX_USERNS/);
    if (who.asUser) return;
    const privileged = await keelbox([...outer, '--privileged', 'host', '--', ...inner], who);
    t.deepEqual([privileged.stdout, privileged.exitCode], ['0\n', 0], privileged.stderr);
  },
);
