/** Starts QEMU and listens to the guest's second serial line until it powers off or its time is over. */
import {spawn} from 'node:child_process';
import {accessSync, constants} from 'node:fs';
import {createInterface} from 'node:readline';

const KERNEL_LINE = 'console=ttyS0 quiet loglevel=4 cgroup_no_v1=all panic=-1';

const ACCELERATORS = {
  kvm: ['-accel', 'kvm', '-cpu', 'host'],
  // The smallest processor: each newer instruction is one more to emulate.
  tcg: ['-accel', 'tcg,thread=multi,tb-size=512'],
};

function drive(file, index) {
  // snapshot: the image stays as it is, whatever happens; unsafe: nobody will want this data after a crash.
  return [
    '-drive',
    `file=${file},if=none,id=disk${index},format=raw,snapshot=on,cache=unsafe`,
    '-device',
    `virtio-blk-pci,drive=disk${index}`,
  ];
}

function qemuArguments({image, ram, disks, accelerator, console, append, restarts}) {
  return [
    ...ACCELERATORS[accelerator],
    '-m',
    '3072',
    '-smp',
    '2',
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    ...(restarts ? [] : ['-no-reboot']),
    '-nic',
    'none',
    '-serial',
    `file:${console}`,
    '-serial',
    'stdio',
    '-kernel',
    image,
    '-initrd',
    ram,
    '-append',
    `${KERNEL_LINE} ${append}`,
    ...disks.flatMap(drive),
  ];
}

/**
 * Answers, when the guest has ended, in a few words how. A guest that `restarts` does so with what its disks held; any other
 * ends instead.
 */
export async function boot({seconds, onLine, append = '', stderr = 'inherit', ...machine}) {
  // The guest must not outlive us, whatever ends us.
  const words = ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...qemuArguments({...machine, append})];
  const qemu = spawn('setpriv', words, {stdio: ['ignore', 'pipe', stderr]});
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    qemu.kill('SIGKILL');
  }, seconds * 1000);
  const ended = new Promise((resolve, reject) => {
    qemu.on('error', reject);
    qemu.on('close', (code, signal) =>
      resolve(late ? `gave it up after ${seconds} s` : `QEMU ended with ${signal ?? code}`),
    );
  });
  for await (const line of createInterface({input: qemu.stdout})) onLine(line.replaceAll('\r', ''));
  clearTimeout(timer);
  return ended;
}

/** /dev/kvm may open and answer where a guest then hangs, so only a guest that boots counts. */
async function kvmWorks({image, ram}) {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return false;
  }
  let works = false;
  const onLine = line => {
    works ||= line === 'keelbox-probe';
  };
  // QEMU's own words about a /dev/kvm that does not work are no news here.
  const quiet = {console: '/dev/null', stderr: 'ignore', onLine};
  await boot({image, ram, disks: [], accelerator: 'kvm', append: 'keelbox.probe', seconds: 2, ...quiet});
  return works;
}

export async function chooseAccelerator(machine) {
  const told = process.env.KEELBOX_VM_ACCEL;
  if (told) return told;
  return (await kvmWorks(machine)) ? 'kvm' : 'tcg';
}
