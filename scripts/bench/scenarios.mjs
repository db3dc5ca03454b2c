/** What is measured: who, started how, and whom it is compared with. */
import {spawnSync} from 'node:child_process';
import path from 'node:path';
import {hasProgram} from '../lib.mjs';
import {makeBundle} from './bundle.mjs';
import {recorded} from './record.mjs';

export const OWN = 'keelbox-runtime, no userns';
export const OWN_USERNS = 'keelbox-runtime';
export const NODE = 'node -e 0';
export const RUN = 'keelbox run --rm';
export const LIBRARY = 'library run(), Node of 200 MB';
export const CRUN = 'crun run';
export const PODMAN = 'podman run --rm';

const LIBRARY_SERVER = path.join(import.meta.dirname, 'library.mjs');

function program(name, argv, rest = {}) {
  return {name, kind: 'program', argv, ...rest};
}

/** With runc, since its crun refuses hybrid cgroups; with limits that a root without CAP_SYS_RESOURCE may set. */
function podman(scratch) {
  const store = ['--root', scratch.at('podman'), '--runroot', scratch.at('podman-run'), '--cgroup-manager=cgroupfs'];
  const limits = ['--ulimit=nofile=1024:1024', '--ulimit=nproc=4096:4096'];
  return ['podman', ...store, '--runtime=runc', 'run', '--rm', '--network=none', ...limits, '--rootfs'];
}

/** All on the overlay that the runner has mounted beforehand: its mount is in our figures and not in theirs. */
function peers(scratch) {
  const root = scratch.at('merged');
  const bundle = makeBundle(scratch.at('bundle'), root);
  const run = ['run', '--bundle', bundle, 'bench'];
  return [
    program('unshare -fpmuin', ['unshare', '-fpmuin', `--root=${root}`, '/bin/true']),
    program('bwrap --unshare-all', [
      'bwrap',
      '--unshare-all',
      '--bind',
      root,
      '/',
      '--proc',
      '/proc',
      '--dev',
      '/dev',
      '/bin/true',
    ]),
    program(CRUN, ['crun', '--root', scratch.at('crun'), '--cgroup-manager=disabled', ...run], {namespace: 'unified'}),
    program('runc run', ['runc', '--root', scratch.at('runc'), ...run]),
    // So slow that it would have most of the time; its figures also vary least.
    program(PODMAN, [...podman(scratch), `${scratch.at('tree')}:O`, '/bin/true'], {every: 4}),
  ];
}

function ours(scratch) {
  const words = ['run', '--rm', '--rootfs', `${scratch.at('tree')}:O`, '/bin/true'];
  return [
    {...recorded(scratch, OWN, ['--userns=host']), peer: CRUN},
    {...recorded(scratch, OWN_USERNS, []), peer: OWN},
    program(NODE, ['node', '-e', '0']),
    program(RUN, [scratch.at('dist/cli.cjs'), ...words], {peer: PODMAN}),
    {
      name: LIBRARY,
      kind: 'served',
      argv: ['node', LIBRARY_SERVER, scratch.at('tree'), scratch.at('dist')],
      peer: PODMAN,
    },
  ];
}

/** Why a scenario cannot be measured here; undefined: it can. */
function obstacle({missing, argv}) {
  if (missing) return missing;
  return hasProgram(argv[0]) || argv[0].startsWith('/') ? undefined : `${argv[0]} is not installed`;
}

function dockerIsLeftOut() {
  if (!hasProgram('docker')) return {name: 'docker run --rm', why: 'docker is not installed'};
  const answers = spawnSync('docker', ['info'], {stdio: 'ignore', timeout: 5000}).status === 0;
  const why = answers ? 'it takes no directory as a root; compare with podman' : 'no docker daemon answers';
  return {name: 'docker run --rm', why};
}

/** `{scenarios, leftOut}` */
export function gather(scratch) {
  const floor = program('/bin/true, no container', [scratch.at('tree/bin/true')]);
  const all = [floor, ...peers(scratch), ...ours(scratch)].map(each => ({env: scratch.env, ...each}));
  const leftOut = all.map(each => ({name: each.name, why: obstacle(each)})).filter(({why}) => why);
  const missing = new Set(leftOut.map(({name}) => name));
  return {scenarios: all.filter(({name}) => !missing.has(name)), leftOut: [...leftOut, dockerIsLeftOut()]};
}
