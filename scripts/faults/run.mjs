#!/usr/bin/env node
/**
 * `npm run faults`: what goes wrong on real machines, done on purpose, many times; prints a line of figures for each.
 *
 *   node scripts/faults/run.mjs [NAME...] [--rounds N] [--as USER]
 *
 * Names: kill-run, kill-part, kill-storm, pid-reuse, records, full-disk, storm, addon, syscalls. All of them without one. `--rounds` is
 * how often each does what it does; without it, as often as the first line of each file says. `--as` runs the commands as
 * another user. Everything happens in a state folder and below a control group of its own, with a copy of the product as it
 * is built now. Needs a build (`npm install`), and root for full-disk, pid-reuse and for `--as`.
 */
import {parseArgs} from 'node:util';
import {fail} from '../lib.mjs';
import {Lab} from './lab.mjs';

const FAULTS = {
  'kill-run': () => import('./kill-run.mjs'),
  'kill-part': () => import('./kill-part.mjs'),
  'kill-storm': () => import('./kill-storm.mjs'),
  'pid-reuse': () => import('./pid-reuse.mjs'),
  records: () => import('./records.mjs'),
  'full-disk': () => import('./full-disk.mjs'),
  storm: () => import('./storm.mjs'),
  addon: () => import('./addon.mjs'),
  syscalls: () => import('./syscalls.mjs'),
};

const {
  values: {rounds, as: user},
  positionals,
} = parseArgs({allowPositionals: true, options: {rounds: {type: 'string'}, as: {type: 'string'}}});
const names = positionals.length > 0 ? positionals : Object.keys(FAULTS);
const unknown = names.find(name => !Object.hasOwn(FAULTS, name));
if (unknown !== undefined) fail(`no such fault: ${unknown}; there are ${Object.keys(FAULTS).join(', ')}`);

let failures = 0;
for (const name of names) {
  const lab = new Lab(name, user);
  try {
    const {usual, run} = await FAULTS[name]();
    const {figures, bad} = await run(lab, rounds === undefined ? usual : Number(rounds));
    const left = await lab.leftovers();
    const isBad = bad > 0 || left.length > 0;
    failures += isBad ? 1 : 0;
    const counts = Object.entries(figures).map(([what, count]) => `${what} ${count}`);
    console.log(
      `${isBad ? 'FAIL' : 'ok  '} ${name}${user === undefined ? '' : ` as ${user}`}: ${counts.join(', ')}, left behind ${left.length}`,
    );
    for (const line of [...lab.complaints, ...left].slice(0, 60)) console.log(`       ${line}`);
  } finally {
    lab.close();
  }
}
process.exitCode = failures > 0 ? 1 : 0;
