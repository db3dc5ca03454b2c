/**
 * The memory of a command and of what it starts: prints the sum of their peaks (VmHWM) in kB.
 *
 *   node peak.mjs COMMAND [ARGUMENT...]
 *
 * A peak never sinks, so what is read last before a process ends is right but for its last millisecond.
 */
import {spawn} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';

const [command, ...words] = process.argv.slice(2);
const child = spawn(command, words, {stdio: ['ignore', 'ignore', 'inherit']});
const peaks = new Map();

function look(id) {
  try {
    const peak = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'));
    // A zombie has none.
    if (peak) peaks.set(id, Math.max(Number(peak[1]), peaks.get(id) ?? 0));
    for (const task of readdirSync(`/proc/${id}/task`))
      for (const below of readFileSync(`/proc/${id}/task/${task}/children`, 'utf8').split(' ').filter(Boolean))
        look(Number(below));
  } catch {
    // It has ended meanwhile.
  }
}

const timer = setInterval(() => look(child.pid), 1);
child.on('exit', code => {
  clearInterval(timer);
  const sum = [...peaks.values()].reduce((total, each) => total + each, 0);
  process.stdout.write(`${sum}\n`);
  process.exitCode = code ?? 1;
});
