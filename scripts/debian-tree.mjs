#!/usr/bin/env node
/**
 * Makes a Debian root directory with debootstrap, once, and keeps it: for `--rootfs` in the tests, and as the guest's disk.
 *
 *   node scripts/debian-tree.mjs NAME CACHE        prints the tree's path
 *
 * It takes the release and the mirror that this machine's own apt uses.
 */
import {spawnSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, symlinkSync} from 'node:fs';
import path from 'node:path';
import {fail, output} from './lib.mjs';

const GUEST = [
  'adduser',
  'apparmor',
  'btrfs-progs',
  'busybox-static',
  'ca-certificates',
  'dosfstools',
  'iproute2',
  'kmod',
  'libcap2-bin',
  'libstdc++6',
  'nfs-kernel-server',
  'nftables',
  'passwd',
  'procps',
  'python3',
  'strace',
  'uidmap',
  'xfsprogs',
];

/** What else reads and writes images. debootstrap does not choose netavark, which is one of several that podman would take. */
const IMAGE_TOOLS = ['netavark', 'podman', 'skopeo', 'umoci', 'zstd'];

/** What each tree holds besides `--variant=minbase`. */
const PACKAGES = {
  test: ['adduser', 'passwd', 'procps', 'python3-minimal'],
  guest: [...GUEST, ...IMAGE_TOOLS],
  systemd: [...GUEST, 'dbus', 'dbus-user-session', 'libpam-systemd', 'systemd', 'systemd-sysv', 'udev'],
};

/** Raised when the same packages are to be made differently. */
const FORMAT = 1;

function release() {
  const match = /^VERSION_CODENAME=(.+)$/m.exec(readFileSync('/etc/os-release', 'utf8'));
  return match ? match[1] : fail('debian-tree: /etc/os-release names no release');
}

function mirror(suite) {
  const targets = output('apt-get', ['indextargets', '--format', '$(CODENAME) $(REPO_URI)', 'Created-By: Packages']);
  const line = targets.split('\n').find(target => target.startsWith(`${suite} http`));
  return line ? [line.split(' ')[1]] : [];
}

/** apt may be told of a proxy where the environment is not. */
function environment() {
  const proxy = output('apt-config', ['shell', 'P', 'Acquire::http::Proxy/f']).match(/P='(.+)'/);
  return proxy && proxy[1] !== 'DIRECT' ? {...process.env, http_proxy: proxy[1]} : process.env;
}

function make(name, folder) {
  const suite = release();
  const temporary = `${folder}.partial`;
  rmSync(temporary, {recursive: true, force: true});
  const include = `--include=${PACKAGES[name].join(',')}`;
  // It mounts /proc in the tree: a second one that can be seen whole would change what others may mount meanwhile.
  const {status, stdout, stderr} = spawnSync(
    'unshare',
    ['--mount', 'debootstrap', '--variant=minbase', include, suite, temporary, ...mirror(suite)],
    {
      env: environment(),
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    },
  );
  if (status !== 0) fail(`debian-tree: debootstrap failed:\n${`${stdout}${stderr}`.split('\n').slice(-20).join('\n')}`);
  for (const useless of [
    'var/cache/apt/archives',
    'var/lib/apt/lists',
    'usr/share/doc',
    'usr/share/locale',
    'usr/share/man',
  ]) {
    rmSync(path.join(temporary, useless), {recursive: true, force: true});
  }
  // apt wants its folders back.
  for (const kept of ['var/cache/apt/archives/partial', 'var/lib/apt/lists/partial'])
    mkdirSync(path.join(temporary, kept), {recursive: true});
  renameSync(temporary, folder);
}

function place(name, cache) {
  const key = createHash('sha256')
    .update(JSON.stringify([FORMAT, release(), process.arch, PACKAGES[name]]))
    .digest('hex');
  return path.join(path.resolve(cache), 'debian', `${name}-${key.slice(0, 12)}`);
}

/** The path of the tree, made now when the cache does not have it. */
export function debianTree(name, cache) {
  if (!Object.hasOwn(PACKAGES, name)) fail(`debian-tree: no tree is called ${name}`);
  const folder = place(name, cache);
  if (existsSync(folder)) return folder;
  mkdirSync(path.dirname(folder), {recursive: true});
  // Two specs may want it at once. flock's lock goes away with its process, whatever ends that.
  const {status} = spawnSync(
    'flock',
    [`${folder}.lock`, process.execPath, import.meta.filename, '--make', name, cache],
    {stdio: ['ignore', 2, 2]},
  );
  if (status !== 0) fail(`debian-tree: cannot make ${folder}`);
  return folder;
}

function makeUnderLock(name, cache) {
  const folder = place(name, cache);
  if (!existsSync(folder)) make(name, folder);
  // The newest under its plain name: how a test asks whether there is one.
  const link = path.join(path.dirname(folder), name);
  rmSync(link, {force: true});
  symlinkSync(path.basename(folder), link);
}

if (import.meta.filename === realpathSync(process.argv[1])) {
  const making = process.argv[2] === '--make';
  const [name, cache] = process.argv.slice(making ? 3 : 2);
  if (making) makeUnderLock(name, cache);
  else process.stdout.write(`${debianTree(name, cache)}\n`);
}
