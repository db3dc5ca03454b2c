#!/usr/bin/env node
/**
 * `npm run bench`: how long keelbox takes from start to exit, beside what else can do it, interleaved (A B A B ...), on one
 * root. Ratios can be compared between machines, milliseconds cannot; counts of system calls are the same everywhere.
 *
 *   node scripts/bench/run.mjs [--quick] [--runs N] [--pause] [--only TEXT]... [--disk DIR] [--dist DIR] [--json FILE]
 *                              [--check] [--strict]
 *
 * --quick     few runs, as a smoke test
 * --pause     also with 100 ms between starts: what the kernel keeps warm for a loop is cold then
 * --only      scenarios whose name has TEXT, and those that they are compared with
 * --disk DIR  keep state below DIR instead of on a tmpfs
 * --dist DIR  another build than this checkout's
 * --check     fail (1) when a goal that is counted is missed; --strict: or one that is timed
 */
import {spawnSync} from 'node:child_process';
import {writeFileSync} from 'node:fs';
import {cpus, loadavg, release} from 'node:os';
import path from 'node:path';
import {parseArgs} from 'node:util';
import {fail, hasProgram, ROOT} from '../lib.mjs';
import {figure, judgeCounts, judgeImages, judgeTimes} from './figures.mjs';
import {IMAGE_NAMES, measureImages} from './images.mjs';
import {judgeLives, LIFE_NAMES, measureLives} from './lives.mjs';
import {countsTable, goalsTable, timesTable} from './report.mjs';
import {measure, trace} from './runner.mjs';
import {gather} from './scenarios.mjs';
import {makeScratch} from './scratch.mjs';

const PAUSE = 100;

function readOptions() {
  const flag = {type: 'boolean', default: false};
  const text = {type: 'string'};
  const {values} = parseArgs({
    options: {
      quick: flag,
      pause: flag,
      check: flag,
      strict: flag,
      runs: text,
      disk: text,
      dist: {...text, default: path.join(ROOT, 'dist')},
      json: text,
      only: {...text, multiple: true, default: []},
    },
  });
  const runs = Number(values.runs ?? (values.quick ? 5 : 100));
  if (!Number.isInteger(runs) || runs < 1) fail('bench: --runs takes a number from 1', 2);
  return {...values, runs};
}

/** A ratio needs both its sides. */
function select(scenarios, only) {
  if (only.length === 0) return scenarios;
  const chosen = scenarios.filter(({name}) => only.some(text => name.includes(text)));
  const peers = new Set(chosen.map(({peer}) => peer));
  return scenarios.filter(each => chosen.includes(each) || peers.has(each.name));
}

/** They are a part of their own: each needs a store of its own, made anew. */
/** A quick run leaves them out unless they are named: what a load takes is judged beside podman, which takes its time. */
function wantsImages({only, quick}) {
  return only.length === 0 ? !quick : only.some(text => IMAGE_NAMES.some(name => name.includes(text)));
}

const NO_IMAGES = {figures: {}, counted: [], timed: [], hasFailed: false};

function say(text) {
  process.stdout.write(text);
}

function header({runs}) {
  const load = loadavg().map(each => each.toFixed(1));
  const busy =
    loadavg()[0] > 1 ? 'bench: other work is running here; of the times, only the minima mean something\n' : '';
  return `Linux ${release()}, ${cpus().length} CPUs, Node ${process.version}, load ${load.join(' ')}, ${runs} runs\n${busy}`;
}

function timed(scratch, scenarios, runs, pause) {
  const samples = measure(scratch, scenarios, {runs, pause});
  const figures = Object.fromEntries(Object.entries(samples).map(([name, times]) => [name, figure(times)]));
  const goals = judgeTimes(figures, pause);
  say(`\nStart to exit of /bin/true, ms${pause ? `, ${pause} ms between starts` : ''}\n`);
  say(timesTable(scenarios, figures));
  if (goals.length > 0) say(`\nGoals (min / median)\n${goalsTable(goals)}`);
  return {pause, figures, goals};
}

