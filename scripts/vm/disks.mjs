/** The guest's disks: Debian, kept as long as nothing in it changes; and the product with its tests, new each time. */
import {createHash} from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import {debianTree} from '../debian-tree.mjs';
import {output, ROOT, run} from '../lib.mjs';

/** Raised when the same trees are to be put together differently. */
const FORMATS = {guest: 2, systemd: 3};
const TEST_CACHE = 'var/cache/keelbox-test';

/** mke2fs writes a folder into an image without a loop device or a mount. */
function image(folder, file, megabytes) {
  const temporary = `${file}.partial`;
  rmSync(temporary, {force: true});
  output('mke2fs', ['-q', '-t', 'ext4', '-d', folder, '-E', 'root_owner=0:0', temporary, `${megabytes}M`]);
  renameSync(temporary, file);
}

/** The Debian that the specs use as `--rootfs`, where roots.ts looks for it. */
function putTestTree(folder, tree) {
  const place = path.join(folder, TEST_CACHE, 'debian');
  mkdirSync(place, {recursive: true});
  run('cp', ['-a', tree, place]);
  symlinkSync(path.basename(tree), path.join(place, 'test'));
}

/** systemd runs the suite when it has started everything else. The suite ends the machine, or has it start once more. */
function putUnit(folder) {
  const units = path.join(folder, 'etc/systemd/system');
  const unit = `[Unit]
Description=keelbox's suite
After=basic.target dbus.service
FailureAction=poweroff-force

[Service]
Type=oneshot
ExecStart=/bin/sh /keelbox/guest-suite.sh
Delegate=yes
`;
  writeFileSync(path.join(units, 'keelbox-suite.service'), unit);
  const wants = path.join(units, 'multi-user.target.wants');
  mkdirSync(wants, {recursive: true});
  symlinkSync('../keelbox-suite.service', path.join(wants, 'keelbox-suite.service'));
  symlinkSync('/lib/systemd/system/multi-user.target', path.join(units, 'default.target'));
  const modules = 'overlay\nveth\nbridge\nbr_netfilter\nnf_tables\nfuse\ntun\ndummy\n';
  writeFileSync(path.join(folder, 'etc/modules-load.d/keelbox.conf'), modules);
  for (const unwanted of ['getty@tty1.service', 'serial-getty@ttyS0.service', 'serial-getty@ttyS1.service']) {
    symlinkSync('/dev/null', path.join(units, unwanted));
  }
}

export function rootDisk(cache, {modules, release, tree}) {
  const trees = [tree, 'test'].map(name => debianTree(name, path.join(ROOT, '.cache')));
  const key = createHash('sha256').update(
    JSON.stringify([FORMATS[tree], release, trees.map(each => path.basename(each))]),
  );
  const file = path.join(cache, `root-${tree}-${key.digest('hex').slice(0, 12)}.img`);
  if (existsSync(file)) return file;
  const isOld = each => each.startsWith(`root-${tree}-`) || /^root-[0-9a-f]+\.img$/.test(each);
  for (const name of readdirSync(cache).filter(isOld)) rmSync(path.join(cache, name));
  const folder = path.join(cache, 'root');
  rmSync(folder, {recursive: true, force: true});
  run('cp', ['-a', trees[0], folder]);
  for (const name of ['lib/modules', 'keelbox']) mkdirSync(path.join(folder, name), {recursive: true});
  run('cp', ['-a', modules, path.join(folder, 'lib/modules')]);
  // Installed machines have it; debootstrap leaves it to netbase.
  writeFileSync(path.join(folder, 'etc/hosts'), '127.0.0.1 localhost\n::1 localhost\n');
  putTestTree(folder, trees[1]);
  if (tree === 'systemd') putUnit(folder);
  image(folder, file, 3072);
  rmSync(folder, {recursive: true});
  return file;
}

/** The folders of packages and all that they need, as npm's lock file places them. */
function packageClosure(names) {
  const {packages} = JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8'));
  const found = new Set();
  const visit = (from, dependency) => {
    // Node's own rule: the nearest node_modules upwards.
    const places = from
      .split('/node_modules/')
      .map(
        (_, index, parts) =>
          `${parts.slice(0, parts.length - index).join('/node_modules/')}/node_modules/${dependency}`,
      );
    const place = [...places, `node_modules/${dependency}`].find(each => packages[each]);
    if (!place || found.has(place)) return;
    found.add(place);
    for (const next of Object.keys(packages[place].dependencies ?? {})) visit(place, next);
  };
  for (const name of names) visit('', name);
  return found;
}

function copy(names, folder) {
  for (const name of names) {
    const from = path.join(ROOT, name);
    cpSync(from, path.join(folder, name), {recursive: true, verbatimSymlinks: true});
  }
}

/** What `scripts/test.mjs --prebuilt` needs, Node included. */
export function productDisk(cache, {names, command, packages, lane, scale}) {
  const folder = path.join(cache, 'product');
  rmSync(folder, {recursive: true, force: true});
  mkdirSync(path.join(folder, 'bin'), {recursive: true});
  copyFileSync(process.execPath, path.join(folder, 'bin/node'));
  for (const script of ['guest-init.sh', 'guest-suite.sh']) {
    copyFileSync(path.join(import.meta.dirname, script), path.join(folder, script));
    chmodSync(path.join(folder, script), 0o755);
  }
  copy(['package.json', 'dist', 'scripts', '.cache/test', ...packageClosure(['ava', ...packages])], folder);
  const variables = {
    KEELBOX_LANE: lane,
    KEELBOX_TEST_SCALE: scale,
    KEELBOX_SPECS: names.join(' '),
    KEELBOX_TEST_CACHE: `/${TEST_CACHE}`,
    KEELBOX_TEST_STRICT: process.env.KEELBOX_TEST_STRICT ?? '',
  };
  writeFileSync(
    path.join(folder, 'guest.env'),
    Object.entries(variables)
      .map(([name, value]) => `${name}='${value}'\n`)
      .join(''),
  );
  if (command !== undefined) writeFileSync(path.join(folder, 'command.sh'), `${command}\n`);
  const file = path.join(cache, 'product.img');
  image(folder, file, 512);
  rmSync(folder, {recursive: true});
  return file;
}
