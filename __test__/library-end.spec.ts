/** How containers of the library end: abort, timeout, kill, leaving a scope, and Node's own death. Nothing stays. */
import {setTimeout as sleep} from 'node:timers/promises';
import {homeOf} from './helpers/cli';
import {lane, patience, scaled} from './helpers/lane';
import {libraryUrl, nodeProgram, outcome} from './helpers/node-program';

const test = lane({host: true, guest: true, rootless: true});
const {root, runRoot} = homeOf();
process.env.KEELBOX_ROOT = root;
process.env.KEELBOX_RUNROOT = runRoot;

const library = import(libraryUrl()) as Promise<typeof import('../src/index')>;
const stubborn = ['sh', '-c', 'trap "echo survived" TERM; echo ready; while :; do sleep 1000 & wait; done'];

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** The exit is told by the supervisor, which may take a moment more to be gone itself. */
async function isGone(pid: number | undefined, withinMs = patience(500)): Promise<boolean> {
  for (const end = Date.now() + withinMs; Date.now() < end; await sleep(5)) if (!isAlive(pid ?? 0)) return true;
  return false;
}

test('aborted before the start: nothing is started', async t => {
  const {run} = await library;
  const reason = new Error('changed my mind');
  const proc = run('host', ['sleep', '100'], {signal: AbortSignal.abort(reason)});
  const error = await t.throwsAsync(proc, {name: 'AbortError', code: 'ABORT_ERR'});
  t.is(error?.cause, reason);
  t.is(proc.pid, undefined);
});

test('aborted in the tick of the call: nothing is started', async t => {
  const {run} = await library;
  const controller = new AbortController();
  const proc = run('host', ['sleep', '100'], {signal: controller.signal});
  controller.abort();
  await t.throwsAsync(proc, {code: 'ABORT_ERR'});
  t.is(proc.pid, undefined);
});

test('aborted at any moment of the start: the container is gone when the promise rejects', async t => {
  const {run} = await library;
  await Promise.all(
    Array.from({length: scaled(20)}, async (_, index) => {
      const controller = new AbortController();
      const proc = run('host', ['sleep', '100'], {signal: controller.signal});
      setTimeout(() => controller.abort(), index);
      await t.throwsAsync(proc, {code: 'ABORT_ERR'});
      if (proc.pid !== undefined) t.true(await isGone(proc.pid));
    }),
  );
});

test('aborted while running, the output so far is readable and ends', async t => {
  const {run} = await library;
  const controller = new AbortController();
  const proc = run('host', ['sh', '-c', 'echo ready; sleep 100'], {signal: controller.signal});
  const lines: string[] = [];
  const iterate = async () => {
    for await (const line of proc) {
      lines.push(line);
      controller.abort('enough');
    }
  };
  const error = await t.throwsAsync(iterate(), {code: 'ABORT_ERR'});
  t.is(error?.cause, 'enough');
  t.deepEqual(lines, ['ready']);
  t.true(await isGone(proc.pid));
});

test('aborting after the end changes nothing', async t => {
  const {run} = await library;
  const controller = new AbortController();
  const proc = run('host', ['true'], {signal: controller.signal});
  await proc;
  controller.abort();
  t.true((await proc).ok);
});

test('timeout ends a command', async t => {
  const {run, KeelboxError} = await library;
  const proc = run('host', ['sleep', '100'], {timeout: 300});
  await t.throwsAsync(proc, {instanceOf: KeelboxError, code: 'ERR_KEELBOX_TIMEOUT', message: /300 ms/});
  t.true(await isGone(proc.pid));
});

test('a command that survives killSignal is killed after killAfter', async t => {
  const {run} = await library;
  const controller = new AbortController();
  const proc = run('host', stubborn, {signal: controller.signal, killAfter: patience(4000)});
  const lines: string[] = [];
  const iterate = async () => {
    for await (const line of proc) {
      lines.push(line);
      if (line === 'ready') controller.abort();
    }
  };
  await t.throwsAsync(iterate(), {code: 'ABORT_ERR'});
  t.deepEqual(lines, ['ready', 'survived']);
  t.true(await isGone(proc.pid));
});

