/** stdin, stdout and stderr of `run` as Node streams, Web streams and options. */
import {execFileSync, spawn} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {createReadStream, createWriteStream, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {PassThrough, Readable, Writable} from 'node:stream';
import {buffer} from 'node:stream/consumers';
import {pipeline} from 'node:stream/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {pathToFileURL} from 'node:url';
import {homeOf, specFolder} from './helpers/cli';
import {lane, patience} from './helpers/lane';

const test = lane({host: true, guest: true});
const {home: dir, root, runRoot} = homeOf();
process.env.KEELBOX_ROOT = root;
process.env.KEELBOX_RUNROOT = runRoot;

const entry = pathToFileURL(join(specFolder(), 'dist/index.mjs')).href;
const library = import(entry) as Promise<typeof import('../src/index')>;
const data = randomBytes(8 * 1024 ** 2);
const file = join(dir, 'data');
writeFileSync(file, data);

test('the default stdin is empty', async t => {
  const {run} = await library;
  t.is(await run('host', ['wc', '-c']).text(), '0\n');
});

const sources: [string, () => string | Uint8Array | Readable | ReadableStream<Uint8Array>][] = [
  ['bytes', () => data],
  ['a Node stream', () => createReadStream(file)],
  ['a Web stream', () => new Blob([data]).stream()],
];
for (const [what, source] of sources)
  test(`8 MiB pass through cat unchanged from ${what}`, async t => {
    const {run} = await library;
    const bytes = await run('host', ['cat'], {stdin: source() as Uint8Array}).bytes();
    t.true(data.equals(bytes));
  });

test('a string is written as UTF-8, an empty one is an empty input', async t => {
  const {run} = await library;
  t.is(await run('host', ['cat'], {stdin: 'gr\u00fc\u00df \u{1F433}'}).text(), 'gr\u00fc\u00df \u{1F433}');
  t.is(await run('host', ['wc', '-c'], {stdin: ''}).text(), '0\n');
});

test('Node streams both ways', async t => {
  const {run} = await library;
  const proc = run('host', ['cat']);
  const [, out] = await Promise.all([pipeline(createReadStream(file), proc.stdin), buffer(proc.stdout), proc]);
  t.true(data.equals(out));
  t.is((await proc).stdout, '', 'nothing is kept of what is streamed');
});

test('Web streams both ways', async t => {
  const {run} = await library;
  const proc = run('host', ['cat']);
  const [, out] = await Promise.all([
    new Blob([data]).stream().pipeTo(proc.web.stdin as WritableStream),
    new Response(proc.web.stdout as ReadableStream).arrayBuffer(),
    proc,
  ]);
  t.true(data.equals(Buffer.from(out)));
});

test('a conversation over stdin and stdout', async t => {
  const {run} = await library;
  const proc = run('host', ['cat'], {stdin: 'pipe'});
  await sleep(50);
  const lines = proc[Symbol.asyncIterator]();
  for (const line of ['one', 'two', 'three']) {
    proc.stdin.write(`${line}\n`);
    t.deepEqual(await lines.next(), {value: line, done: false});
  }
  proc.stdin.end();
  t.true((await lines.next()).done);
});

test('stdin asked for after the start is refused', async t => {
  const {run} = await library;
  const proc = run('host', ['true']);
  await null;
  await sleep(1);
  t.throws(() => proc.stdin, {code: 'ERR_KEELBOX_INVALID_ARG'});
  await proc;
});

test('a stream asked for late has everything from the first byte', async t => {
  const {run} = await library;
  const running = run('host', ['sh', '-c', 'echo a; sleep 0.5; echo b']);
  await sleep(250);
  t.is((await buffer(running.stdout)).toString(), 'a\nb\n');
  const over = run('host', ['echo', 'c']);
  t.is((await over).stdout, 'c\n');
  t.is((await buffer(over.stdout)).toString(), 'c\n');
});

test('a command that does not read its input is no error', async t => {
  const {run} = await library;
  const endless = () =>
    Readable.from(
      (function* () {
        for (;;) yield data.subarray(0, 65536);
      })(),
    );
  const given = endless();
  t.is((await run('host', ['true'], {stdin: given})).exitCode, 0);
  t.true(given.destroyed, 'a stream that was given is taken over');
  t.is(await run('host', ['head', '-c', '3'], {stdin: data}).text(), data.subarray(0, 3).toString());
  const proc = run('host', ['sleep', '0.2']);
  proc.stdin.write(data);
  t.is((await proc).exitCode, 0);
  t.true(proc.stdin.destroyed);
  proc.stdin.write('after the end');
  await sleep(20);
});

test('a source that fails is not taken for the end of the input', async t => {
  const {run} = await library;
  const failing = Readable.from(
    (async function* () {
      yield 'half';
      await sleep(100);
      throw new Error('disk on fire');
    })(),
  );
  const error = await t.throwsAsync(run('host', ['cat'], {stdin: failing}), {
    code: 'ERR_KEELBOX_STDIO',
    message: /disk on fire/,
  });
  t.true(error?.cause instanceof Error);
  const missing = createReadStream(join(dir, 'missing'));
  await t.throwsAsync(run('host', ['cat'], {stdin: missing}), {code: 'ERR_KEELBOX_STDIO'});
});

test('output goes to a Node stream and is complete when the promise resolves', async t => {
  const {run} = await library;
  const target = join(dir, 'copy');
  const result = await run('host', ['cat'], {stdin: data, stdout: createWriteStream(target)});
  t.is(result.stdout, '');
  t.true(data.equals(readFileSync(target)));
});

test('output goes to a Web stream', async t => {
  const {run} = await library;
  const chunks: Uint8Array[] = [];
  let closed = false;
  const sink = new WritableStream<Uint8Array>({
    write: chunk => void chunks.push(chunk),
    close: () => {
      closed = true;
    },
  });
  await run('host', ['cat'], {stdin: data, stdout: sink});
  t.true(data.equals(Buffer.concat(chunks)));
  t.true(closed);
});

test('one stream for both outputs is ended once, after both', async t => {
  const {run} = await library;
  const both = new PassThrough();
  await run('host', ['sh', '-c', 'echo a; exec >&-; sleep 0.2; echo b >&2'], {stdout: both, stderr: both});
  t.is((await buffer(both)).toString(), 'a\nb\n');
});

test.serial('stderr joins stdout', async t => {
  const {run} = await library;
  const pause = `sleep ${patience(100) / 1000}`;
  const result = await run('host', ['sh', '-c', `echo a; ${pause}; echo b >&2; ${pause}; echo c`], {stderr: 'stdout'});
  t.like(result, {stdout: 'a\nb\nc\n', stderr: ''});
});

test('ignored output is read away, not left in the pipe', async t => {
  const {run} = await library;
  const result = await run('host', ['sh', '-c', 'head -c 3000000 /dev/zero; echo err >&2'], {stdout: 'ignore'});
  t.like(result, {stdout: '', stderr: 'err\n'});
});

test('a target that fails ends the container', async t => {
  const {run} = await library;
  const full = new Writable({write: (_chunk, _encoding, callback) => callback(new Error('no space'))});
  await t.throwsAsync(run('host', ['yes'], {stdout: full}), {code: 'ERR_KEELBOX_STDIO', message: /no space/});
  const missing = createWriteStream(join(dir, 'no', 'such', 'directory'));
  await t.throwsAsync(run('host', ['sleep', '100'], {stdout: missing}), {code: 'ERR_KEELBOX_STDIO'});
});

test('a reader that waits makes the command wait', async t => {
  const {run} = await library;
  const proc = run('host', ['sh', '-c', 'yes | head -c 50000000; echo done >&2']);
  const {stdout} = proc;
  let done = false;
  proc.stderr.on('data', () => {
    done = true;
  });
  await sleep(500);
  t.false(done);
  t.true(stdout.readableLength < 1024 ** 2);
  t.is((await buffer(stdout)).length, 50_000_000);
  await proc;
});

test('a command that waits makes the writer wait', async t => {
  const {run} = await library;
  let pulled = 0;
  const source = Readable.from(
    (function* () {
      for (; pulled < 200; pulled++) yield data.subarray(0, 65536);
    })(),
  );
  const waiting = 'trap : USR1; echo ready >&2; sleep 1000 & wait; wc -c';
  const proc = run('host', ['sh', '-c', waiting], {stdin: source});
  await once(proc.stderr, 'data');
  await sleep(400);
  t.true(pulled < 60, `${pulled} chunks were taken`);
  proc.kill('SIGUSR1');
  t.is(await proc.text(), `${200 * 65536}\n`);
});

test('closing stdout is seen by the command, not by Node', async t => {
  const {run} = await library;
  const proc = run('host', ['yes'], {reject: false});
  proc.stdout.once('data', () => proc.stdout.destroy());
  t.false((await proc).ok);
});

test('maxBuffer ends the container for stdout and for stderr', async t => {
  const {run} = await library;
  const error = await t.throwsAsync(run('host', ['yes'], {maxBuffer: '64k'}), {code: 'ERR_KEELBOX_MAX_BUFFER'});
  t.regex(error?.message ?? '', /stdout is longer than 65536 bytes/);
  const stderr = run('host', ['sh', '-c', 'yes >&2'], {maxBuffer: 1000});
  await t.throwsAsync(stderr, {code: 'ERR_KEELBOX_MAX_BUFFER', message: /stderr/});
  t.is((await run('host', ['head', '-c', '65536', '/dev/zero'], {maxBuffer: '64k'})).stdout.length, 65536);
});

test('inherit is the stdio of Node', t => {
  const script = `import {run} from '${entry}';
    await run('host', ['sh', '-c', 'cat; echo err >&2'], {stdin: 'inherit', stdout: 'inherit', stderr: 'inherit'});
    process.stdout.write('still open\\n')`;
  const args = ['--input-type=module', '-e', `${script};`];
  t.is(
    execFileSync(process.execPath, args, {input: 'in\n', timeout: patience(20_000), stdio: 'pipe'}).toString(),
    'in\nstill open\n',
  );
});

test('inherited stdin that stays open does not keep Node alive', async t => {
  const script = `import {run} from '${entry}'; await run('host', ['head', '-n1'], {stdin: 'inherit', stdout: 'inherit'})`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {timeout: patience(20_000)});
  child.stdin.write('first\nsecond\n');
  const [out, code] = await Promise.all([buffer(child.stdout), new Promise(done => child.on('exit', done))]);
  t.is(out.toString(), 'first\n');
  t.is(code, 0);
});
