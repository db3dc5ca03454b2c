/** Hands a job to runner.py and reads its answer. */
import {spawnSync} from 'node:child_process';
import {readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {fail} from '../lib.mjs';
import {parseTrace} from './traces.mjs';

const RUNNER = path.join(import.meta.dirname, 'runner.py');

/** A version manager's `python3` is a shell script of 50 ms; no matter here, it is started once. */
function runJob(scratch, job) {
  const [file, log] = [scratch.at('job.json'), scratch.at('log')];
  writeFileSync(file, JSON.stringify({overlay: scratch.overlay, log, pause: 0, ...job}));
  const {status, stdout, error} = spawnSync('python3', [RUNNER, file], {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (error) fail(`bench: cannot run python3: ${error.message}`, 125);
  if (status !== 0) fail('bench: the runner failed', 125);
  return JSON.parse(stdout);
}

/** What failed is told at once, with the last words of whatever went to stderr; the rest goes on. */
function complain(scratch, answer) {
  const failed = Object.keys(answer).filter(name => answer[name] === null);
  if (failed.length === 0) return;
  const words = readFileSync(scratch.at('log'), 'utf8').trim().split('\n').slice(-5);
  process.stderr.write(`bench: failed: ${failed.join(', ')}\n${words.map(line => `  ${line}\n`).join('')}`);
}

/** Name to nanoseconds, in the order of measuring. */
export function measure(scratch, scenarios, {runs, pause}) {
  const answer = runJob(scratch, {scenarios, runs, pause});
  complain(scratch, answer);
  return Object.fromEntries(Object.entries(answer).filter(([, times]) => times));
}

/** Name to system calls (see `parseTrace`). */
export function trace(scratch, scenarios) {
  const answer = runJob(scratch, {scenarios, runs: 1, traces: scratch.at('traces')});
  complain(scratch, answer);
  const files = Object.entries(answer).filter(([, file]) => file);
  return Object.fromEntries(files.map(([name, file]) => [name, parseTrace(readFileSync(file, 'utf8'))]));
}
