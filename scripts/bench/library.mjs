/**
 * The library, timed from inside: a Node of 200 MB, which a fork would have to copy the page tables of.
 *
 *   node library.mjs TREE DIST          for each line on stdin, one `run()`; answers its nanoseconds
 *   node library.mjs TREE DIST memory   starts 20 containers; answers their supervisors' PSS in kB, as JSON
 */
import {readdirSync, readFileSync} from 'node:fs';
import {createInterface} from 'node:readline';

const [tree, dist, mode] = process.argv.slice(2);
const {run} = await import(`${dist}/index.mjs`);
const IMAGE = {rootfs: tree, overlay: true};
const CONTAINERS = 20;

function grow(megabytes) {
  const kept = [];
  while (process.memoryUsage.rss() < megabytes * 2 ** 20) kept.push(Buffer.alloc(2 ** 20, 1));
  return kept;
}

async function serve() {
  const ballast = grow(200);
  for await (const _ of createInterface({input: process.stdin})) {
    const begin = process.hrtime.bigint();
    const {exitCode} = await run(IMAGE, ['/bin/true']);
    const taken = process.hrtime.bigint() - begin;
    process.stdout.write(`${exitCode === 0 ? taken : 0}\n`);
  }
  return ballast;
}

/** Our supervisors are this process's children. */
function supervisors() {
  const ids = readdirSync('/proc/self/task').flatMap(task =>
    readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
  );
  return ids.filter(id => readFileSync(`/proc/${id}/cmdline`, 'utf8').includes('supervise'));
}

function pss(id) {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, 'utf8'))[1]);
}

async function measureMemory() {
  const controller = new AbortController();
  // Each says that it runs, so that all supervisors are past their start.
  const procs = Array.from({length: CONTAINERS}, () =>
    run(IMAGE, ['/bin/sh', '-c', 'echo; exec sleep 60'], {signal: controller.signal}),
  );
  const ends = procs.map(proc => proc.catch(() => undefined));
  await Promise.all(procs.map(proc => proc[Symbol.asyncIterator]().next()));
  // A supervisor lets go of what starting took once its container has stayed for a moment.
  await new Promise(done => setTimeout(done, 500));
  process.stdout.write(JSON.stringify(supervisors().map(pss)));
  controller.abort();
  await Promise.all(ends);
}

await (mode === 'memory' ? measureMemory() : serve());
