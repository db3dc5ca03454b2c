/** Reads what `strace -f -o` has written. */

const SYNCS = new Set(['fsync', 'fdatasync', 'sync', 'syncfs', 'sync_file_range', 'msync']);

/**
 * Failing calls count too: they cost as much. So do those of the container's own command, which are the same few for all.
 * A call that another process's interrupts stands on two lines, of which the first has its name.
 */
export function parseTrace(text) {
  const byName = {};
  let execs = 0;
  for (const line of text.split('\n')) {
    const [, name] = /^\d+ +([a-z_0-9]+)\(/.exec(line) ?? [];
    if (!name) continue;
    byName[name] = (byName[name] ?? 0) + 1;
    // An execve of another thread's process may be unfinished too; then it has no result to look at.
    if (name.startsWith('execve') && !/= -1 /.test(line)) execs += 1;
  }
  const counts = Object.entries(byName);
  const total = entries => entries.reduce((sum, [, count]) => sum + count, 0);
  return {
    calls: total(counts),
    execs,
    syncs: total(counts.filter(([name]) => SYNCS.has(name))),
    byName: Object.fromEntries(counts.sort((a, b) => b[1] - a[1])),
  };
}
