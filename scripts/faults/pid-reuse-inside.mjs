/** In a pid namespace of its own: gives the numbers of dead containers to strangers; prints what came of it as JSON. */
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

const [, , folder, rounds] = process.argv;
const cli = path.join(folder, 'dist/cli.cjs');
const complaints = [];
const figures = {rounds: 0, 'numbers used again': 0, 'not used again': 0, 'strangers harmed': 0, 'wrong answers': 0};

/** What is done with the dead container, and whether that can succeed. */
const VERBS = [
  [['kill', 'c'], false],
  [['stop', 'c'], true],
  [['stop', '-t', '0', 'c'], true],
  [['rm', '-f', 'c'], true],
  [['restart', '-t', '0', 'c'], true],
  [['start', 'c'], true],
  [['pause', 'c'], false],
  [['unpause', 'c'], false],
  [['exec', 'c', 'true'], false],
  [['top', 'c'], false],
  [['attach', 'c'], false],
  [['wait', 'c'], true],
  [['ps'], true],
  [['run', '--rm', '--pid', 'container:c', 'host', 'true'], false],
  [['cp', 'c:/etc/hostname', '-'], undefined],
  [['container', 'prune', '-f'], true],
];

function keelbox(...args) {
  const {status, stdout, stderr} = spawnSync(process.execPath, ['--', cli, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return {code: status, stdout, stderr};
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

const isThere = pid => read(`/proc/${pid}/stat`) !== '';

/** Kills both, and waits until their numbers are free. */
async function end(...pids) {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // The end of the one is the end of the other.
    }
  }
  while (pids.some(isThere)) await sleep(1);
}

/** A process with that number; undefined: another was quicker. A shell's fork is the next one of the namespace. */
function stranger(pid) {
  const script = `exec 3>/proc/sys/kernel/ns_last_pid; printf ${pid - 1} >&3; sleep 100000 >/dev/null 2>&1 & echo $!`;
  const made = Number(spawnSync('sh', ['-c', script], {encoding: 'utf8'}).stdout);
  if (made === pid) return pid;
  process.kill(made, 'SIGKILL');
  return undefined;
}

/** Alive, neither stopped nor frozen, and where it was. */
function isUnharmed(pid) {
  return read(`/proc/${pid}/cmdline`).startsWith('sleep\0') && /^State:\s+S/m.test(read(`/proc/${pid}/status`));
}

async function round(verb, works) {
  keelbox('run', '-d', '--name', 'c', 'host', 'sleep', '1000');
  const id = keelbox('inspect', '-f', '{{.Id}}', 'c').stdout.trim();
  const {pid, supervisor} = JSON.parse(read(path.join(folder, 'run/containers', id, 'state.json')));
  await end(supervisor, pid);
  const strangers = [pid, supervisor].map(number => {
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const made = isThere(number) ? undefined : stranger(number);
      if (made !== undefined) return made;
    }
    return undefined;
  });
  const made = strangers.filter(Boolean);
  figures.rounds += 1;
  figures['numbers used again'] += made.length;
  figures['not used again'] += 2 - made.length;
  const {code, stderr} = keelbox(...verb);
  const isExpected = works === undefined || (code === 0) === works;
  if (!isExpected) complaints.push(`${verb.join(' ')}: ${code} ${stderr.split('\n')[0]}`);
  figures['wrong answers'] += isExpected ? 0 : 1;
  const harmed = made.filter(number => !isUnharmed(number));
  for (const number of harmed) complaints.push(`${verb.join(' ')}: harmed ${number === pid ? 'init' : 'supervisor'}`);
  figures['strangers harmed'] += harmed.length;
  keelbox('rm', '-f', 'c');
  for (const number of made) if (!isUnharmed(number) && !harmed.includes(number)) figures['strangers harmed'] += 1;
  await end(...made);
}

for (let count = 0; count < Number(rounds); count += 1) for (const [verb, works] of VERBS) await round(verb, works);
console.log(JSON.stringify({figures, complaints}));
