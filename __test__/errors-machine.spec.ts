/**
 * A machine that does not give what keelbox needs: no space, no writable folder, no user namespaces. Each made in a
 * namespace of the test's own, so that nothing of it is the host's.
 */
import {spawn} from 'node:child_process';
import {chmodSync, chownSync, mkdtempSync, readdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {text} from 'node:stream/consumers';
import {command, keelbox, type Result, specFolder, testUser} from './helpers/cli';
import {type Refusal, refused} from './helpers/inside';
import {lane, patience, type Who} from './helpers/lane';

const test = lane({host: true, guest: true, rootless: true}).needing('unshare', 'setpriv', 'mount', 'perl');
const STORE = 'ERR_KEELBOX_STORE';

function folderOf({asUser}: Who): string {
  const folder = mkdtempSync(path.join(specFolder(), 'state-'));
  chmodSync(folder, 0o755);
  if (asUser) chownSync(folder, testUser().uid, testUser().gid);
  return folder;
}

/** Runs `sh -c SCRIPT` in new namespaces, where `"$@"` is `keelbox ARGS`. */
async function prepared(
  unshare: string[],
  script: string,
  args: string[],
  env: Record<string, string>,
  asUser = false,
): Promise<Result> {
  const {file, args: all, options} = command(args, {env});
  const child = spawn('unshare', [...unshare, 'sh', '-c', script, 'sh', file, ...all], {
    ...options,
    ...(asUser ? testUser() : {}),
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: patience(60_000),
  });
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  const [exitCode, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(done =>
    child.on('close', (...end) => done(end)),
  );
  return {exitCode, signal, stdout: await stdout, stderr: await stderr, bytes: Buffer.alloc(0)};
}

/** As whom a script of `prepared` starts keelbox. */
const dropTo = ({asUser}: Who) =>
  asUser ? `setpriv --reuid ${testUser().uid} --regid ${testUser().gid} --clear-groups` : '';

const owner = ({asUser}: Who) => (asUser ? `uid=${testUser().uid},gid=${testUser().gid},` : '');

/** The state folder on a file system of its own, in a private mount namespace; what keelbox leaves in it comes last. */
async function onItsOwnDisk(
  t: Parameters<typeof refused>[0],
  who: Who,
  options: string,
  after: string,
  refusal: Refusal,
): Promise<void> {
  const folder = folderOf(who);
  const script = `mount -t tmpfs -o ${owner(who)}${options} none ${folder} && mkdir -m 700 ${folder}/root ${folder}/run
    ${who.asUser ? `chown ${testUser().uid}:${testUser().gid} ${folder}/root ${folder}/run` : ''}
    ${after}
    ${dropTo(who)} "$@"; code=$?; ls ${folder}/root/containers ${folder}/run/containers ${folder}/root/names 2>/dev/null | grep -v : | grep . >&2; exit $code`;
  const env = {KEELBOX_ROOT: `${folder}/root`, KEELBOX_RUNROOT: `${folder}/run`};
  refused(t, await prepared(['-m'], script, ['run', '--rm', 'host', '--', 'true'], env), refusal);
}

const testBoth = (title: string, body: (t: Parameters<typeof refused>[0], who: Who) => Promise<void>) => {
  for (const asUser of [false, true])
    test.asRoot(`${title}${asUser ? ' for an ordinary user, set up' : ', set up'}`, t => body(t, {asUser}));
};

testBoth('a full disk is told as such, and nothing is left', async (t, who) => {
  const refusal = {code: STORE, says: /state-/, why: /no space/i, fix: /room/};
  await onItsOwnDisk(t, who, 'size=64k,mode=755', 'cat /dev/zero > $KEELBOX_ROOT/fill 2>/dev/null', refusal);
});

testBoth('a disk without free inodes is told as such, and nothing is left', async (t, who) => {
  const refusal = {code: STORE, says: /state-/, why: /no space/i, fix: /room/};
  await onItsOwnDisk(t, who, 'size=1m,nr_inodes=8,mode=755', '', refusal);
});

testBoth(
  'a disk that is full but for some inodes: at any number of them the error is clear, or it works',
  async (t, who) => {
    for (let inodes = 9; inodes < 60; inodes += 5) {
      const folder = folderOf(who);
      const script = `mount -t tmpfs -o ${owner(who)}size=1m,nr_inodes=${inodes},mode=755 none ${folder}
      ${dropTo(who)} "$@"; code=$?; find ${folder} -mindepth 3 -path '*/containers/*' >&2; exit $code`;
      const env = {KEELBOX_ROOT: `${folder}/root`, KEELBOX_RUNROOT: `${folder}/run`};
      const result = await prepared(['-m'], script, ['run', '--rm', 'host', '--', 'true'], env);
      if (result.exitCode === 0) t.is(result.stderr, '', `${inodes} inodes`);
      else {
        const code = result.stderr.includes('ERR_KEELBOX_MOUNT') ? 'ERR_KEELBOX_MOUNT' : STORE;
        refused(t, result, {code, says: /./, why: /no space/i, fix: /room/});
      }
    }
  },
);

testBoth('a read-only state folder is told as such', async (t, who) => {
  const refusal = {code: STORE, says: /state-/, why: /read-only/i, fix: '--root'};
  await onItsOwnDisk(t, who, 'size=1m,mode=755', 'mount -o remount,ro $(dirname $KEELBOX_ROOT)', refusal);
});

test.asEach('a state folder that is a file is told as such', async (t, who) => {
  const folder = folderOf(who);
  writeFileSync(path.join(folder, 'file'), '');
  for (const name of ['KEELBOX_ROOT', 'KEELBOX_RUNROOT']) {
    const result = await keelbox(['run', '--rm', 'host', '--', 'true'], {
      ...who,
      env: {[name]: path.join(folder, 'file')},
    });
    refused(t, result, {
      code: STORE,
      says: path.join(folder, 'file'),
      why: /not a directory|file exists/i,
      fix: /--root|--runroot/,
    });
  }
  t.deepEqual(readdirSync(folder), ['file']);
});

test.asUser('a state folder of somebody else is told as such', async (t, who) => {
  const folder = mkdtempSync(path.join(specFolder(), 'state-'));
  if (!who.asUser) chmodSync(folder, 0o500);
  const env = {KEELBOX_ROOT: path.join(folder, 'root')};
  const result = await keelbox(['run', '--rm', 'host', '--', 'true'], {...who, env});
  refused(t, result, {code: STORE, says: folder, why: /permission denied/i, fix: /yours|--root/});
  chmodSync(folder, 0o700);
});

/**
 * perl, because a shell in a new user namespace would lose its capabilities at its exec, before ids are mapped: a user
 * namespace with all ids, in which none may be made. max_user_namespaces counts for the namespace that it is written in.
 */
const WITHOUT_USERNS = `
  my ($uid, $gid) = splice @ARGV, 0, 2; pipe my $mapped, my $map; pipe my $ready, my $made;
  my $child = fork;
  if ($child) {
    sysread $ready, my $byte, 1;
    for my $file ("uid_map", "gid_map") { open my $out, ">", "/proc/$child/$file" or die; syswrite $out, "0 0 4294967295" or die }
    syswrite $map, "x"; waitpid $child, 0; exit $? >> 8;
  }
  syscall(272, 0x10000000) == 0 or die "unshare: $!"; syswrite $made, "x"; sysread $mapped, my $byte, 1;
  open my $limit, ">", "/proc/sys/user/max_user_namespaces" or die "limit: $!"; syswrite $limit, "0" or die; close $limit;
  $) = "$gid $gid"; $( = $gid; $< = $uid; $> = $uid;
  exec @ARGV;`;

for (const asUser of [false, true]) {
  const title = `user namespaces that are forbidden${asUser ? ' for an ordinary user' : ''} are told as such, with what allows them`;
  test.asRoot(title, async t => {
    const folder = folderOf({asUser});
    const {uid, gid} = asUser ? testUser() : {uid: 0, gid: 0};
    const env = {KEELBOX_ROOT: `${folder}/root`, KEELBOX_RUNROOT: `${folder}/run`, WITHOUT_USERNS};
    const result = await prepared(
      ['-m'],
      `perl -e "$WITHOUT_USERNS" ${uid} ${gid} "$@"`,
      ['run', '--rm', 'host', '--', 'true'],
      env,
    );
    refused(t, result, {
      code: 'ERR_KEELBOX_USERNS',
      says: /namespace/i,
      why: /user namespace/i,
      fix: 'max_user_namespaces',
    });
    for (const name of ['run', 'root']) t.deepEqual(readdirSync(path.join(folder, name, 'containers')), []);
  });
}

test.asRoot('root of a user namespace with one id alone is served as an ordinary user is', async t => {
  const folder = folderOf({asUser: false});
  const env = {KEELBOX_ROOT: `${folder}/root`, KEELBOX_RUNROOT: `${folder}/run`};
  const result = await prepared(['-Ur', '-m'], 'exec "$@"', ['run', '--rm', '-q', 'host', '--', 'id', '-u'], env);
  t.is(result.exitCode, 0, result.stderr);
  t.is(result.stdout, '0\n');
});

test.asUser('without ranges of ids of its own a user is root alone, and the container works', async (t, who) => {
  const folder = folderOf(who);
  const env = {KEELBOX_ROOT: `${folder}/root`, KEELBOX_RUNROOT: `${folder}/run`, PATH: '/nowhere'};
  const result = await keelbox(['run', '--rm', '-q', 'host', '--', 'cat', '/proc/self/uid_map'], {...who, env});
  t.is(result.exitCode, 0, result.stderr);
  t.regex(result.stdout, /^ +0 +\d+ +1\n/);
});
