/** Containers that live: made and started without a client, entered, listed, removed; beside podman. */
import {spawnSync} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {hasProgram} from '../lib.mjs';
import {figure} from './figures.mjs';

const DETACHED = 'run -d, by the addon';
const PARALLEL = 'run -d, by the addon, 8 at a time';
const EXEC = 'keelbox exec';
const REMOVE = 'rm -f of a running one, by the addon';
const LIST = 'the list of 100, by the addon';
const PS = 'keelbox ps, 100 of them';
const BARE = 'node -e 0, beside ps';
const PODMAN_DETACHED = 'podman run -d';
const PODMAN_EXEC = 'podman exec';
const PODMAN_REMOVE = 'podman rm -f';
const PODMAN_PS = 'podman ps';
export const LIFE_NAMES = [
  DETACHED,
  PARALLEL,
  EXEC,
  REMOVE,
  LIST,
  PS,
  BARE,
  PODMAN_DETACHED,
  PODMAN_EXEC,
  PODMAN_REMOVE,
  PODMAN_PS,
];

const MANY = 100;
const EIGHT = 8;

function now() {
  return Number(process.hrtime.bigint());
}

function once(argv, env) {
  const begin = now();
  const {status, stdout, stderr} = spawnSync(argv[0], argv.slice(1), {env, encoding: 'utf8', timeout: 60_000});
  if (status !== 0) throw new Error(`${argv.slice(0, 4).join(' ')}: ${stderr.trim().split('\n').at(-1)}`);
  return {time: now() - begin, text: stdout.trim()};
}

/** This process is the Node that the addon is called from. */
function loadAddon(scratch) {
  Object.assign(process.env, {KEELBOX_ROOT: scratch.at('lives'), KEELBOX_RUNROOT: scratch.at('lives-run')});
  const folder = scratch.at('dist/native');
  const file = readdirSync(folder).find(name => name.endsWith('.node'));
  return createRequire(import.meta.url)(`${folder}/${file}`);
}

const request = scratch => ({
  root: {type: 'rootfs', path: scratch.at('tree'), overlay: true},
  command: ['/bin/sleep', '1000'],
});

async function parallel(addon, scratch, samples) {
  const ids = [];
  let left = MANY;
  const begin = now();
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      ids.push((await addon.actLater({verb: 'run', request: request(scratch)})).id);
    }
  };
  await Promise.all(Array.from({length: EIGHT}, worker));
  samples[PARALLEL] = [(now() - begin) / MANY];
  return ids;
}

