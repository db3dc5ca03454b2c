/** The store on each file system that the test can make, in a mount namespace of the test's own. */
import {chmodSync, existsSync, mkdirSync, mkdtempSync} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {type Result, specFolder, testUser} from './helpers/cli';
import {refused} from './helpers/inside';
import {hasTool, lane, type Need, type Who} from './helpers/lane';
import {busybox, busyboxRoot} from './helpers/roots';
import {commandOnOldKernel, finish, prepared} from './helpers/within';

const LANES = ['unshare', 'setpriv', busybox];
const test = lane({host: true, guest: true, rootless: true}).needing(...LANES);
const testOn = (...needs: Need[]) => lane({host: true, guest: true, rootless: true}).needing(...LANES, ...needs);
const loop: Need = {name: 'loop devices', isThere: () => existsSync('/dev/loop-control') || hasTool('modprobe')};
/** Before Linux 6.3 a tmpfs takes no mapped ids, before 6.6 no `user.*` attributes, which the guest's kernel is. */
const testNew = lane({host: true, rootless: true}).needing(...LANES);
/** bindfs and its libraries are not in the guest; FAT is not in every machine's kernel. */
const testFuse = lane({host: true, rootless: true}).needing(...LANES, 'bindfs', 'fusermount3');
const testFat = lane({guest: true}).needing(...LANES, loop, 'mkfs.vfat');

/** An image in the store's folder; the loop device goes with the mount. */
const onImage = (make: string, megabytes: number) =>
  `modprobe -q loop 2>/dev/null; truncate -s ${megabytes}M "$D/image" && ${make} "$D/image" >/dev/null 2>&1 && mount -o loop "$D/image" "$D/m"`;

/** How to mount each at $D/m. */
const MOUNTS: Record<string, string> = {
  tmpfs: 'mount -t tmpfs -o mode=755 none "$D/m"',
  ramfs: 'mount -t ramfs none "$D/m"',
  ext4: onImage('mke2fs -q -t ext4', 48),
  btrfs: onImage('mkfs.btrfs -q', 120),
  xfs: onImage('mkfs.xfs -q', 320),
  overlay:
    'mkdir "$D/low" "$D/up" "$D/work" && mount -t overlay -o lowerdir="$D/low",upperdir="$D/up",workdir="$D/work" none "$D/m"',
  FUSE: 'mkdir "$D/real" && chmod 755 "$D/real" && bindfs "$D/real" "$D/m" && trap \'umount "$D/m"\' EXIT',
  FAT: `modprobe -q vfat 2>/dev/null; ${onImage('mkfs.vfat', 40)}`,
};

/** Runs `keelbox ARGS` with its store on that file system; stdout ends with what is left in the store. */
function storedOn(kind: string, args: string[], who: Who, wrap = '"$@"'): Promise<Result> {
  const folder = mkdtempSync(path.join(specFolder(), 'disk-'));
  chmodSync(folder, 0o755);
  mkdirSync(path.join(folder, 'm'));
  const {uid, gid} = who.asUser ? testUser() : {uid: 0, gid: 0};
  const script = `D=${folder}; ${MOUNTS[kind]} || exit 99
    chmod 755 "$D/m"; mkdir -p "$D/m/s" 2>/dev/null; chown ${uid}:${gid} "$D/m/s" 2>/dev/null
    $AS ${wrap}; code=$?
    find "$D"/m/s/root/containers "$D"/m/s/run/containers "$D"/m/s/root/names -mindepth 1 -maxdepth 1 2>/dev/null | sed 's/^/left: /'
    exit $code`;
  const env = {KEELBOX_ROOT: `${folder}/m/s/root`, KEELBOX_RUNROOT: `${folder}/m/s/run`};
  return prepared(script, args, {...who, env});
}

