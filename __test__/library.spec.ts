/** What `run` answers: results, errors, lines, events. Streams and endings have specs of their own. */
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import type {ProcEvent} from '../src/index';
import {homeOf, specFolder} from './helpers/cli';
import {lane, patience} from './helpers/lane';

const test = lane({host: true, guest: true});
const {root, runRoot} = homeOf();
process.env.KEELBOX_ROOT = root;
process.env.KEELBOX_RUNROOT = runRoot;

const library = import(pathToFileURL(join(specFolder(), 'dist/index.mjs')).href) as Promise<
  typeof import('../src/index')
>;

test('answers what a command wrote and how it ended', async t => {
  const {run} = await library;
  const result = await run('host', ['sh', '-c', 'echo out; echo err >&2']);
  t.like(result, {stdout: 'out\n', stderr: 'err\n', exitCode: 0, signal: null, ok: true});
  t.true(result.usage.wallMs > 0);
  t.false(result.usage.oomKilled);
});

test('is a promise in every way', async t => {
  const {run} = await library;
  const proc = run('host', ['true']);
  t.true(proc instanceof Promise);
  t.is(proc[Symbol.toStringTag], 'Promise');
  t.is(Object.getPrototypeOf(proc.then()), Promise.prototype);
  let finished = false;
  await proc.finally(() => {
    finished = true;
  });
  t.true(finished);
  t.true((await Promise.all([proc, proc]))[1].ok);
});

for (const code of [1, 3, 126, 255])
  test(`rejects with an ExitError for exit code ${code}`, async t => {
    const {run, ExitError, KeelboxError} = await library;
    const argv = ['sh', '-c', `echo half; echo the reason >&2; exit ${code}`];
    const error = await t.throwsAsync(run('host', argv), {instanceOf: ExitError, code: 'ERR_KEELBOX_EXIT'});
    t.true(error instanceof KeelboxError);
    t.is(error?.name, 'ExitError');
    t.is(error?.message, `sh exited with code ${code}: the reason`);
    t.deepEqual(error?.argv, argv);
    t.like(error?.result, {exitCode: code, signal: null, stdout: 'half\n', stderr: 'the reason\n', ok: false});
    t.regex(error?.stack ?? '', /library\.spec/, 'the trace leads to the caller');
  });

test('with reject: false a failure is a result', async t => {
  const {run} = await library;
  t.like(await run('host', ['sh', '-c', 'exit 7'], {reject: false}), {exitCode: 7, ok: false});
});

test('names the signal that ended a command', async t => {
  const {run} = await library;
  const proc = run('host', ['sleep', '100'], {reject: false});
  await proc.kill('SIGKILL');
  t.like(await proc, {exitCode: null, signal: 'SIGKILL', ok: false});
});

test('passes on variables and the working directory', async t => {
  const {run} = await library;
  const out = await run('host', ['sh', '-c', 'echo "$A|$B|$PWD"'], {env: {A: 'a b=c', B: ''}, cwd: '/tmp'}).text();
  t.is(out, 'a b=c||/tmp\n');
});

test('text, json and bytes read the same output', async t => {
  const {run} = await library;
  const proc = run('host', ['echo', '{"a": [1, "\u00fc"]}']);
  t.deepEqual(await proc.json(), {a: [1, '\u00fc']});
  t.is(await proc.text(), '{"a": [1, "\u00fc"]}\n');
  t.is((await proc.bytes()).length, 17);
  t.false(Buffer.isBuffer(await proc.bytes()));
});

test('iterates the lines, also the last without an end', async t => {
  const {run} = await library;
  const lines: string[] = [];
  for await (const line of run('host', ['printf', 'a\\n\\nb\\r\\n\\303\\274'])) lines.push(line);
  t.deepEqual(lines, ['a', '', 'b', '\u00fc']);
});

test('iterating throws the ExitError after the last line', async t => {
  const {run, ExitError} = await library;
  const lines: string[] = [];
  const iterate = async () => {
    for await (const line of run('host', ['sh', '-c', 'echo 1; echo 2; echo why >&2; exit 5'])) lines.push(line);
  };
  const error = await t.throwsAsync(iterate(), {instanceOf: ExitError});
  t.deepEqual(lines, ['1', '2']);
  t.like(error?.result, {exitCode: 5, stdout: '', stderr: 'why\n'});
});

test('iterating 200000 lines loses none', async t => {
  const {run} = await library;
  let next = 1;
  for await (const line of run('host', ['seq', '200000'])) if (Number(line) === next) next += 1;
  t.is(next, 200001);
});

test('leaving the loop closes the pipe and ends the command', async t => {
  const {run} = await library;
  const proc = run('host', ['sh', '-c', 'trap - PIPE; exec yes'], {reject: false});
  for await (const line of proc) {
    t.is(line, 'y');
    break;
  }
  t.false((await proc).ok);
});

test('a line without end is stopped at maxBuffer', async t => {
  const {run} = await library;
  const iterate = async () => {
    for await (const line of run('host', ['cat', '/dev/zero'], {maxBuffer: '1m'})) t.fail(line.slice(0, 10));
  };
  await t.throwsAsync(iterate(), {code: 'ERR_KEELBOX_MAX_BUFFER'});
});

