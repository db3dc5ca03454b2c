/**
 * 20 times for each verb: a container's supervisor and first process are killed, and their numbers, which the records still
 * name, are made those of two strangers. Neither is ever signalled, stopped or entered, whatever is done with the container.
 *
 * Numbers are chosen in a pid namespace of its own (`ns_last_pid`, pid_namespaces(7)). Needs root.
 */
import {spawnSync} from 'node:child_process';
import path from 'node:path';
import {ROOT} from '../lib.mjs';

export const usual = 20;

export async function run(lab, rounds) {
  // A shell is the first process there: it waits for orphans too, so that their numbers become free.
  const inside = `"$0" "$@"; exit $?`;
  const words = [process.execPath, path.join(ROOT, 'scripts/faults/pid-reuse-inside.mjs'), lab.folder, String(rounds)];
  const unshare = ['--pid', '--fork', '--mount-proc', '--kill-child=KILL', 'sh', '-c', inside, ...words];
  const result = spawnSync('unshare', unshare, {encoding: 'utf8', env: lab.environment});
  const said = result.stdout.trim().split('\n').at(-1) ?? '';
  if (!said.startsWith('{')) return {figures: {rounds: 0}, bad: lab.must(false, result.stderr.slice(0, 500))};
  const {figures, complaints} = JSON.parse(said);
  lab.complaints.push(...complaints);
  return {figures, bad: figures['strangers harmed'] + figures['wrong answers']};
}
