/** `-it`: a real terminal in front of the client, a real one inside, and the outer one as it was on every way out. */
import {createHash} from 'node:crypto';
import {existsSync, readFileSync, readlinkSync} from 'node:fs';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {command, homeOf, keelbox} from './helpers/cli';
import {lane, patience, type Who} from './helpers/lane';
import {PYTHON, Terminal} from './helpers/pty';
import {busybox, busyboxRoot} from './helpers/roots';

const test = lane({host: true, guest: true, rootless: true}).needing(PYTHON);
const testBusybox = lane({host: true, guest: true, rootless: true}).needing(PYTHON, busybox);

const open = (t: ExecutionContext, who: Who, args: string[], size = {}) =>
  Terminal.open(t, command(['run', '--rm', ...args], who), size);

let shells = 0;

/**
 * Runs the client under a shell that writes down all settings of the terminal before and after; `same` compares them
 * once the shell has said `over CODE`.
 */
function underShell(t: ExecutionContext, who: Who, args: string[]) {
  const {file, args: cli, options} = command(['run', ...args], who);
  shells += 1;
  const place = path.join(homeOf(who.asUser).home, `stty-${shells}`);
  const quoted = [file, ...cli].map(word => `'${word}'`).join(' ');
  const script = `stty -a > ${place}.1; ${quoted}; code=$?; stty -a > ${place}.2; echo over $code`;
  const terminal = Terminal.open(t, {file: 'sh', args: ['-c', script], options});
  const same = () => readFileSync(`${place}.1`, 'utf8') === readFileSync(`${place}.2`, 'utf8');
  return {terminal, same};
}

const childrenOf = (pid: number) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

function only(pid: number): number {
  const [child] = childrenOf(pid);
  if (child === undefined) throw new Error(`${pid} has no child`);
  return child;
}

async function becomes(condition: () => Promise<boolean> | boolean, milliseconds = patience(10_000)): Promise<boolean> {
  for (const until = Date.now() + milliseconds; Date.now() < until; await sleep(20)) if (await condition()) return true;
  return false;
}

/** Its end and its output come to us by two ways. */
async function shows(terminal: Terminal, pattern: RegExp): Promise<boolean> {
  return becomes(() => pattern.test(terminal.output), patience(20_000));
}

test.asEach('the terminal inside is pts/0, /dev/console and the controlling one', async (t, who) => {
  const terminal = open(t, who, [
    '-it',
    'host',
    'sh',
    '-c',
    'tty; echo in > /dev/tty; echo on > /dev/console; ps -o tty= $$',
  ]);
  t.deepEqual(await terminal.exited, {exitCode: 0, signal: null});
  t.true(await shows(terminal, /^\/dev\/pts\/0\r\nin\r\non\r\npts\/0\s*$/), terminal.output);
});

test.asEach('the size is right before the command starts, never 0, and follows the window', async (t, who) => {
  const script = 'stty size; trap "stty size" WINCH; echo ready; while :; do sleep 1000 & wait; done';
  const terminal = open(t, who, ['-it', 'host', 'sh', '-c', script], {rows: 31, columns: 97});
  await terminal.waitFor('ready');
  t.true(terminal.output.startsWith('31 97\r\n'));
  terminal.resize(20, 70);
  await terminal.waitFor('20 70');
  terminal.kill('SIGTERM');
  await terminal.exited;
  const none = open(t, who, ['-it', 'host', 'stty', 'size'], {rows: 0, columns: 0});
  await none.exited;
  t.true(await shows(none, /^[1-9]\d* [1-9]\d*\r\n$/), none.output);
});

test.asEach('without -i the terminal is for output only', async (t, who) => {
  const {stdout} = await keelbox(['run', '--rm', '-t', 'host', 'sh', '-c', 'test -t 0 && test -t 1 && echo yes'], who);
  t.is(stdout, 'yes\r\n');
});

