/** Images: how long a layer takes from an archive to a directory, beside podman, and what it takes of memory; listing many. */
import {spawnSync} from 'node:child_process';
import {rmSync} from 'node:fs';
import path from 'node:path';
import {hasProgram} from '../lib.mjs';
import {figure} from './figures.mjs';
import {largeArchive, manyArchive} from './layer.mjs';

const LOAD = 'keelbox load';
const PODMAN_LOAD = 'podman load';
const IMAGES = 'keelbox images, 100 of them';
const BARE = 'node -e 0, beside images';
export const IMAGE_NAMES = [LOAD, PODMAN_LOAD, IMAGES, BARE];

const FULL = 204e6;
const MANY = 100;
const PEAK = path.join(import.meta.dirname, 'peak.py');

/** Nanoseconds from start to exit; what a failed one says goes to the answer's `why`. */
function once({argv, env, fresh = []}) {
  for (const folder of fresh) rmSync(folder, {recursive: true, force: true});
  const begin = process.hrtime.bigint();
  const {status, stderr, error} = spawnSync(argv[0], argv.slice(1), {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    // One that hangs is a failure, and not the bench's end.
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  const time = Number(process.hrtime.bigint() - begin);
  return status === 0 ? {time} : {why: `${error ?? stderr}`.trim().split('\n').at(-1)};
}

function keelbox(scratch, words, store) {
  const env = {...scratch.env, KEELBOX_ROOT: scratch.at(store)};
  return {argv: [scratch.at('dist/cli.cjs'), ...words], env};
}

/** Its storage also on the bench's file system; its mounts in a namespace that ends with it. */
function podmanLoad(scratch, file, driver) {
  const [root, run] = [scratch.at('podman-images'), scratch.at('podman-images-run')];
  const store = ['--root', root, '--runroot', run, '--storage-driver', driver, '--cgroup-manager=cgroupfs'];
  const argv = ['unshare', '--mount', 'podman', ...store, 'load', '--quiet', '--input', file];
  return {name: PODMAN_LOAD, argv, env: scratch.env, fresh: [root, run]};
}

/** `{scenario}` or `{why}`: with overlayfs if it can, or else with plain directories. */
function workingPodman(scratch, file) {
  if (!hasProgram('podman')) return {why: 'podman is not installed'};
  const tried = ['overlay', 'vfs'].map(driver => {
    const scenario = podmanLoad(scratch, file, driver);
    return {scenario, why: once(scenario).why};
  });
  return tried.find(({why}) => why === undefined) ?? {why: tried[0].why};
}

/** In turn; each once beforehand, to warm up. */
function interleave(scenarios, runs) {
  const times = Object.fromEntries(scenarios.map(({name}) => [name, []]));
  const failed = {};
  for (let turn = -1; turn < runs; turn += 1) {
    for (const scenario of scenarios.filter(({name}) => failed[name] === undefined)) {
      const {time, why} = once(scenario);
      if (why !== undefined) failed[scenario.name] = why;
      else if (turn >= 0) times[scenario.name].push(time);
    }
  }
  const measured = scenarios.filter(({name}) => failed[name] === undefined);
  return {figures: Object.fromEntries(measured.map(({name}) => [name, figure(times[name])])), failed};
}

/** kB that a load takes beyond what a Node without work has: `{more}` or `{why}`. */
function peakOf(scenario) {
  for (const folder of scenario.fresh) rmSync(folder, {recursive: true, force: true});
  const peak = argv => spawnSync('python3', [PEAK, ...argv], {env: scenario.env, encoding: 'utf8', timeout: 60_000});
  const [loaded, bare] = [peak(scenario.argv), peak(['node', '-e', '0'])];
  const bad = [loaded, bare].find(({status}) => status !== 0);
  if (bad) return {why: `${bad.error ?? bad.stderr}`.trim().split('\n').at(-1)};
  return {more: Number(loaded.stdout) - Number(bare.stdout)};
}

function listing(scratch, runs) {
  const filled = once(keelbox(scratch, ['load', '--quiet', '--input', manyArchive(scratch, MANY)], 'many-images'));
  if (filled.why !== undefined) return {figures: {}, failed: {[IMAGES]: filled.why}};
  const ours = {name: IMAGES, ...keelbox(scratch, ['images'], 'many-images')};
  return interleave([{name: BARE, argv: ['node', '-e', '0'], env: scratch.env}, ours], runs);
}

/** `{archive, isFull, figures, peak, failed, leftOut}`; a quick one takes a smaller layer. */
export function measureImages(scratch, {quick, runs}) {
  const archive = largeArchive(scratch, quick ? FULL / 4 : FULL);
  const load = {
    name: LOAD,
    ...keelbox(scratch, ['load', '--quiet', '--input', archive.file], 'large-images'),
    fresh: [scratch.at('large-images')],
  };
  const podman = workingPodman(scratch, archive.file);
  const loads = interleave(podman.scenario ? [load, podman.scenario] : [load], quick ? 2 : 7);
  const peak = peakOf(load);
  const list = listing(scratch, runs);
  return {
    archive,
    isFull: !quick,
    figures: {...loads.figures, ...list.figures},
    peak: peak.more,
    failed: {...loads.failed, ...list.failed, ...(peak.why !== undefined && {'memory of a load': peak.why})},
    leftOut: podman.why === undefined ? [] : [{name: PODMAN_LOAD, why: podman.why}],
  };
}
