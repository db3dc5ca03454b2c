#!/usr/bin/env node
/**
 * `npm run test:vm`: the specs of the guest lane in a QEMU guest with a kernel that we did not choose and cgroup v2 only.
 *
 *   node scripts/vm/run.mjs [SPEC...]
 *   node scripts/vm/run.mjs --lane apparmor     the specs of that lane
 *   node scripts/vm/run.mjs --exec COMMAND      a shell command in the guest, instead of the specs
 *
 * KEELBOX_VM_ACCEL    kvm or tcg; without it KVM where a probe boots within two seconds
 * KEELBOX_VM_TIMEOUT  seconds until the guest is given up; default 3600
 *
 * It needs root (debootstrap), and prints what `npm test` prints in the guest, closing line included. A guest that does
 * not come to its end is a failure. What is slow to make is kept in `.cache/vm`.
 */
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {parseArgs} from 'node:util';
import {fail, hasProgram, ROOT} from '../lib.mjs';
import {bundleSpecs} from '../test/bundle.mjs';
import {freshProduct} from '../test/fresh.mjs';
import {boot, chooseAccelerator} from './boot.mjs';
import {productDisk, rootDisk} from './disks.mjs';
import {kernel, ramDisk} from './kernel.mjs';

const CACHE = path.join(ROOT, '.cache/vm');
/** What the kernel's command line has besides the usual for each lane. */
const LANES = {
  guest: '',
  apparmor: 'lsm=landlock,lockdown,yama,apparmor,bpf apparmor=1',
  systemd: 'keelbox.systemd systemd.show_status=0 systemd.journald.forward_to_console=0',
};
/** How much slower than this machine the guest is, roughly. */
const SCALES = {kvm: 2, tcg: 20};
const DONE = /^keelbox-guest: done (\d+)$/;
const CLOSING = /^(\d+) passed, (\d+) failed, (\d+) skipped$/;

function checkMachine() {
  if (process.getuid() !== 0) fail('the guest lane needs root: debootstrap makes its disk');
  if (process.arch !== 'x64') fail('the guest lane knows x86_64 only');
  const missing = ['qemu-system-x86_64', 'debootstrap', 'busybox', 'dpkg-deb', 'apt-get'].filter(
    name => !hasProgram(name),
  );
  if (missing.length > 0) fail(`the guest lane needs ${missing.join(', ')}`);
}

/** Prints what the guest says as it comes, but keeps its closing line for the end: the sum, when it has started twice. */
class Listener {
  #counts;
  status;

  get closing() {
    const [passed, failed, skipped] = this.#counts ?? [];
    return this.#counts && `${passed} passed, ${failed} failed, ${skipped} skipped`;
  }

  line(line) {
    const done = DONE.exec(line);
    const counts = CLOSING.exec(line)?.slice(1).map(Number);
    if (done) this.status = Number(done[1]);
    else if (counts) this.#counts = counts.map((count, index) => count + (this.#counts?.[index] ?? 0));
    else process.stdout.write(`${line}\n`);
  }
}

function consoleTail(file) {
  const lines = readFileSync(file, 'utf8').replaceAll('\r', '').trimEnd().split('\n');
  return lines
    .slice(-40)
    .map(line => `console: ${line}\n`)
    .join('');
}

async function main() {
  const {
    values: {exec: command, lane},
    positionals: names,
  } = parseArgs({
    allowPositionals: true,
    options: {exec: {type: 'string'}, lane: {type: 'string', default: 'guest'}},
  });
  if (!Object.hasOwn(LANES, lane)) fail(`the guest has no lane ${lane}; it has ${Object.keys(LANES).join(', ')}`);
  checkMachine();
  mkdirSync(CACHE, {recursive: true});
  await freshProduct();
  const specs = (await bundleSpecs()).filter(({lanes}) => lanes.includes(lane));
  const {image, modules, release} = kernel(CACHE);
  const ram = ramDisk(CACHE, modules);
  const accelerator = await chooseAccelerator({image, ram});
  const disks = [
    rootDisk(CACHE, {modules, release, tree: lane === 'systemd' ? 'systemd' : 'guest'}),
    productDisk(CACHE, {
      names,
      command,
      packages: specs.flatMap(({packages}) => packages),
      lane,
      scale: SCALES[accelerator],
    }),
  ];
  const console = path.join(CACHE, 'console.log');
  writeFileSync(console, '');
  const listener = new Listener();
  const started = performance.now();
  const ended = await boot({
    image,
    ram,
    disks,
    accelerator,
    append: LANES[lane],
    restarts: lane === 'systemd',
    console,
    seconds: Number(process.env.KEELBOX_VM_TIMEOUT ?? 3600),
    onLine: line => listener.line(line),
  });
  process.stdout.write(`the guest ran for ${((performance.now() - started) / 1000).toFixed(0)} s (${accelerator})\n`);
  const isComplete = listener.status !== undefined && (command !== undefined || listener.closing !== undefined);
  if (!isComplete) {
    process.stdout.write(consoleTail(console));
    fail(`the guest did not finish: ${ended}`);
  }
  if (listener.closing !== undefined) process.stdout.write(`${listener.closing}\n`);
  process.exitCode = listener.status;
}

await main();