test.asEach('a pipeline behind -t ends with its reader', async (t, who) => {
  const {file, args, options} = command(['run', '--rm', '-t', 'host', 'yes'], who);
  const script = `'${file}' ${args.map(word => `'${word}'`).join(' ')} | head -1; echo "\${PIPESTATUS[0]}"`;
  const terminal = Terminal.open(t, {file: 'bash', args: ['-c', script], options});
  t.deepEqual(await terminal.exited, {exitCode: 0, signal: null});
  t.true(await shows(terminal, /^y\s+129\s*$/), terminal.output);
});

test.asEach('on every way out the terminal is as it was', async (t, who) => {
  const sleeper = ['--rm', '-it', 'host', 'sh', '-c', 'echo ready; sleep 1000'];
  const ways: Record<string, (shell: number) => [number, NodeJS.Signals]> = {
    'the client, SIGTERM': shell => [only(shell), 'SIGTERM'],
    'the client, SIGKILL': shell => [only(shell), 'SIGKILL'],
    'the supervisor, SIGKILL': shell => [only(only(shell)), 'SIGKILL'],
    'the first process, SIGKILL': shell => [only(only(only(shell))), 'SIGKILL'],
  };
  for (const [way, victim] of Object.entries(ways)) {
    const {terminal, same} = underShell(t, who, sleeper);
    await terminal.waitFor('ready');
    t.true(await becomes(async () => !(await terminal.modes()).icanon), `${way}: never raw`);
    process.kill(...victim(await terminal.pid));
    await terminal.waitFor(/over \d+/);
    const isSane = async () => (await terminal.modes()).icanon;
    t.true(await becomes(isSane), way);
    await terminal.exited;
    // After a killed client the supervisor needs a moment, and the shell may have looked before.
    if (way !== 'the client, SIGKILL') t.true(same(), way);
    const {echo, icanon, isig, icrnl, opost} = await terminal.modes();
    t.true(echo && icanon && isig && icrnl && opost, way);
  }
  const {terminal, same} = underShell(t, who, ['--rm', '-it', 'host', 'sh', '-c', 'stty -echo; exit 3']);
  await terminal.waitFor('over 3');
  await terminal.exited;
  t.true(same(), 'exit');
});