function supervisorMemory(scratch) {
  const words = [path.join(import.meta.dirname, 'library.mjs'), scratch.at('tree'), scratch.at('dist'), 'memory'];
  const {status, stdout, stderr} = spawnSync('node', words, {env: scratch.env, encoding: 'utf8', timeout: 60_000});
  if (status === 0) return JSON.parse(stdout);
  say(`memory: left out (${stderr.trim().split('\n').at(-1)})\n`);
  return undefined;
}

function counted(scratch, scenarios) {
  const traced = hasProgram('strace');
  if (!traced) say('\ncounts: left out (strace is not installed)\n');
  const counts = traced ? trace(scratch, scenarios) : {};
  const pss = supervisorMemory(scratch);
  const goals = judgeCounts(counts, pss);
  if (traced) say(`\nSystem calls, the command's own included\n${countsTable(counts)}`);
  if (goals.length > 0) say(`\nGoals\n${goalsTable(goals)}`);
  return {counts, pss, goals};
}

/** Prints what a part has measured, below its heading. */
function shown({figures, leftOut, failed}, {counted, timed}) {
  for (const {name, why} of leftOut) say(`${name}: left out (${why})\n`);
  for (const [name, why] of Object.entries(failed)) say(`${name}: failed (${why})\n`);
  say(
    timesTable(
      Object.keys(figures).map(name => ({name})),
      figures,
    ),
  );
  say(`\nGoals\n${goalsTable([...counted, ...timed])}`);
  return {figures, counted, timed, hasFailed: Object.keys(failed).length > 0};
}

function images(scratch, options) {
  const measured = measureImages(scratch, options);
  const {archive} = measured;
  const {counted, timed} = judgeImages(measured, IMAGE_NAMES);
  const size = [archive.tarBytes, archive.gzipBytes].map(bytes => `${Math.round(bytes / 1e6)} MB`);
  say(`\nImages; a layer of ${size[0]}, ${size[1]} with gzip, ms\n`);
  return shown(measured, {counted, timed});
}

/** They also have a store of their own. */
function wantsLives({only, quick}) {
  return only.length === 0 ? !quick : only.some(text => LIFE_NAMES.some(name => name.includes(text)));
}

async function lives(scratch, options) {
  const measured = await measureLives(scratch, options);
  const {counted, timed} = judgeLives(measured);
  say('\nContainers that live, ms\n');
  return shown(measured, {counted, timed});
}

async function main() {
  const options = readOptions();
  if (process.getuid() !== 0) fail('bench: needs root: the peers do, and so do their own mounts', 125);
  // A reader that has seen enough (`| head`) is no failure.
  process.stdout.on('error', () => process.exit());
  const scratch = makeScratch(options.dist, options.disk);
  const {scenarios, leftOut} = gather(scratch);
  say(header(options));
  for (const {name, why} of leftOut) say(`${name}: left out (${why})\n`);
  const chosen = select(scenarios, options.only);
  const rounds = [0, ...(options.pause ? [PAUSE] : [])].map(pause => timed(scratch, chosen, options.runs, pause));
  const counting = counted(scratch, chosen);
  const loading = wantsImages(options) ? images(scratch, options) : NO_IMAGES;
  const living = wantsLives(options) ? await lives(scratch, options) : NO_IMAGES;
  const all = {leftOut, rounds, ...counting, images: loading, lives: living};
  if (options.json) writeFileSync(options.json, `${JSON.stringify(all, undefined, 2)}\n`);
  const timedGoals = [...rounds.flatMap(({goals}) => goals), ...loading.timed, ...living.timed];
  const judged = [...counting.goals, ...loading.counted, ...living.counted, ...(options.strict ? timedGoals : [])];
  if ((options.check || options.strict) && (loading.hasFailed || living.hasFailed || judged.some(({met}) => !met)))
    process.exitCode = 1;
}

await main();
