/** 10,000 calls of the addon with wrong values, from Node and from workers that end in the middle: Node lives, no fd is lost. */
import {spawnSync} from 'node:child_process';
import path from 'node:path';
import {ROOT} from '../lib.mjs';

export const usual = 10_000;

export async function run(lab, rounds) {
  const script = path.join(ROOT, 'scripts/faults/addon-calls.mjs');
  const result = spawnSync(process.execPath, [script, String(rounds), lab.dist], {
    encoding: 'utf8',
    ...lab.options,
    timeout: 600_000,
  });
  const said = result.stdout.trim().split('\n').at(-1) ?? '';
  const figures = said.startsWith('{') ? JSON.parse(said) : {calls: 0};
  const died = result.status === 0 ? 0 : 1;
  lab.must(died === 0, `Node: ${result.status ?? result.signal} ${result.stderr.slice(0, 300)}`);
  return {figures: {...figures, 'Node died': died}, bad: died + (figures['fds lost'] ?? 1)};
}
