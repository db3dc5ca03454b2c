/** Nothing of a container stays when the Node that owns it ends, however that happens. */
import type {ChildProcess} from 'node:child_process';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {type CallOptions, keelbox} from './helpers/cli';
import {lane, patience, scaled} from './helpers/lane';
import {libraryUrl, nodeProgram, outcome} from './helpers/node-program';

const test = lane({host: true, guest: true, rootless: true});

/** A program in a Node of its own that holds 200 MB, as a real one may. */
function node(program: string, who: CallOptions): ChildProcess {
  return nodeProgram(`globalThis.ballast = Buffer.alloc(200 * 1024 * 1024, 1);\n${program}`, who);
}

/** Waits until no container of a name is left. */
async function gone(t: ExecutionContext, name: string, who: CallOptions): Promise<void> {
  const left = async () => (await keelbox(['ps', '-a', '--filter', `name=${name}`, '-q'], who)).stdout;
  for (const end = Date.now() + patience(20_000); Date.now() < end; await sleep(50)) if ((await left()) === '') return;
  t.is(await left(), '', `${name} stays`);
}

/** How a Node with three containers ends, in the middle of what they do. */
const ends: [how: string, program: string][] = [
  ['process.exit', 'process.exit(7)'],
  ['an uncaught throw', `setImmediate(() => { throw new Error('nobody catches this') })`],
  ['an unhandled rejection', `Promise.reject(new Error('nobody catches this'))`],
  ['SIGKILL', `process.kill(process.pid, 'SIGKILL')`],
  ['SIGTERM', `process.kill(process.pid, 'SIGTERM')`],
];

for (const [how, program] of ends) {
  test.asEach(`${how} ends its containers`, async (t, who) => {
    const name = `end-${how.replace(/[^a-z]/gi, '').toLowerCase()}`;
    const {code, stdout, stderr} = await outcome(
      node(
        `const boxes = await Promise.all([1, 2, 3].map(n => Container.create('host', {name: '${name}' + n})));
         boxes[0].exec(['sleep', '1000']).catch(() => {});
         boxes[1].exec(['yes']).stdout.once('data', () => { console.log('all run'); ${program}; });`,
        who,
      ),
    );
    t.is(stdout, 'all run\n', stderr);
    t.not(code, 0);
    await gone(t, name, who);
  });
}

test.asEach('SIGKILL at any moment of fifty starts leaves nothing', async (t, who) => {
  const children = await Promise.all(
    Array.from({length: scaled(4)}, async (_, index) => {
      const child = node(
        `console.log('go'); await Promise.all(Array.from({length: 50}, (_, n) => Container.create('host', {name: 'storm' + ${index} + '-' + n})));`,
        who,
      );
      child.stdout?.once('data', () => setTimeout(() => child.kill('SIGKILL'), 20 + index * 60));
      return outcome(child);
    }),
  );
  t.true(children.every(({stdout}) => stdout === 'go\n'));
  await gone(t, 'storm', who);
});

test.asEach('50 at once, each with its own answer, and none left', async (t, who) => {
  const {code, stdout, stderr} = await outcome(
    node(
      `const answers = await Promise.all(Array.from({length: ${scaled(50)}}, async (_, n) => {
         const box = await Container.create('host', {name: 'fifty' + n});
         const text = await box.exec(['sh', '-c', 'cat; hostname > /tmp/x; echo $0', String(n)], {stdin: 'in '}).text();
         await box[Symbol.asyncDispose]();
         return text === 'in ' + n + '\\n';
       }));
       console.log(answers.every(Boolean));`,
      who,
    ),
  );
  t.deepEqual({code, stdout, stderr}, {code: 0, stdout: 'true\n', stderr: ''});
  t.is((await keelbox(['ps', '-aq', '--filter', 'name=fifty'], who)).stdout, '');
});

test.asEach('a worker thread makes, uses and removes one', async (t, who) => {
  const inside = `
    const {parentPort, workerData} = require('node:worker_threads');
    import(workerData).then(async ({Container}) => {
      const box = await Container.create('host', {name: 'worker'});
      const text = await box.exec(['echo', 'from inside']).text();
      await box.remove({force: true});
      parentPort.postMessage(text);
    });`;
  const {code, stdout, stderr} = await outcome(
    node(
      `const {Worker} = await import('node:worker_threads');
       const worker = new Worker(${JSON.stringify(inside)}, {eval: true, execArgv: [], workerData: '${libraryUrl()}'});
       worker.on('message', text => process.stdout.write(text));
       await new Promise(done => worker.on('exit', done));`,
      who,
    ),
  );
  t.deepEqual({code, stdout, stderr}, {code: 0, stdout: 'from inside\n', stderr: ''});
  t.is((await keelbox(['ps', '-aq', '--filter', 'name=worker'], who)).stdout, '');
});

test.asEach('one of a scope and a detached one outlive a Node that crashes', async (t, who) => {
  const {stdout, stderr} = await outcome(
    node(
      `await Container.create('host', {name: 'kept-scope', lifetime: 'scope'});
       await Container.create('host', {name: 'kept-detached', lifetime: 'detached'});
       console.log('made'); process.kill(process.pid, 'SIGKILL');`,
      who,
    ),
  );
  t.is(stdout, 'made\n', stderr);
  const list = await keelbox(['ps', '--sort', 'names', '--filter', 'name=kept', '--format', '{{.Names}}'], who);
  t.is(list.stdout, 'kept-detached\nkept-scope\n');
  t.is((await keelbox(['rm', '-f', 'kept-scope', 'kept-detached'], who)).exitCode, 0);
});

// In a Node of its own: here the other tests open and close files meanwhile.
test('no fd stays open, however a container ends', async t => {
  const program = `
    import {readdirSync} from 'node:fs';
    const round = () => Promise.allSettled([
      ...Array.from({length: 5}, async () => {
        const box = await Container.create('host');
        await box.exec(['cat'], {stdin: 'x'.repeat(100000)});
        await box.exec(['no-such-command']).catch(() => {});
        await box.remove({force: true});
      }),
      Container.create('no-such-image'),
      (async () => { const box = await Container.create('host'); await box.stop(); })(),
      (async () => { const box = await Container.create('host', {lifetime: 'scope'}); await box.remove({force: true}); })(),
    ]).then(() => new Promise(done => setTimeout(done, 300)));
    const count = () => readdirSync('/proc/self/fd').length;
    await round();
    const before = count();
    await round();
    console.log(count() <= before || before + ' became ' + count());`;
  t.like(await outcome(node(program, {})), {code: 0, stdout: 'true\n', stderr: ''});
});
