/** A bundle for crun and runc that asks for what our default container has, as far as they do it without more tools. */
import {mkdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';

const CAPABILITIES = [
  ...['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP', 'NET_BIND_SERVICE'],
  ...['SYS_CHROOT', 'SETFCAP'],
].map(name => `CAP_${name}`);

const tmpfs = (destination, ...options) => ({destination, type: 'tmpfs', source: 'tmpfs', options});
const MOUNTS = [
  {destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev']},
  tmpfs('/dev', 'nosuid', 'strictatime', 'mode=755', 'size=65536k'),
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  },
  tmpfs('/dev/shm', 'nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'),
  {destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev']},
  {destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro']},
  {destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'noexec', 'nodev', 'ro']},
];

const MASKED = [
  ...['/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/latency_stats'],
  ...['/proc/sched_debug', '/proc/scsi', '/proc/timer_list', '/proc/timer_stats', '/sys/firmware'],
  '/sys/devices/virtual/powercap',
];
const READONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
const NAMESPACES = ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'];

function config(root) {
  const sets = ['bounding', 'effective', 'permitted'].map(set => [set, CAPABILITIES]);
  return {
    ociVersion: '1.0.0',
    process: {
      user: {uid: 0, gid: 0},
      args: ['/bin/true'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      cwd: '/',
      capabilities: Object.fromEntries(sets),
      noNewPrivileges: true,
    },
    root: {path: root, readonly: false},
    hostname: 'bench',
    mounts: MOUNTS,
    linux: {namespaces: NAMESPACES.map(type => ({type})), maskedPaths: MASKED, readonlyPaths: READONLY},
  };
}

export function makeBundle(folder, root) {
  mkdirSync(folder, {recursive: true});
  writeFileSync(path.join(folder, 'config.json'), JSON.stringify(config(root)));
  return folder;
}