test('killSignal SIGKILL waits for nothing', async t => {
  const {run} = await library;
  const controller = new AbortController();
  // Were it to wait, the spec would run into ava's own limit; another signal would have been survived.
  const how = {signal: controller.signal, killSignal: 'SIGKILL', killAfter: 3_600_000} as const;
  const proc = run('host', stubborn, how);
  const lines: string[] = [];
  const iterate = async () => {
    for await (const line of proc) {
      lines.push(line);
      if (line === 'ready') controller.abort();
    }
  };
  await t.throwsAsync(iterate(), {code: 'ABORT_ERR'});
  t.deepEqual(lines, ['ready']);
  t.true(await isGone(proc.pid));
});

test('reject: false does not hide an abort or a timeout', async t => {
  const {run} = await library;
  await t.throwsAsync(run('host', ['sleep', '100'], {timeout: 200, reject: false}), {code: 'ERR_KEELBOX_TIMEOUT'});
});

test('a timeout is not held up by a reader that does not read', async t => {
  const {run} = await library;
  const proc = run('host', ['yes'], {timeout: 300, killAfter: 300});
  t.truthy(proc.stdout);
  await t.throwsAsync(proc, {code: 'ERR_KEELBOX_TIMEOUT'});
  t.true(await isGone(proc.pid));
});

test('kill sends the signal that the command handles', async t => {
  const {run} = await library;
  const proc = run(
    'host',
    ['sh', '-c', 'trap "echo got usr1; exit 9" USR1; echo ready; while :; do sleep 1000 & wait; done'],
    {
      reject: false,
    },
  );
  const lines: string[] = [];
  for await (const line of proc) {
    lines.push(line);
    if (line === 'ready') await proc.kill('SIGUSR1');
  }
  t.deepEqual(lines, ['ready', 'got usr1']);
  t.is((await proc).exitCode, 9);
});

test('kill waits for the start, is nothing after the end, and refuses unknown signals', async t => {
  const {run} = await library;
  const proc = run('host', ['sleep', '100'], {reject: false});
  await t.throwsAsync(proc.kill('SIGNOPE' as 'SIGTERM'), {code: 'ERR_KEELBOX_INVALID_ARG'});
  await proc.kill('SIGKILL');
  t.is((await proc).signal, 'SIGKILL');
  await proc.kill();
  const never = run('no-such-image', ['true']);
  await never.kill();
  await t.throwsAsync(never);
});

test('disposing ends the container and is harmless twice', async t => {
  const {run} = await library;
  const proc = run('host', ['sleep', '100']);
  await Promise.all([proc[Symbol.asyncDispose](), proc[Symbol.asyncDispose]()]);
  await proc[Symbol.asyncDispose]();
  t.true(proc.pid === undefined || (await isGone(proc.pid)));
  const over = run('host', ['true']);
  await over;
  await over[Symbol.asyncDispose]();
  t.true((await over).ok);
});

test('a command that closes its outputs is still waited for', async t => {
  const {code, stdout} = await outcome(
    nodeProgram(
      `const {exitCode} = await run('host', ['sh', '-c', 'exec >&- 2>&-; sleep 0.5; exit 3'], {reject: false}); console.log(exitCode)`,
    ),
  );
  t.is(code, 0);
  t.is(stdout, '3\n');
});

test('50 at once, each with its own answer', async t => {
  const {run} = await library;
  const answer = async (index: number) => {
    const out = await run('host', ['sh', '-c', 'cat; echo $0 >&2', String(index)], {stdin: `in ${index}`});
    t.like(out, {stdout: `in ${index}`, stderr: `${index}\n`});
  };
  await Promise.all(Array.from({length: scaled(50)}, (_, index) => answer(index)));
});

