/** Debian's cloud kernel, unpacked and not installed (no boot loader is to hear of it), and the first file system. */
import {spawnSync} from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import {debianTree} from '../debian-tree.mjs';
import {fail, output, ROOT, run} from '../lib.mjs';

/** What must be loaded before the root disk can be read; ext4 is built in. */
const BOOT_MODULES = ['virtio_pci', 'virtio_blk'];

/** The package that `linux-image-cloud-amd64` stands for today. */
function packageName() {
  const depends = output('apt-cache', ['depends', 'linux-image-cloud-amd64']);
  const match = /Depends: (linux-image-\S+)/.exec(depends);
  return match ? match[1] : fail('apt knows no linux-image-cloud-amd64: run `apt-get update`');
}

function unpack(name, folder) {
  const temporary = `${folder}.partial`;
  rmSync(temporary, {recursive: true, force: true});
  mkdirSync(temporary, {recursive: true});
  // apt's own user cannot write where we download to, and says so; that is no trouble.
  run('apt-get', ['download', '-qq', '-o', 'APT::Sandbox::User=root', name], {cwd: temporary});
  const [file] = readdirSync(temporary);
  run('dpkg-deb', ['-x', path.join(temporary, file), temporary]);
  rmSync(path.join(temporary, file));
  const [release] = readdirSync(path.join(temporary, 'lib/modules'));
  // depmod is in the guest's tree, so this machine need not have it.
  const tree = debianTree('guest', path.join(ROOT, '.cache'));
  const inTree = path.join(tree, 'lib/modules');
  mkdirSync(inTree, {recursive: true});
  run('cp', ['-a', path.join(temporary, 'lib/modules', release), inTree]);
  run('chroot', [tree, 'depmod', release]);
  run('cp', ['-a', path.join(inTree, release), path.join(temporary, 'lib/modules')]);
  rmSync(path.join(inTree, release), {recursive: true});
  renameSync(temporary, folder);
}

/** The kernel's image, its modules' folder and its release. */
export function kernel(cache) {
  const name = packageName();
  const folder = path.join(cache, name);
  if (!existsSync(folder)) unpack(name, folder);
  const [release] = readdirSync(path.join(folder, 'lib/modules'));
  return {
    release,
    image: path.join(folder, 'boot', `vmlinuz-${release}`),
    modules: path.join(folder, 'lib/modules', release),
  };
}

/** Files of a module and of all that it needs, in the order in which they can be inserted. */
function withDependencies(modules, name) {
  const lines = readFileSync(path.join(modules, 'modules.dep'), 'utf8').split('\n');
  const line = lines.find(each => new RegExp(`/${name}\\.ko[^/]*:`).test(each));
  // Not a module here: built in.
  if (!line) return [];
  const [file, needs] = line.split(':');
  // depmod lists a module's needs with the deepest last.
  return [...needs.trim().split(' ').filter(Boolean).reverse(), file];
}

/** Debian 13 ships its modules compressed, which busybox's insmod does not read. */
function copyModule(from, to) {
  copyFileSync(from, to);
  if (from.endsWith('.xz')) run('xz', ['-d', '-f', to]);
}

/** busybox, the modules in order, and our first script, as an initial RAM disk. */
export function ramDisk(cache, modules) {
  const folder = path.join(cache, 'ram');
  rmSync(folder, {recursive: true, force: true});
  for (const name of ['bin', 'dev', 'modules', 'proc', 'root']) mkdirSync(path.join(folder, name), {recursive: true});
  copyFileSync('/bin/busybox', path.join(folder, 'bin/busybox'));
  copyFileSync(path.join(import.meta.dirname, 'ram-init.sh'), path.join(folder, 'init'));
  chmodSync(path.join(folder, 'init'), 0o755);
  const files = [...new Set(BOOT_MODULES.flatMap(name => withDependencies(modules, name)))];
  for (const [index, file] of files.entries()) {
    copyModule(
      path.join(modules, file),
      path.join(folder, 'modules', `${String(index).padStart(2, '0')}-${path.basename(file)}`),
    );
  }
  const names = readdirSync(folder, {recursive: true}).join('\n');
  const archive = spawnSync('busybox', ['cpio', '-o', '-H', 'newc'], {
    cwd: folder,
    input: `${names}\n`,
    maxBuffer: 64 << 20,
  });
  if (archive.status !== 0) fail(`cpio: ${archive.stderr}`);
  const image = path.join(cache, 'ram.cpio');
  writeFileSync(image, archive.stdout);
  return image;
}
