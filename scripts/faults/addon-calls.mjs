/** Calls everything that the addon has with values that it cannot expect; prints what came of it as JSON. */
import {readdirSync, readlinkSync} from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';
import {Worker} from 'node:worker_threads';

const [, , count, dist] = process.argv;
const folder = path.join(dist, 'native');
const addon = createRequire(import.meta.url)(
  path.join(
    folder,
    readdirSync(folder).find(name => name.endsWith('.node')),
  ),
);

// These wait for something, take over this process, or print where it prints.
const LEFT_OUT = new Set(['attach', 'export', 'exportContainer', 'showLogs', 'logsNext', 'eventsNext']);
/** What is opened is held until it is closed, by the name that it was given. */
const CLOSES = {logsOpen: 'logsClose', eventsOpen: 'eventsClose'};
const VALUES = [
  undefined,
  null,
  0,
  -1,
  2 ** 53,
  Number.NaN,
  '',
  'x'.repeat(1 << 20),
  '\0',
  '\ud800',
  true,
  10n ** 30n,
  Symbol('s'),
  [],
  {},
  {request: null},
  {verb: 'start'},
  {verb: 'nope', reference: 1},
  {verb: 'inspect', reference: '../..'},
  {root: {type: 'image', name: 'x'.repeat(100_000)}},
  {
    get root() {
      throw new Error('getter');
    },
  },
  () => {
    throw new Error('callback');
  },
  new Proxy(
    {},
    {
      ownKeys() {
        throw new Error('proxy');
      },
    },
  ),
  Buffer.alloc(1 << 16),
  new Date(Number.NaN),
];

const pick = list => list[Math.floor(Math.random() * list.length)];
/** What is open, by what it is; a number is used again. */
const fds = () => {
  const links = readdirSync('/proc/self/fd').map(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).replace(/\d+/g, 'N');
    } catch {
      return '';
    }
  });
  return links.filter(Boolean);
};

async function calls(count) {
  const names = Object.keys(addon).filter(name => typeof addon[name] === 'function' && !LEFT_OUT.has(name));
  let threw = 0;
  for (let call = 0; call < count; call += 1) {
    const args = Array.from({length: Math.floor(Math.random() * 4)}, () => pick(VALUES));
    try {
      const name = pick(names);
      const answer = await addon[name](...args);
      if (CLOSES[name] !== undefined) await addon[CLOSES[name]](answer);
    } catch {
      threw += 1;
    }
  }
  return threw;
}

/** Workers that are ended while a call of theirs is on its way. */
async function workers(count) {
  const code = `
    import(${JSON.stringify(path.join(dist, 'index.mjs'))}).then(({run}) => {
      run('host', ['true'], {onProgress() { throw new Error('in the callback'); }}).catch(() => {});
      require('node:worker_threads').parentPort.postMessage(0);
    });
  `;
  for (let index = 0; index < count; index += 1) {
    const worker = new Worker(code, {eval: true});
    worker.on('error', () => {});
    await new Promise(resolve => worker.once('message', resolve).once('exit', resolve));
    await worker.terminate();
  }
}

await calls(200);
await workers(3);
const before = fds();
const threw = await calls(Number(count));
await workers(Math.ceil(count / 200));
for (let wait = 0; wait < 50 && fds().length > before.length; wait += 1)
  await new Promise(resolve => setTimeout(resolve, 100));
console.log(
  JSON.stringify({
    calls: Number(count),
    threw,
    workers: Math.ceil(count / 200),
    'fds lost': Math.max(0, fds().length - before.length),
  }),
);