test.asEach('Ctrl-C ends a program without a handler, and interrupts a shell only', async (t, who) => {
  const plain = open(t, who, ['-it', 'host', 'sh', '-c', 'echo ready; exec sleep 1000']);
  await plain.waitFor('ready');
  plain.send('\x03');
  t.deepEqual(await plain.exited, {exitCode: 130, signal: null});
  const shell = open(t, who, ['-it', 'host', 'bash', '--norc']);
  await shell.waitFor(/[$#]$/m);
  shell.send('sh -c \'echo be"gun"; exec sleep 1000\'\r');
  await shell.waitFor('begun');
  shell.send('\x03');
  shell.send('echo still-$((1+1))\r');
  await shell.waitFor('still-2');
  shell.send('exit 4\r');
  t.deepEqual(await shell.exited, {exitCode: 4, signal: null});
});

test.asEach('with --init Ctrl-C reaches the command', async (t, who) => {
  const caught = open(t, who, [
    '-it',
    '--init',
    'host',
    'bash',
    '-c',
    'trap "exit 9" INT; echo ready; while :; do sleep 0.05; done',
  ]);
  await caught.waitFor('ready');
  caught.send('\x03');
  t.deepEqual(await caught.exited, {exitCode: 9, signal: null});
});

test.asEach('Ctrl-Z stops a job inside, and the shell goes on', async (t, who) => {
  const shell = open(t, who, ['-it', 'host', 'bash', '--norc']);
  await shell.waitFor(/[$#]$/m);
  shell.send('sh -c \'echo be"gun"; exec sleep 1000\'\r');
  await shell.waitFor('begun');
  shell.send('\x1a');
  await shell.waitFor('Stopped');
  shell.send('kill %1; exit 5\r');
  shell.send('exit 5\r');
  t.deepEqual(await shell.exited, {exitCode: 5, signal: null});
});

test.asEach('a big paste arrives whole', async (t, who) => {
  const lines = Array.from({length: 2000}, (_, number) => `${number} ${'x'.repeat(50)}`);
  const text = `${lines.join('\r')}\r`;
  const terminal = open(t, who, [
    '-it',
    'host',
    'sh',
    '-c',
    'stty -echo; echo ready; head -n 2000 | md5sum; stty echo',
  ]);
  await terminal.waitFor('ready');
  terminal.send(text);
  t.is((await terminal.exited).exitCode, 0);
  const digest = createHash('md5').update(text.replaceAll('\r', '\n')).digest('hex');
  t.true(await shows(terminal, new RegExp(digest)), terminal.output);
});

test.asEach('a client that was stopped is back in raw mode when it goes on', async (t, who) => {
  const {terminal} = underShell(t, who, ['--rm', '-it', 'host', 'cat']);
  t.true(await becomes(async () => !(await terminal.modes()).icanon));
  const client = only(await terminal.pid);
  process.kill(client, 'SIGSTOP');
  t.true(await becomes(() => /^State:\s+T/m.test(readFileSync(`/proc/${client}/status`, 'utf8'))));
  const reset = Terminal.open(t, {
    file: 'stty',
    args: ['-F', readlinkSync(`/proc/${client}/fd/0`), 'sane'],
    options: {cwd: '/', env: {PATH: process.env.PATH ?? ''}},
  });
  await reset.exited;
  t.true((await terminal.modes()).icanon);
  process.kill(client, 'SIGCONT');
  t.true(await becomes(async () => !(await terminal.modes()).icanon));
  terminal.send('back\r');
  await terminal.waitFor('back');
  terminal.send('\x04');
  await terminal.waitFor('over 0');
});

test.asEach('a terminal that is closed takes a --rm container along, even one that ignores it', async (t, who) => {
  for (const [name, trap] of [
    ['gone-plain', 'true'],
    ['gone-deaf', 'trap "" HUP'],
  ] as const) {
    const script = `${trap}; echo ready; while :; do sleep 1000 & wait; done`;
    const terminal = open(t, who, ['-it', '--name', name, 'host', 'sh', '-c', script]);
    await terminal.waitFor('ready');
    const client = await terminal.pid;
    await terminal.close();
    t.true(await becomes(() => !existsSync(`/proc/${client}`), patience(20_000)), name);
    const isGone = async () => !(await keelbox(['ps', '-a', '--json'], who)).stdout.includes(name);
    t.true(await becomes(isGone), name);
  }
});

test.asEach('a container may close its terminal and open it again', async (t, who) => {
  const script = 'exec </dev/null >/dev/null 2>&1; sleep 0.5; echo back > /dev/console; exit 6';
  const terminal = open(t, who, ['-it', 'host', 'sh', '-c', script]);
  t.deepEqual(await terminal.exited, {exitCode: 6, signal: null});
  t.true(await shows(terminal, /^back\r\n$/), terminal.output);
});

test.asEach('what is written just before the end is on the screen', async (t, who) => {
  const terminal = open(t, who, ['-it', 'host', 'sh', '-c', 'seq 1 5000; echo end; exit 2']);
  t.deepEqual(await terminal.exited, {exitCode: 2, signal: null});
  t.true(await shows(terminal, /4999\r\n5000\r\nend\r\n$/), terminal.output.slice(-40));
});

testBusybox.asEach('vi and top draw on it', async (t, who) => {
  const root = await busyboxRoot(who);
  const vi = open(t, who, ['-it', '--rootfs', root, 'vi', '/tmp/file']);
  await vi.waitFor(/^~$/m);
  vi.send('ihello from inside\x1b');
  await vi.waitFor('hello from inside');
  vi.send(':wq\r');
  t.is((await vi.exited).exitCode, 0);
  const top = open(t, who, ['-it', '--rootfs', root, 'top']);
  await top.waitFor(/PID +PPID/);
  top.send('q');
  t.is((await top.exited).exitCode, 0);
});
