/** Commands of the library that have a terminal: sizes, bytes, keys, and how they end. */
import type {ExecOptions, Proc, RunOptions} from '../src/index';
import {homeOf, keelbox} from './helpers/cli';
import {until} from './helpers/journal';
import {lane} from './helpers/lane';
import {libraryUrl, nodeProgram, outcome} from './helpers/node-program';

const test = lane({host: true, guest: true, rootless: true});
const {root, runRoot} = homeOf();
process.env.KEELBOX_ROOT = root;
process.env.KEELBOX_RUNROOT = runRoot;

const library = import(libraryUrl()) as Promise<typeof import('../src/index')>;

type Start = (argv: string[], options: ExecOptions & RunOptions) => Proc;

/** Both ways to a command with a terminal. */
const ways: [way: string, use: (body: (start: Start) => Promise<void>) => Promise<void>][] = [
  [
    'run',
    async body => {
      const {run} = await library;
      await body((argv, options) => run('host', argv, options));
    },
  ],
  [
    'exec',
    async body => {
      const {Container} = await library;
      await using box = await Container.create('host');
      await body((argv, options) => box.exec(argv, options));
    },
  ],
];

/** What a command has shown so far. */
function shown(proc: Proc): () => string {
  let text = '';
  proc.stdout.on('data', chunk => (text += chunk));
  return () => text;
}

for (const [way, use] of ways) {
  test(`${way}: a terminal of the size that was asked for, which can be changed`, async t => {
    await use(async start => {
      t.is(await start(['sh', '-c', 'tty; stty size'], {tty: true}).text(), '/dev/pts/0\r\n24 80\r\n');
      const script = 'stty size; trap "stty size; exit 3" WINCH; echo ready; while :; do sleep 1000 & wait; done';
      const proc = start(['sh', '-c', script], {tty: {columns: 101, rows: 33}, reject: false});
      const text = shown(proc);
      t.true(await until(() => text().includes('ready')), text());
      proc.resize({columns: 120, rows: 40});
      t.like(await proc, {exitCode: 3, stderr: ''});
      t.is(text(), '33 101\r\nready\r\n40 120\r\n');
      const early = start(['sh', '-c', 'while [ "$(stty size)" != "7 9" ]; do sleep 0.01; done'], {tty: true});
      early.resize({columns: 9, rows: 7});
      t.true((await early).ok, 'asked for before it has started');
      t.throws(() => early.resize({columns: 1.5, rows: 7}), {code: 'ERR_KEELBOX_INVALID_ARG'});
    });
  });

  test(`${way}: bytes pass as they are, and keys are those of a terminal`, async t => {
    await use(async start => {
      const all = Buffer.from(Array.from({length: 256}, (_, byte) => byte));
      const raw = start(['sh', '-c', 'stty raw -echo; echo up; head -c 256 | od -An -v -tx1'], {
        tty: true,
        stdin: 'pipe',
      });
      const text = shown(raw);
      t.true(await until(() => text().includes('up')), text());
      raw.stdin.write(all);
      await raw;
      t.is(text().replace('up', '').replace(/\s/g, ''), all.toString('hex'));
      const shell = start(['sh', '-c', 'cat; echo over; exec sleep 1000'], {tty: true, stdin: 'pipe', reject: false});
      const screen = shown(shell);
      shell.stdin.write('typed\r\x04');
      t.true(await until(() => screen().includes('over')), screen());
      t.is(screen(), 'typed\r\ntyped\r\nover\r\n');
      shell.stdin.write('\x03');
      t.is((await shell).signal, 'SIGINT');
      const fed = start(['head', '-n', '2'], {tty: true, stdin: 'one\rtwo\r'});
      t.is((await fed.text()).replaceAll('\r\n', ' '), 'one two one two ');
    });
  });

  test(`${way}: a lot is read to its last byte, also after the end and by lines`, async t => {
    await use(async start => {
      const lines: string[] = [];
      for await (const line of start(['seq', '100000'], {tty: true})) lines.push(line);
      t.is(lines.length, 100_000);
      t.is(lines.at(-1)?.trim(), '100000');
      const events: string[] = [];
      for await (const {type} of start(['echo', 'x'], {tty: true}).events()) events.push(type);
      t.deepEqual(events, ['start', 'stdout', 'exit']);
      await t.throwsAsync(start(['yes'], {tty: true, maxBuffer: '64k'}), {code: 'ERR_KEELBOX_MAX_BUFFER'});
      await t.throwsAsync(start(['sleep', '100'], {tty: true, timeout: 200}), {code: 'ERR_KEELBOX_TIMEOUT'});
    });
  });
}

test('a terminal of exec is that of no other command, and what was left open in it does not hold its end up', async t => {
  const {Container} = await library;
  await using box = await Container.create('host');
  const [one, two] = [box.exec(['tty'], {tty: true}), box.exec(['tty'], {tty: true})];
  const names = [await one.text(), await two.text()];
  t.true(
    names.every(name => /^\/dev\/pts\/\d+\r\n$/.test(name)),
    names.join(''),
  );
  const left = box.exec(['sh', '-c', 'trap "" HUP; sleep 1000 & echo done'], {tty: true});
  t.is(await left.text(), 'done\r\n');
});

test.asEach('a Node that is killed takes its command with a terminal along', async (t, who) => {
  const name = `terminal-${who.asUser}`;
  const program = `const box = await Container.create('host', {name: '${name}', lifetime: 'scope'});
    const proc = box.exec(['sh', '-c', 'trap "" HUP TERM; echo up; while :; do sleep 593; done'], {tty: true});
    proc.stdout.once('data', () => process.kill(process.pid, 'SIGKILL'));
    await proc;`;
  t.like(await outcome(nodeProgram(program, who)), {signal: 'SIGKILL', stderr: ''});
  const processes = async () => (await keelbox(['top', name, 'args'], who)).stdout;
  t.true(await until(async () => !(await processes()).includes('sleep 593')), await processes());
  t.is((await keelbox(['rm', '-f', name], who)).exitCode, 0);
});
