/** The bench's own directory: state on a tmpfs, a root of static files, an overlay's directories. All of it goes at the end. */
import {cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {fail} from '../lib.mjs';

/** ext4 without a journal makes each create slow after a removal (performance.md, trap 2), so the default is a tmpfs. */
const TMPFS = '/dev/shm';
const APPLETS = ['true', 'sleep', 'sh'];

/** A static program needs no library in the root, and what it costs itself is the same small thing for all. */
function staticBusybox() {
  const found = ['/bin/busybox', '/usr/bin/busybox'].find(existsSync);
  const isStatic = found && !readFileSync(found).subarray(0, 4096).includes('/ld-');
  return isStatic ? found : fail('bench: a static busybox is needed (Debian: apt-get install busybox-static)', 125);
}

function makeTree(tree) {
  for (const name of ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp']) mkdirSync(path.join(tree, name), {recursive: true});
  cpSync(staticBusybox(), path.join(tree, 'bin/busybox'));
  for (const applet of APPLETS) symlinkSync('busybox', path.join(tree, 'bin', applet));
  writeFileSync(path.join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(path.join(tree, 'etc/group'), 'root:x:0:\n');
}

/** Started commands get this and nothing else; above all no NODE_EXTRA_CA_CERTS (trap 1: 30 ms of Node 20). */
function environment(folder) {
  const {PATH, HOME = '/root'} = process.env;
  return {
    PATH,
    HOME,
    KEELBOX_ROOT: path.join(folder, 'root'),
    KEELBOX_RUNROOT: path.join(folder, 'run'),
  };
}

/** Makes everything below `parent`, and removes it when this process ends, however it does. */
export function makeScratch(dist, parent = TMPFS) {
  const folder = mkdtempSync(path.join(parent, 'keelbox-bench-'));
  // All mounts were in the runner's own namespaces and are gone with it, so that this cannot reach into one.
  process.on('exit', () => rmSync(folder, {recursive: true, force: true}));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));
  const at = name => path.join(folder, name);
  // A copy, so that a build meanwhile does not change what is measured.
  cpSync(dist, at('dist'), {recursive: true});
  makeTree(at('tree'));
  for (const name of ['merged', 'upper', 'work', 'traces', 'messages']) mkdirSync(at(name));
  return {
    at,
    env: environment(folder),
    overlay: {target: at('merged'), options: `lowerdir=${at('tree')},upperdir=${at('upper')},workdir=${at('work')}`},
  };
}
