/** Clients of a container that lives without them: several at once, with pipes and terminals, that come and go. */
import {type ChildProcess, spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {command, keelbox} from './helpers/cli';
import {lane, patience, type Who} from './helpers/lane';
import {logged} from './helpers/log';
import {PYTHON, Terminal} from './helpers/pty';

const test = lane({host: true, guest: true, rootless: true});

let names = 0;

/** Starts a detached container and removes it when the test is over. Its name. */
async function detached(t: ExecutionContext, who: Who, flags: string[], script: string): Promise<string> {
  names += 1;
  const name = `attach-${names}`;
  t.teardown(() => keelbox(['rm', '-f', name], who));
  const started = await keelbox(['run', '-d', '--name', name, ...flags, 'host', '--', 'sh', '-c', script], who);
  t.is(started.exitCode, 0, started.stderr);
  return name;
}

interface Client {
  child: ChildProcess;
  output: () => string;
  ended: Promise<{exitCode: number | null; signal: NodeJS.Signals | null}>;
}

/** Starts `keelbox ARGS`, which is killed when the test is over. */
function client(t: ExecutionContext, who: Who, args: string[]): Client {
  const {file, args: all, options} = command(args, who);
  const child = spawn(file, all, {...options, stdio: ['pipe', 'pipe', 'pipe']});
  t.teardown(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stdin.on('error', () => {});
  const ended = new Promise<{exitCode: number | null; signal: NodeJS.Signals | null}>(done =>
    child.on('close', (exitCode, signal) => done({exitCode, signal})),
  );
  return {child, output: () => output, ended};
}

async function until(t: ExecutionContext, what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + patience(15_000);
  while (!(await holds())) {
    if (Date.now() > end) return t.fail(`never: ${what}`);
    await sleep(20);
  }
}

test.asEach('every client sees what is printed while it is there, and the log has all of it', async (t, who) => {
  const name = await detached(t, who, ['-i'], 'while read line; do echo "got $line"; done; echo over');
  const one = client(t, who, ['attach', name]);
  one.child.stdin?.write('first\n');
  await until(t, 'the first line', () => one.output().includes('got first\n'));
  const two = client(t, who, ['attach', name]);
  // Until it takes part, nobody can tell: so it says something itself.
  two.child.stdin?.write('second\n');
  await until(t, 'the second line for both', () => [one, two].every(each => each.output().includes('got second\n')));
  one.child.kill('SIGKILL');
  await one.ended;
  two.child.stdin?.write('third\n');
  await until(t, 'the third line', () => two.output().includes('got third\n'));
  t.false(two.output().includes('got first'));
  t.is(logged(who, name), 'got first\ngot second\ngot third\n');
});

test.asEach('a client ends as the container does', async (t, who) => {
  const name = await detached(t, who, ['-i'], 'read line; exit 7');
  const one = client(t, who, ['attach', name]);
  one.child.stdin?.write('go\n');
  t.deepEqual(await one.ended, {exitCode: 7, signal: null});
  const late = await keelbox(['attach', name], who);
  t.is(late.exitCode, 1);
  t.regex(late.stderr, /is not running/);
});

test.asEach('run without --rm: all bytes come, whoever reads them, and stdin ends', async (t, who) => {
  const size = 5_000_000;
  const sum = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  // Within the log's bounds.
  const sent = Buffer.alloc(size, `${'keelbox '.repeat(20)}\n`);
  t.teardown(() => keelbox(['rm', '-f', `bytes-${who.asUser}`], who));
  const through = await keelbox(['run', '-i', '--name', `bytes-${who.asUser}`, 'host', '--', 'cat'], {
    ...who,
    input: sent,
  });
  t.is(through.exitCode, 0, through.stderr);
  t.is(sum(through.bytes), sum(sent));
  t.is(sum(Buffer.from(logged(who, `bytes-${who.asUser}`), 'latin1')), sum(sent));
});

test.asEach('attach | head: exactly the first bytes, and the container prints on', async (t, who) => {
  const name = await detached(t, who, ['-i'], 'read go; seq 100000; read go');
  const {file, args, options} = command(['attach', name], who);
  const line = [file, ...args].map(word => `'${word}'`).join(' ');
  const shell = spawn('bash', ['-c', `(echo go; sleep 1000) | ${line} | head -n 3; echo "code \${PIPESTATUS[1]}"`], {
    ...options,
    detached: true,
  });
  t.teardown(() => shell.pid !== undefined && process.kill(-shell.pid, 'SIGKILL'));
  let output = '';
  shell.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await until(t, 'everything', () => logged(who, name).endsWith('\n100000\n'));
  await until(t, 'what head has read', () => output.includes('3\n'));
  t.is(output, '1\n2\n3\n');
});

test.asEach('a client that does not read holds the container up only as long as it lives', async (t, who) => {
  // Three megabytes: more than all pipes between the two hold.
  const [lines, width] = [30_000, 100];
  const script = `while read line && [ $line != go ]; do echo "got $line"; done; seq -f %0${width}.0f ${lines}; echo over; sleep 1000`;
  const name = await detached(t, who, ['-i'], script);
  const deaf = client(t, who, ['attach', name]);
  deaf.child.stdin?.write('deaf\n');
  await until(t, 'the deaf one', () => deaf.output().includes('got deaf\n'));
  const quick = client(t, who, ['attach', name]);
  quick.child.stdin?.write('quick\n');
  await until(t, 'the quick one', () => quick.output().includes('got quick\n'));
  deaf.child.stdout?.pause();
  deaf.child.kill('SIGSTOP');
  quick.child.stdin?.write('go\n');
  await until(t, 'a beginning', () => quick.output().includes('01\n'));
  t.false(logged(who, name).includes('over'));
  deaf.child.kill('SIGKILL');
  await until(t, 'everything', () => quick.output().endsWith(`${lines}\nover\n`));
  t.is(logged(who, name), `got deaf\n${quick.output()}`);
});

test.asEach('--sig-proxy=false keeps signals here', async (t, who) => {
  // What both see tells that they take part, and so that they have their handlers.
  const script = '(while :; do echo tick; sleep 0.2; done) & trap "echo term" TERM; while :; do wait; done';
  const name = await detached(t, who, [], script);
  const look = client(t, who, ['attach', '--no-stdin', '--sig-proxy=false', name]);
  const passes = client(t, who, ['attach', '--no-stdin', name]);
  await until(t, 'both', () => look.output().includes('tick') && passes.output().includes('tick'));
  look.child.kill('SIGTERM');
  t.deepEqual(await look.ended, {exitCode: 143, signal: null});
  t.false(logged(who, name).includes('term'));
  passes.child.kill('SIGTERM');
  await until(t, 'the signal', () => passes.output().includes('term\n'));
});

const terminalTest = test.needing(PYTHON);

terminalTest.asEach('a terminal is left by its keys, and taken again', async (t, who) => {
  const name = `terminal-${who.asUser}`;
  t.teardown(() => keelbox(['rm', '-f', name], who));
  const first = Terminal.open(t, command(['run', '-it', '--name', name, 'host', 'sh'], who), {rows: 30, columns: 90});
  first.send('PS1="> "; echo so$((40+2))\r');
  await first.waitFor('so42');
  first.send('\x1d');
  t.deepEqual(await first.exited, {exitCode: 0, signal: null});
  t.true((await first.modes()).icanon);
  t.true(first.output.includes('read escape sequence'));
  const again = Terminal.open(t, command(['attach', '--detach-keys', 'ctrl-p,ctrl-q', name], who), {
    rows: 20,
    columns: 70,
  });
  // Another client's window has another size. Nothing tells when it has arrived.
  const showsSize = (size: string) =>
    until(t, size, async () => {
      again.send('stty size\r');
      await sleep(200);
      return again.output.includes(size);
    });
  await showsSize('20 70');
  again.resize(25, 75);
  await showsSize('25 75');
  // The first of the keys alone goes to the shell: its history.
  again.send('\x10\r');
  again.send('\x10\x11');
  t.deepEqual(await again.exited, {exitCode: 0, signal: null});
  const last = Terminal.open(t, command(['attach', name], who));
  last.send('exit 3\r');
  t.deepEqual(await last.exited, {exitCode: 3, signal: null});
  t.true((await last.modes()).icanon);
});

terminalTest.asEach('one of --rm lives on without its client, and goes at its end', async (t, who) => {
  const name = `passed-${who.asUser}`;
  const first = Terminal.open(t, command(['run', '--rm', '-it', '--name', name, 'host', 'sh'], who));
  first.send('PS1="> "; x=so$((40+2)); echo $x\r');
  await first.waitFor('so42');
  first.send('\x1d');
  t.deepEqual(await first.exited, {exitCode: 0, signal: null});
  const again = Terminal.open(t, command(['attach', name], who));
  again.send('echo it is $x\r');
  await again.waitFor('it is so42');
  again.send('exit 4\r');
  t.deepEqual(await again.exited, {exitCode: 4, signal: null});
  t.is((await keelbox(['ps', '-a', '-q', '--filter', `name=${name}`], who)).stdout, '');
});

terminalTest.asEach('Ctrl-C in a terminal that the supervisor has', async (t, who) => {
  const name = `keys-${who.asUser}`;
  t.teardown(() => keelbox(['rm', '-f', name], who));
  const sleeping = Terminal.open(
    t,
    command(['run', '-it', '--name', name, 'host', 'sh', '-c', 'echo ready; exec sleep 1000'], who),
  );
  await sleeping.waitFor('ready');
  sleeping.send('\x03');
  t.deepEqual(await sleeping.exited, {exitCode: 130, signal: null});
});

terminalTest.asEach('a closed window leaves a container without --rm alone', async (t, who) => {
  const name = `window-${who.asUser}`;
  t.teardown(() => keelbox(['rm', '-f', name], who));
  const terminal = Terminal.open(t, command(['run', '-it', '--name', name, 'host', 'sh'], who));
  terminal.send('echo so$((40+2))\r');
  await terminal.waitFor('so42');
  await terminal.close();
  const {stdout} = await keelbox(['ps', '-q', '--no-trunc', '--filter', `name=${name}`], who);
  t.is(stdout.trim().length, 64);
});

test.asEach('what has no stdin or no client to share is said', async (t, who) => {
  const name = await detached(t, who, ['-it'], 'sleep 1000');
  const piped = await keelbox(['attach', name], {...who, input: ''});
  t.is(piped.exitCode, 125);
  t.regex(piped.stderr, /stdin is none/);
  const keys = await keelbox(['attach', '--detach-keys', 'ctrl-1', name], who);
  t.regex(keys.stderr, /no detach keys/);
  const unmade = await keelbox(['run', '-i', '--detach-keys', 'ctrl-1', '--name', 'unmade', 'host', 'true'], who);
  t.is(unmade.exitCode, 125);
  t.regex(unmade.stderr, /no detach keys/);
  t.is((await keelbox(['inspect', 'unmade'], who)).exitCode, 1, 'said before anything was made');
  const none = await keelbox(['attach', 'nobody'], who);
  t.is(none.exitCode, 1);
});
