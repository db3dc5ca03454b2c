/** Once for each system call of a `run`, and each of five errnos: the call fails; there is a clear end, and nothing is left. */
import {spawnSync} from 'node:child_process';
import {readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';

/** How many points are tried; 0: all. */
export const usual = 0;

const ERRNOS = ['ENOMEM', 'EINTR', 'EIO', 'EAGAIN', 'EPERM'];
/**
 * Calls that cannot fail so, end the process, or whose failure strace cannot bring about without breaking itself. A failed
 * close has closed all the same (close(2)); strace leaves the file open, and who waits for its end waits for ever.
 */
const LEFT_OUT = new Set([
  'exit',
  'exit_group',
  'rt_sigreturn',
  'execve',
  'restart_syscall',
  'close',
  'close_range',
  'brk',
  'mmap',
  'munmap',
  'arch_prctl',
]);

export async function run(lab, limit) {
  const figures = {points: 0, worked: 0, 'clear errors': 0, 'unclear ends': 0, 'left behind at once': 0};
  const points = trace(lab).flatMap(([name, count]) =>
    Array.from({length: count}, (_, when) => ERRNOS.map(errno => [name, when + 1, errno])).flat(),
  );
  const step = limit > 0 ? Math.max(1, Math.floor(points.length / limit)) : 1;
  for (let index = 0; index < points.length; index += step) inject(lab, points[index], figures);
  return {figures, bad: figures['unclear ends'] + figures['left behind at once']};
}

/** The executable alone is traced: Node's calls are not ours. A script stands in for it, which gets no environment. */
function traced(lab, options, file) {
  const wrapper = path.join(lab.mkdir('trace'), 'keelbox-runtime');
  const executable = path.join(lab.dist, 'native/keelbox-runtime');
  const strace = `strace -f -qqq -o '${file}' -s 0 ${options} '${executable}' "$@"`;
  writeFileSync(wrapper, `#!/bin/sh\n[ "$1" != supervise ] || exec ${strace}\nexec '${executable}' "$@"\n`, {
    mode: 0o755,
  });
  const env = {...lab.environment, KEELBOX_RUNTIME: wrapper};
  return lab.keelbox(['run', '--rm', 'host', 'true'], {timeout: 30_000, env});
}

/** The calls of one whole start, and how often each is made. */
function trace(lab) {
  const file = path.join(lab.mkdir('trace'), 'calls');
  traced(lab, '', file);
  const counts = new Map();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const name = /^(?:\d+\s+)?([a-z0-9_]+)\(/.exec(line)?.[1];
    if (name !== undefined && !LEFT_OUT.has(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts];
}

function inject(lab, [name, when, errno], figures) {
  const {code, signal, stderr} = traced(lab, `-e inject=${name}:error=${errno}:when=${when}`, '/dev/null');
  figures.points += 1;
  // The last is the command's own loader: it is traced too.
  const isClear = code === 0 || /code: ERR_KEELBOX_|supervisor is gone|^true: error while loading/m.test(stderr);
  figures[code === 0 ? 'worked' : isClear ? 'clear errors' : 'unclear ends'] += 1;
  lab.must(isClear, `${name} #${when} ${errno}: ${code ?? signal} ${stderr.split('\n')[0]}`);
  lab.keelbox(['ps', '-a']);
  const left = [...lab.states(), ...lab.containers(), ...lab.cgroups()];
  figures['left behind at once'] += lab.must(left.length === 0, `${name} #${when} ${errno}: ${left[0]}`);
  if (left.length > 0) {
    for (const pid of lab.processes()) spawnSync('kill', ['-9', pid]);
    lab.removeAll();
  }
}