/** As root, and as an ordinary user whose mounts root makes. */
function each(
  register: ReturnType<typeof testOn>,
  title: string,
  body: (t: ExecutionContext, who: Who) => Promise<void>,
) {
  register.asRoot(title, t => body(t, {asUser: false}));
  register.asRoot(`${title}, for an ordinary user`, t => body(t, {asUser: true}));
}

const rootOf = async (who: Who) => `${await busyboxRoot(who)}:O`;

/** What an overlay does to lower files: copies up, hides, and replaces a directory by a new one of the same name. */
const SOME_CHANGES = `echo more >> /etc/passwd && tail -n1 /etc/passwd && rm /etc/group && ls /etc`;
const CHANGES = `${SOME_CHANGES}
  rm -r /home && mkdir /home && ls /home | wc -l && mv /var /moved && ls -d /moved && chmod 700 /tmp && stat -c %a /tmp`;

for (const [kind, tool] of [
  ['tmpfs', 'mount'],
  ['ext4', 'mke2fs'],
  ['btrfs', 'mkfs.btrfs'],
  ['xfs', 'mkfs.xfs'],
] as const) {
  each(
    testOn(tool, loop),
    `a store on ${kind} does all that an overlay can do, and without a notice`,
    async (t, who) => {
      // A tmpfs takes mapped ids from Linux 6.3 on, and `user.*` attributes, which an ordinary user's overlay marks with, from 6.6.
      const isOld = kind === 'tmpfs' && (await isOlderThan(6, who.asUser ? 6 : 3));
      const changes = who.asUser && isOld ? SOME_CHANGES : CHANGES;
      const words = ['run', '--rm', '--rootfs', await rootOf(who), '--', 'sh', '-c', changes];
      const result = await storedOn(kind, words, who);
      // Memory of the container's own takes its ids on every kernel.
      t.regex(
        result.stderr,
        isOld && !who.asUser ? /^notice: [^\n]* on tmpfs, which takes no id-mapped mounts\n$/ : /^$/,
      );
      const made = changes === CHANGES ? ['/moved', '0', '700'] : [];
      const all = ['', ...made, 'hostname', 'hosts', 'more', 'passwd', 'resolv.conf'];
      t.deepEqual(result.stdout.split('\n').sort(), all);
      t.is(result.exitCode, 0);
    },
  );

  each(
    kind === 'tmpfs' ? testNew : testOn(tool, loop),
    `the image \`host\` on ${kind}, and a container that is kept there`,
    async (t, who) => {
      const hosted = await storedOn(kind, ['run', '--rm', 'host', '--', 'sh', '-c', 'touch /new /tmp/x && id -u'], who);
      t.deepEqual([hosted.stdout, hosted.stderr], ['0\n', '']);
      const kept = await storedOn(
        kind,
        ['run', '--name', 'kept', '--rootfs', await rootOf(who), '--', 'touch', '/new'],
        who,
      );
      t.regex(kept.stdout, /^left: .*\/containers\/[0-9a-f]{64}\nleft: .*\/names\/kept\n$/, kept.stderr);
      t.is(kept.stderr, '');
    },
  );
}

const MEMORY = /^notice: what this container writes is kept in memory: \S+ is on (overlay|FUSE|ramfs), which /m;

