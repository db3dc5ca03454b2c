/** Signals sent to a client reach the container, and what pid 1 would be spared ends it all the same. */
import {type ChildProcess, spawn} from 'node:child_process';
import {createInterface} from 'node:readline';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {command, keelbox} from './helpers/cli';
import {lane, patience, type Who} from './helpers/lane';

const test = lane({host: true, guest: true, rootless: true});

const NUMBERS = {SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGUSR1: 10, SIGUSR2: 12, SIGALRM: 14, SIGTERM: 15};
type Name = keyof typeof NUMBERS;

class Client {
  readonly lines: string[] = [];
  readonly closed: Promise<{exitCode: number | null; signal: NodeJS.Signals | null}>;
  readonly #child: ChildProcess;

  constructor(t: ExecutionContext, args: string[], who: Who) {
    const {file, args: all, options} = command(args, who);
    this.#child = spawn(file, all, {...options, stdio: ['ignore', 'pipe', 'inherit']});
    const timer = setTimeout(() => this.kill('SIGKILL'), patience(30_000));
    if (this.#child.stdout) createInterface({input: this.#child.stdout}).on('line', line => this.lines.push(line));
    this.closed = new Promise(resolve => this.#child.on('close', (exitCode, signal) => resolve({exitCode, signal})));
    this.closed.then(() => clearTimeout(timer));
    t.teardown(() => this.kill('SIGKILL'));
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async waitFor(line: string): Promise<void> {
    const until = Date.now() + patience(20_000);
    while (!this.lines.includes(line)) {
      if (Date.now() > until) throw new Error(`never said ${line}: ${this.lines.join(', ')}`);
      await sleep(10);
    }
  }
}

const run = (t: ExecutionContext, who: Who, flags: string[], script: string) =>
  new Client(t, ['run', '--rm', ...flags, 'host', 'sh', '-c', script], who);

/** A shell that stays pid 1, and has no handlers. */
const PLAIN = 'echo ready; while :; do sleep 1000 & wait; done';

async function status(name: string, who: Who): Promise<string> {
  const {stdout} = await keelbox(['ps', '-a', '--json'], who);
  const list = JSON.parse(stdout) as {name: string; status: string}[];
  return list.find(container => container.name === name)?.status ?? 'gone';
}

async function becomes(name: string, wanted: string, who: Who): Promise<string> {
  let now = await status(name, who);
  for (const until = Date.now() + patience(10_000); now !== wanted && Date.now() < until; await sleep(20)) {
    now = await status(name, who);
  }
  return now;
}

test.asEach('a signal that the container catches is forwarded to it, and nothing more', async (t, who) => {
  const traps = Object.keys(NUMBERS).map(name => `trap "echo ${name}" ${name.slice(3)}`);
  const client = run(t, who, [], `${traps.join('; ')}; trap "exit 5" WINCH; ${PLAIN}`);
  await client.waitFor('ready');
  for (const name of Object.keys(NUMBERS) as Name[]) {
    client.kill(name);
    await client.waitFor(name);
  }
  client.kill('SIGKILL');
  await client.closed;
  t.deepEqual(client.lines, ['ready', ...Object.keys(NUMBERS)]);
});

for (const name of Object.keys(NUMBERS) as Name[]) {
  test.asEach(`${name} ends a container that does nothing about it, as ${128 + NUMBERS[name]}`, async (t, who) => {
    const client = run(t, who, [], PLAIN);
    await client.waitFor('ready');
    client.kill(name);
    t.deepEqual(await client.closed, {exitCode: 128 + NUMBERS[name], signal: null});
  });
}

test.asEach('a signal that the container ignores leaves it alone', async (t, who) => {
  const client = run(t, who, [], `trap "" TERM HUP; trap "exit 7" USR1; ${PLAIN}`);
  await client.waitFor('ready');
  client.kill('SIGTERM');
  client.kill('SIGHUP');
  await sleep(300);
  client.kill('SIGUSR1');
  t.deepEqual(await client.closed, {exitCode: 7, signal: null});
});

test.asEach('with --init a signal reaches the command, caught or not', async (t, who) => {
  const caught = run(t, who, ['--init'], `trap "exit 6" TERM; ${PLAIN}`);
  await caught.waitFor('ready');
  caught.kill('SIGTERM');
  t.deepEqual(await caught.closed, {exitCode: 6, signal: null});
  const plain = run(t, who, ['--init'], PLAIN);
  await plain.waitFor('ready');
  plain.kill('SIGTERM');
  t.deepEqual(await plain.closed, {exitCode: 143, signal: null});
});

test
  .needing('python3')
  .asEach('a signal that the container has blocked to wait for it is delivered', async (t, who) => {
    const program =
      'import signal,sys; s={signal.SIGTERM}; signal.pthread_sigmask(signal.SIG_BLOCK,s); print("ready",flush=True); signal.sigwait(s); sys.exit(8)';
    const client = new Client(t, ['run', '--rm', 'host', 'python3', '-c', program], who);
    await client.waitFor('ready');
    client.kill('SIGTERM');
    t.deepEqual(await client.closed, {exitCode: 8, signal: null});
  });

test.asEach('killing the client takes a --rm container along', async (t, who) => {
  const client = run(t, who, ['--name', 'tied'], PLAIN);
  await client.waitFor('ready');
  client.kill('SIGKILL');
  await client.closed;
  t.is(await becomes('tied', 'gone', who), 'gone');
});

test.asEach('without --rm it lives on, writes without blocking, and rm -f ends it', async (t, who) => {
  // More than any pipe holds, then a sign of life in another place.
  const script =
    'echo ready; while [ ! -e /tmp/go ]; do sleep 0.05; touch /tmp/go; done; seq 1 1000000; seq 1 1000000 >&2';
  const client = new Client(t, ['run', '--name', 'free', 'host', 'sh', '-c', script], who);
  await client.waitFor('ready');
  client.kill('SIGKILL');
  await client.closed;
  t.is(await becomes('free', 'exited', who), 'exited');
  t.is((await keelbox(['rm', 'free'], who)).exitCode, 0);
  const longer = new Client(t, ['run', '--name', 'longer', 'host', 'sh', '-c', PLAIN], who);
  await longer.waitFor('ready');
  longer.kill('SIGKILL');
  await longer.closed;
  await sleep(200);
  t.is(await status('longer', who), 'running');
  t.is((await keelbox(['rm', 'longer'], who)).exitCode, 2);
  t.is((await keelbox(['rm', '-f', 'longer'], who)).exitCode, 0);
  t.is(await status('longer', who), 'gone');
});

test.asEach('a client that is stopped and continued goes on', async (t, who) => {
  const client = run(t, who, [], `trap "exit 3" TERM; ${PLAIN}`);
  await client.waitFor('ready');
  client.kill('SIGSTOP');
  await sleep(100);
  client.kill('SIGCONT');
  client.kill('SIGTERM');
  t.deepEqual(await client.closed, {exitCode: 3, signal: null});
});