test.serial('events tell the start, the output and the end, in this order', async t => {
  const {run} = await library;
  const events: ProcEvent[] = [];
  // The outputs are two pipes: only time between them makes an order.
  const pause = `sleep ${patience(200) / 1000}`;
  const proc = run('host', ['sh', '-c', `echo a; ${pause}; echo b >&2; ${pause}; echo c; exit 2`]);
  for await (const event of proc.events()) events.push(event);
  t.deepEqual(
    events.map(event => ('data' in event ? `${event.type} ${Buffer.from(event.data)}` : event.type)),
    ['start', 'stdout a\n', 'stderr b\n', 'stdout c\n', 'exit'],
  );
  t.like(events[0], {type: 'start', pid: proc.pid});
  t.like(events.at(-1), {type: 'exit', exitCode: 2, signal: null});
});

test('events throw what the last event cannot tell', async t => {
  const {run} = await library;
  const seen: string[] = [];
  const iterate = async () => {
    for await (const {type} of run('host', ['sleep', '100'], {timeout: 300}).events()) seen.push(type);
  };
  await t.throwsAsync(iterate(), {code: 'ERR_KEELBOX_TIMEOUT'});
  t.deepEqual(seen, ['start']);
});

test('an output has one reader', async t => {
  const {run} = await library;
  const proc = run('host', ['echo', 'x']);
  t.is(proc.stdout, proc.stdout);
  t.throws(() => proc[Symbol.asyncIterator](), {code: 'ERR_KEELBOX_INVALID_ARG', message: /read already/});
  t.throws(() => proc.events(), {code: 'ERR_KEELBOX_INVALID_ARG'});
  await t.throwsAsync(proc.text(), {code: 'ERR_KEELBOX_INVALID_ARG'});
  t.is((await proc).stdout, '');
});

test('a command or image that does not exist is an error with a code', async t => {
  const {run, KeelboxError} = await library;
  const command = await t.throwsAsync(run('host', ['no-such-command']), {code: 'ERR_KEELBOX_COMMAND_NOT_FOUND'});
  t.true(command instanceof KeelboxError);
  t.true(command?.cause instanceof Error);
  await t.throwsAsync(run('no-such-image', ['true']), {code: 'ERR_KEELBOX_IMAGE_NOT_FOUND'});
});

test('a command without a terminal has no size', async t => {
  const {run} = await library;
  const proc = run('host', ['true']);
  t.throws(() => proc.resize({columns: 80, rows: 24}), {code: 'ERR_KEELBOX_INVALID_ARG'});
  await proc;
});

const wrong: [string, unknown[]][] = [
  ['argv is no array', ['host', 'true']],
  ['NUL in a word', ['host', ['a\0b']]],
  ['image is empty', ['', ['true']]],
  ['image is null', [null, ['true']]],
  ['image with a misspelt key', [{rootfs: '/', overlays: true}, ['true']]],
  ['options is no object', ['host', ['true'], 5]],
  ['misspelt option', ['host', ['true'], {timout: 5}]],
  ['env value', ['host', ['true'], {env: {A: undefined}}]],
  ['env name', ['host', ['true'], {env: {'A=B': ''}}]],
  ['relative target', ['host', ['true'], {mounts: {x: '/tmp'}}]],
  ['tmpfs without size', ['host', ['true'], {mounts: {'/x': {tmpfs: 0}}}]],
  ['caps', ['host', ['true'], {security: {caps: 'ALL'}}]],
  ['stdin', ['host', ['true'], {stdin: 5}]],
  ['stdout', ['host', ['true'], {stdout: 'pipes'}]],
  ['maxBuffer', ['host', ['true'], {maxBuffer: '5 MB'}]],
  ['timeout beyond timers', ['host', ['true'], {timeout: 2 ** 31}]],
  ['killSignal', ['host', ['true'], {killSignal: 'TERM'}]],
  ['signal', ['host', ['true'], {signal: {}}]],
  ['reject', ['host', ['true'], {reject: 'no'}]],
];
for (const [what, args] of wrong)
  test(`wrong argument, rejected and not thrown: ${what}`, async t => {
    const {run, KeelboxError} = await library;
    const proc = Reflect.apply(run, undefined, args);
    const error = await t.throwsAsync(proc, {instanceOf: KeelboxError});
    t.is(error?.code, 'ERR_KEELBOX_INVALID_ARG');
    t.is(proc.pid, undefined);
  });

const later: [string, unknown][] = [
  ['network', {allow: ['example.org']}],
  ['limits', {memory: '1g'}],
  ['ports', [80]],
  ['pull', 'always'],
  ['platform', 'linux/arm64'],
  ['lifetime', 'detached'],
  ['security', {seccomp: 'strict'}],
];
for (const [option, value] of later)
  test(`what does not exist yet is refused: ${option}`, async t => {
    const {run} = await library;
    const proc = run('host', ['true'], {[option]: value});
    await t.throwsAsync(proc, {code: 'ERR_KEELBOX_NOT_YET', message: /not yet/});
  });