for (const [kind, register] of [
  ['overlay', test],
  ['FUSE', testFuse],
] as const) {
  each(register, `a store on ${kind}: with --rm the writable layer is in memory, with a notice`, async (t, who) => {
    const changes = who.asUser && (await isOlderThan(6, 6)) ? `${SOME_CHANGES}` : CHANGES;
    const script = `${changes}; cut -c1-12 /proc/self/uid_map; cat /proc/self/uid_map | wc -l`;
    const result = await storedOn(kind, ['run', '--rm', '--rootfs', await rootOf(who), '--', 'sh', '-c', script], who);
    t.is(result.exitCode, 0, result.stderr);
    t.regex(result.stderr, MEMORY);
    t.regex(result.stdout, /^more$/m);
    t.notRegex(result.stdout, /^left:/m);
  });

  each(
    register,
    `a store on ${kind}: what is to be kept is refused, with the fix, and nothing is left`,
    async (t, who) => {
      const result = await storedOn(kind, ['run', '--rootfs', await rootOf(who), '--', 'true'], who);
      const fix = /--root(.|\n)*--rm/;
      refused(t, result, {
        code: 'ERR_KEELBOX_MOUNT',
        says: 'writable layer',
        why: `is on ${kind}, which overlayfs cannot write to`,
        fix,
      });
    },
  );

  each(register, `a store on ${kind}: the image \`host\` runs, kept or not`, async (t, who) => {
    const script =
      'touch /new /tmp/x /root/y && id -u; touch /usr/x 2>/dev/null || echo read-only; cat /etc/shadow 2>/dev/null || echo unreadable';
    const result = await storedOn(kind, ['run', '--rm', 'host', '--', 'sh', '-c', script], who);
    t.is(result.stdout, '0\nread-only\nunreadable\n', result.stderr);
    const notice = who.asUser
      ? ''
      : "notice: this machine's programs are read-only in this container: their file system takes no id-mapped mounts\n";
    t.is(result.stderr, notice);
    const kept = await storedOn(kind, ['run', '-q', 'host', '--', 'id', '-u'], who);
    t.regex(kept.stdout, /^0\nleft: /, kept.stderr);
  });
}

test.asRoot('a user namespace is kept where only the store takes no mapped ids', async t => {
  const args = ['run', '--rm', '-q', '--rootfs', await rootOf({asUser: false}), '--', 'cat', '/proc/self/uid_map'];
  const result = await storedOn('ramfs', args, {asUser: false});
  t.is(result.exitCode, 0, result.stderr);
  const [inside, outside, count] = result.stdout.trim().split(/\s+/).map(Number);
  const mapped = (outside ?? 0) >= 0x70000000 && count === 65536;
  t.is(inside, 0);
  t.true(mapped, result.stdout);
});

async function isOlderThan(major: number, minor: number): Promise<boolean> {
  const [first = 0, second = 0] = (await finish('uname', ['-r'])).stdout.split('.').map(Number);
  return first < major || (first === major && second < minor);
}

each(testOn('python3'), 'a layer in memory is found by path where an overlay takes no fd', async (t, who) => {
  const {args} = commandOnOldKernel([]);
  const {uid, gid} = testUser();
  const as = who.asUser ? `OLD_KERNEL_UID=${uid} OLD_KERNEL_GID=${gid}` : '';
  const run = ['run', '--rm', '--rootfs', await rootOf(who), '--', 'sh', '-c', who.asUser ? SOME_CHANGES : CHANGES];
  const folder = mkdtempSync(path.join(specFolder(), 'disk-'));
  chmodSync(folder, 0o755);
  mkdirSync(path.join(folder, 'm'));
  const script = `D=${folder}; ${MOUNTS.overlay} || exit 99; mkdir "$D/m/s"; chown ${who.asUser ? uid : 0} "$D/m/s"
    env ${as} python3 -c "$OLD" "$@"`;
  const env = {KEELBOX_ROOT: `${folder}/m/s/root`, KEELBOX_RUNROOT: `${folder}/m/s/run`, OLD: args[1] ?? ''};
  const result = await prepared(script, run, {env});
  t.is(result.exitCode, 0, result.stderr);
  t.regex(result.stderr, MEMORY);
  t.regex(result.stdout, /^more$/m);
});

testFat.asRoot('a file system without owners is refused, with the fix, before anything is made there', async t => {
  const result = await storedOn('FAT', ['run', '--rm', 'host', '--', 'true'], {asUser: false});
  refused(t, result, {code: 'ERR_KEELBOX_STORE', says: /it is on FAT/, why: /owners/, fix: '--root DIR'});
});
