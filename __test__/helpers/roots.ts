/** Root directories for `--rootfs`: a busybox tree, made in a moment, and a Debian tree, made once and kept. */
import {execFile, spawnSync} from 'node:child_process';
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import {promisify} from 'node:util';
import {specFolder, testUser} from './cli';
import {hasTool, IS_ROOT, type Need} from './lane';

const BUSYBOX = '/bin/busybox';
const CACHE = path.resolve(process.env.KEELBOX_TEST_CACHE ?? '.cache');

const execute = promisify(execFile);

/** Not the synchronous kind: the other tests of the file run meanwhile, against their time limits. */
async function output(command: string, args: string[]): Promise<string> {
  return (await execute(command, args, {maxBuffer: 16 << 20})).stdout.trim();
}

/** A dynamic executable names its interpreter within the first page. */
function isStatic(file: string): boolean {
  return !readFileSync(file).subarray(0, 4096).includes('/ld-');
}

export const busybox: Need = {name: 'busybox-static', isThere: () => existsSync(BUSYBOX) && isStatic(BUSYBOX)};

export const debian: Need = {
  name: 'debootstrap and root to run it',
  isThere: () => (IS_ROOT && hasTool('debootstrap')) || existsSync(path.join(CACHE, 'debian/test')),
};

/** The accounts that `id`, `su` and `-u` look up. */
const ACCOUNTS = {
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/:/bin/false\nguest:x:1000:1000:guest:/home/guest:/bin/sh\n',
  'etc/group': 'root:x:0:\ndaemon:x:1:\nguest:x:1000:\nstaff:x:50:guest\n',
};

/** A new busybox tree in the spec's folder, owned by root or by the ordinary user. */
export async function busyboxRoot({asUser = false} = {}): Promise<string> {
  const root = mkdtempSync(path.join(specFolder(), 'busybox-'));
  for (const folder of ['bin', 'sbin', 'usr', 'etc', 'proc', 'sys', 'dev', 'tmp', 'root', 'home/guest', 'var', 'run']) {
    mkdirSync(path.join(root, folder), {recursive: true});
  }
  copyFileSync(BUSYBOX, path.join(root, 'bin/busybox'));
  for (const applet of (await output(BUSYBOX, ['--list'])).split('\n')) {
    if (applet !== 'busybox') symlinkSync('busybox', path.join(root, 'bin', applet));
  }
  for (const [file, text] of Object.entries(ACCOUNTS)) writeFileSync(path.join(root, file), text);
  // mkdtemp gives 0700: nobody but root could enter its own root directory.
  await output('chmod', ['755', root]);
  await output('chmod', ['1777', path.join(root, 'tmp')]);
  if (asUser) await output('chown', ['-hR', `${testUser().uid}:${testUser().gid}`, root]);
  else chownSync(root, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
  return root;
}

function isReadableByTestUser(folder: string): boolean {
  return spawnSync('ls', [folder], {...testUser(), cwd: '/', stdio: 'ignore'}).status === 0;
}

/**
 * The Debian tree that all specs share: for `:O` only, nobody may write to it. With `asUser` it is one that the ordinary
 * user can reach.
 */
export async function debianRoot({asUser = false} = {}): Promise<string> {
  // In the guest the tree is there, and the script that makes it has nothing to do.
  const tree = await output(process.execPath, ['scripts/debian-tree.mjs', 'test', CACHE]);
  return asUser && IS_ROOT && !isReadableByTestUser(tree) ? copyOf(tree) : tree;
}

/** A copy in the spec's folder, to write to. */
export async function debianCopy(): Promise<string> {
  return copyOf(await debianRoot());
}

async function copyOf(tree: string): Promise<string> {
  const copy = path.join(mkdtempSync(path.join(specFolder(), 'debian-')), 'root');
  await output('cp', ['-a', '--reflink=auto', tree, copy]);
  await output('chmod', ['755', path.dirname(copy)]);
  return copy;
}