// In a Node of its own: here the other tests open and close files meanwhile.
test('no fd stays open, however a container ends', async t => {
  const program = `
    import {readdirSync} from 'node:fs';
    const round = () => Promise.allSettled([
      ...Array.from({length: 20}, () => run('host', ['cat'], {stdin: 'x'.repeat(100000)})),
      run('no-such-image', ['true'], {stdin: 'x'}),
      run('host', ['no-such-command'], {stdin: 'x'}),
      run('host', ['sleep', '9'], {signal: AbortSignal.timeout(100), stdin: 'pipe'}),
      run('host', ['yes'], {maxBuffer: 10}),
      run('host', ['yes'], {timeout: 100}).stdout.destroy(),
      (async () => { for await (const line of run('host', ['yes'])) break; })(),
    ]).then(() => new Promise(done => setTimeout(done, 300)));
    const count = () => readdirSync('/proc/self/fd').length;
    process.on('unhandledRejection', () => {});
    await round();
    const before = count();
    await round();
    console.log(count() <= before || before + ' became ' + count());`;
  t.like(await outcome(nodeProgram(program)), {code: 0, stdout: 'true\n', stderr: ''});
});

test.asEach('runs as whoever Node is', async (t, who) => {
  const program = `console.log((await run('host', ['sh', '-c', 'id -u; cat'], {stdin: 'in'})).stdout)`;
  t.like(await outcome(nodeProgram(program, who)), {code: 0, stdout: '0\nin\n', stderr: ''});
});

test('a failure that nobody looks at is an unhandled rejection', async t => {
  const {code, stderr} = await outcome(nodeProgram(`run('host', ['sh', '-c', 'exit 3'])`));
  t.is(code, 1);
  t.regex(stderr, /ExitError: sh exited with code 3/);
});

test('asking for a stream alone does not hide a failure', async t => {
  const {code, stderr} = await outcome(nodeProgram(`run('host', ['sh', '-c', 'exit 3']).stdout.resume()`));
  t.is(code, 1);
  t.regex(stderr, /ExitError/);
});

const looked: [string, string][] = [
  ['iterated', `try { for await (const _ of run('host', ['sh', '-c', 'exit 3'])); } catch (e) { console.log(e.name) }`],
  ['awaited', `await run('host', ['sh', '-c', 'exit 3']).catch(e => console.log(e.name))`],
  ['read as text', `await run('host', ['sh', '-c', 'exit 3']).text().catch(e => console.log(e.name))`],
  [
    'read as events',
    `for await (const e of run('host', ['sh', '-c', 'exit 3']).events()) if (e.exitCode === 3) console.log('ExitError')`,
  ],
];
for (const [how, program] of looked)
  test(`a failure that is ${how} is no unhandled rejection`, async t => {
    t.like(await outcome(nodeProgram(`${program}; await new Promise(r => setTimeout(r, 50));`)), {
      code: 0,
      stdout: 'ExitError\n',
      stderr: '',
    });
  });

test('a scope that is left with a running container is no unhandled rejection', async t => {
  const {code, stderr} = await outcome(nodeProgram(`await run('host', ['sleep', '100'])[Symbol.asyncDispose]();`));
  t.is(code, 0);
  t.is(stderr, '');
});

for (const death of ['SIGKILL', 'SIGTERM', 'exit'])
  test(`the container goes with Node: ${death}`, async t => {
    const exit = death === 'exit' ? 'process.exit(0);' : '';
    const child =
      nodeProgram(`const proc = run('host', ['sh', '-c', 'trap "" TERM HUP; echo up; while :; do sleep 1000 & wait; done']);
      for await (const line of proc) { console.log(proc.pid); ${exit} }`);
    const pid = await new Promise<number>(done => child.stdout?.once('data', chunk => done(Number(chunk))));
    if (death !== 'exit') child.kill(death as 'SIGKILL');
    await outcome(child);
    t.true(pid > 0);
    t.true(await isGone(pid, patience(5000)));
  });
