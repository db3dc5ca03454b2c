/**
 * The executable's own part needs what the engine hands it: a start message (binary, in a memfd) and two directories.
 * One real start is recorded, through a stand-in for the executable that copies the message; the runner replays it.
 */
import {spawnSync} from 'node:child_process';
import {chmodSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {fail} from '../lib.mjs';

const NAME = 'bench';

/** Opening /proc/self/fd/4 anew starts at the file's beginning and leaves the real reader's offset alone. */
function standIn(scratch, executable, message) {
  const file = scratch.at('messages/stand-in');
  writeFileSync(
    file,
    `#!/bin/sh\n[ "$1" = supervise ] && cat /proc/self/fd/4 > '${message}'\nexec '${executable}' "$@"\n`,
  );
  chmodSync(file, 0o755);
  return file;
}

/** Everything but the message: what the engine has made when the executable starts. */
function place(env, message) {
  const bytes = readFileSync(message);
  // The version, then the id with its length before it: see `Start`.
  const id = bytes.subarray(2, 66).toString();
  if (!/^[0-9a-f]{64}$/.test(id)) fail('bench: the start message has changed; see scripts/bench/record.mjs');
  const [state, data] = [
    path.join(env.KEELBOX_RUNROOT, 'containers', id),
    path.join(env.KEELBOX_ROOT, 'containers', id),
  ];
  const link = path.join(env.KEELBOX_ROOT, 'names', NAME);
  return {
    message,
    state,
    data,
    directories: [state, data, path.join(data, 'upper'), path.join(data, 'work')],
    files: [path.join(data, 'config.json'), link],
  };
}

/** A scenario for the runner that starts the executable as `keelbox run FLAGS --rootfs TREE:O /bin/true` does. */
export function recorded(scratch, name, flags) {
  const executable = scratch.at('dist/native/keelbox-runtime');
  const message = scratch.at(`messages/${flags.join('') || 'default'}`);
  const words = ['run', '--rm', '--name', NAME, ...flags, '--rootfs', `${scratch.at('tree')}:O`, '/bin/true'];
  const env = {...scratch.env, KEELBOX_RUNTIME: standIn(scratch, executable, message)};
  // Not on our own stdio: what is a pipe there would have to change its owner on each replay.
  const {status, stderr} = spawnSync(scratch.at('dist/cli.cjs'), words, {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  if (status !== 0) return {name, missing: stderr.trim().split('\n')[0]};
  // No environment, as the engine starts it.
  return {name, kind: 'supervise', argv: [executable, 'supervise'], env: {}, place: place(scratch.env, message)};
}