function memory(ids) {
  return ids.map(id => {
    const {supervisor} = JSON.parse(readFileSync(`${process.env.KEELBOX_RUNROOT}/containers/${id}/state.json`, 'utf8'));
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${supervisor}/smaps_rollup`, 'utf8'))[1]);
  });
}

function timeEach(samples, name, count, act) {
  samples[name] = Array.from({length: count}, (_, index) => {
    const begin = now();
    act(index);
    return now() - begin;
  });
}

async function ours(scratch, samples) {
  const addon = loadAddon(scratch);
  const env = {...scratch.env, KEELBOX_ROOT: process.env.KEELBOX_ROOT, KEELBOX_RUNROOT: process.env.KEELBOX_RUNROOT};
  const first = addon.act({verb: 'run', request: request(scratch)}).id;
  addon.remove(first, {force: true});
  const ids = [];
  timeEach(samples, DETACHED, MANY, () => ids.push(addon.act({verb: 'run', request: request(scratch)}).id));
  timeEach(samples, LIST, 20, () => addon.list({all: true}));
  samples[BARE] = Array.from({length: 10}, () => once(['node', '-e', '0'], env).time);
  samples[PS] = Array.from({length: 10}, () => once([scratch.at('dist/cli.cjs'), 'ps'], env).time);
  samples[EXEC] = Array.from({length: 10}, () =>
    once([scratch.at('dist/cli.cjs'), 'exec', ids[0], '/bin/true'], env),
  ).map(({time}) => time);
  // Each has let go of what its start took by now.
  const pss = memory(ids);
  timeEach(samples, REMOVE, MANY, index => addon.remove(ids[index], {force: true}));
  for (const id of await parallel(addon, scratch, samples)) addon.remove(id, {force: true});
  return pss;
}

function podman(scratch, samples, count) {
  const store = ['--root', scratch.at('podman-lives'), '--runroot', scratch.at('podman-lives-run')];
  const call = (...words) =>
    once(['podman', ...store, '--cgroup-manager=cgroupfs', '--runtime=runc', ...words], scratch.env);
  const limits = ['--ulimit=nofile=1024:1024', '--ulimit=nproc=4096:4096', '--network=none'];
  const make = () => call('run', '-d', ...limits, '--rootfs', `${scratch.at('tree')}:O`, '/bin/sleep', '1000');
  // Its containers outlive it in mounts that everybody sees.
  const letGo = () => spawnSync('umount', ['-l', scratch.at('podman-lives/overlay')], {stdio: 'ignore'});
  try {
    podmanRounds(call, make, samples, count);
  } finally {
    spawnSync('podman', [...store, '--runtime=runc', 'rm', '-fa', '-t', '0'], {stdio: 'ignore', env: scratch.env});
    letGo();
  }
}

function podmanRounds(call, make, samples, count) {
  call('rm', '-f', make().text);
  const made = Array.from({length: count}, make);
  samples[PODMAN_DETACHED] = made.map(({time}) => time);
  samples[PODMAN_PS] = Array.from({length: count}, () => call('ps').time);
  samples[PODMAN_EXEC] = Array.from({length: count}, () => call('exec', made[0].text, '/bin/true').time);
  samples[PODMAN_REMOVE] = made.map(({text}) => call('rm', '-f', '-t', '0', text).time);
}

/** `{figures, pss, failed, leftOut}` */
export async function measureLives(scratch, {quick}) {
  const samples = {};
  const failed = {};
  const leftOut = [];
  let pss = [];
  try {
    pss = await ours(scratch, samples);
  } catch (error) {
    failed['containers that live'] = error.message;
  }
  if (!hasProgram('podman')) leftOut.push({name: PODMAN_DETACHED, why: 'podman is not installed'});
  else {
    try {
      podman(scratch, samples, quick ? 3 : 10);
    } catch (error) {
      leftOut.push({name: PODMAN_DETACHED, why: error.message});
    }
  }
  const figures = Object.fromEntries(Object.entries(samples).map(([name, times]) => [name, figure(times)]));
  return {figures, pss, failed, leftOut};
}

/** Goals of performance.md, rows 7 to 11 and 15. */
export function judgeLives({figures, pss}) {
  const [detached, many, exec, remove, listed, ps, bare, ...peers] = LIFE_NAMES.map(name => figures[name]);
  const [podmanDetached, podmanExec, podmanRemove] = peers;
  const goal = (what, value, limit, unit) => ({what, value, limit, unit, met: value <= limit});
  const mean = pss.length > 0 ? pss.reduce((sum, each) => sum + each, 0) / pss.length : undefined;
  const counted = [
    ...(mean === undefined ? [] : [goal(`PSS of a supervisor, mean of ${pss.length}`, mean, 150, 'kB')]),
    ...(detached && podmanDetached ? [goal(`${DETACHED} / podman`, detached.min / podmanDetached.min, 0.05, 'x')] : []),
    ...(exec && podmanExec ? [goal('keelbox exec / podman exec', exec.min / podmanExec.min, 0.67, 'x')] : []),
    ...(remove && podmanRemove ? [goal('rm -f / podman rm -f', remove.min / podmanRemove.min, 0.1, 'x')] : []),
  ];
  const timed = [
    ...(detached ? [goal(DETACHED, detached.median, 5, 'ms')] : []),
    ...(many ? [goal(PARALLEL, many.min, 3, 'ms')] : []),
    ...(remove ? [goal(REMOVE, remove.median, 3, 'ms')] : []),
    ...(listed ? [goal(LIST, listed.median, 3, 'ms')] : []),
    ...(ps && bare ? [goal('keelbox ps, 100 of them, beyond a bare node', ps.min - bare.min, 8, 'ms')] : []),
    ...(exec && bare ? [goal('keelbox exec, beyond a bare node', exec.min - bare.min, 8, 'ms')] : []),
  ];
  return {counted, timed};
}
