/** What stays beside a container: its log, its end, its restarts, its health, and what is left when parts of it are killed. */
import {spawn} from 'node:child_process';
import {existsSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {command, homeOf, keelbox} from './helpers/cli';
import {lane, patience, scaled, type Who} from './helpers/lane';
import {logFiles, logged, times} from './helpers/log';

const test = lane({host: true, guest: true, rootless: true});

let names = 0;

async function run(
  t: ExecutionContext,
  who: Who,
  flags: string[],
  script: string,
): Promise<{name: string; id: string}> {
  names += 1;
  const name = `supervised-${names}`;
  t.teardown(() => keelbox(['rm', '-f', name], who));
  const started = await keelbox(['run', '-d', '--name', name, ...flags, 'host', '--', 'sh', '-c', script], who);
  t.is(started.exitCode, 0, started.stderr);
  return {name, id: started.stdout.trim()};
}

interface State {
  pid: number;
  supervisor: number;
  paused: boolean;
  restarting: boolean;
  restartCount: number;
  health: string | null;
}

interface Exit {
  exitCode: number;
  signal: number | null;
  stopped: boolean;
  restartCount: number;
}

function read<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch {
    return undefined;
  }
}

const stateOf = (who: Who, id: string) =>
  read<State>(path.join(homeOf(who.asUser).runRoot, 'containers', id, 'state.json'));
const exitOf = (who: Who, id: string) => read<Exit>(path.join(homeOf(who.asUser).root, 'containers', id, 'exit.json'));

async function until(
  t: ExecutionContext,
  what: string,
  holds: () => boolean | Promise<boolean>,
  milliseconds = patience(20_000),
): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!(await holds())) {
    if (Date.now() > end) return t.fail(`never: ${what}`);
    await sleep(20);
  }
}

/** What a process alone has and would free, in kB. Its code it shares with all others of its kind. */
const memory = (pid: number) =>
  Number(/^Pss_Anon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);

const share = (pid: number) => /^Pss:\s+(\d+ kB)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];

test.asEach('a gigabyte of output: the memory stays flat, and the log keeps its bounds', async (t, who) => {
  const bytes = scaled(1_000_000_000);
  const line = 'x'.repeat(99);
  const script = `read go; yes ${line} | head -c ${bytes}; echo over; sleep 1000`;
  const {name, id} = await run(t, who, ['-i', '--log-opt', 'max-size=1m', '--log-opt', 'max-file=3'], script);
  const supervisor = stateOf(who, id)?.supervisor ?? 0;
  await until(t, 'rest', () => memory(supervisor) <= 150);
  const before = memory(supervisor);
  t.log(`at rest: ${before} kB, with its share of the code ${share(supervisor)}`);
  const {file, args, options} = command(['attach', name], who);
  const client = spawn(file, args, {...options, stdio: ['pipe', 'ignore', 'ignore']});
  t.teardown(() => void client.kill('SIGKILL'));
  const begun = Date.now();
  client.stdin.write('go\n');
  let most = 0;
  await until(
    t,
    'the end of the output',
    async () => {
      most = Math.max(most, memory(supervisor));
      await sleep(200);
      return logged(who, name).endsWith('\nover\n');
    },
    patience(180_000),
  );
  t.log(`busy: ${most} kB, ${Math.round(bytes / 1e3 / (Date.now() - begun))} MB/s`);
  t.true(most <= 500, `${most} kB while busy`);
  client.kill('SIGKILL');
  await until(t, `rest again: ${before} kB`, () => memory(supervisor) <= before + 60);
  t.log(`after it: ${memory(supervisor)} kB`);
  t.is(logFiles(who, name).length, 3);
});

test.asEach('stop: a signal, its time, then SIGKILL; and the end is told as it was', async (t, who) => {
  const polite = await run(t, who, [], 'trap "exit 3" TERM; echo ready; while :; do sleep 1000 & wait; done');
  await until(t, 'ready', () => logged(who, polite.name) === 'ready\n');
  t.is((await keelbox(['stop', polite.name], who)).exitCode, 0);
  t.like(exitOf(who, polite.id), {exitCode: 3, signal: null, stopped: true});
  const deaf = await run(t, who, [], 'trap "" TERM; echo ready; while :; do sleep 1000 & wait; done');
  await until(t, 'ready', () => logged(who, deaf.name) === 'ready\n');
  const begun = Date.now();
  t.is((await keelbox(['stop', '-t', '1', deaf.name], who)).exitCode, 0);
  t.true(Date.now() - begun >= 1000);
  t.like(exitOf(who, deaf.id), {exitCode: 137, signal: 9, stopped: true});
  // The kernel would drop the signal.
  const plain = await run(t, who, [], 'exec sleep 1000');
  t.is((await keelbox(['stop', '-t', '1000', plain.name], who)).exitCode, 0);
  t.like(exitOf(who, plain.id), {exitCode: 143, signal: 15, stopped: true});
});

test.asEach('--restart on-failure: so many times, with pauses that grow', async (t, who) => {
  const {name, id} = await run(t, who, ['--restart', 'on-failure:3'], 'echo run; exit 5');
  const {stdout} = await keelbox(['wait', name], who);
  t.is(stdout, '5\n');
  t.like(exitOf(who, id), {exitCode: 5, restartCount: 3, stopped: false});
  const starts = times(who, name);
  t.is(starts.length, 4);
  const pauses = starts.slice(1).map((time, index) => time - (starts[index] ?? 0));
  t.log(`pauses: ${pauses.join(', ')} ms`);
  for (const [index, least] of [100, 200, 400].entries()) t.true((pauses[index] ?? 0) >= least, pauses.join());
});

test.asEach('--restart always: same container, its files and its log; stop ends it for good', async (t, who) => {
  const script = 'echo "run $(wc -l < /root/runs 2>/dev/null)"; echo >> /root/runs; sleep 0.1';
  const {name, id} = await run(t, who, ['--restart', 'always'], script);
  await until(t, 'a third run', () => /run 2/.test(logged(who, name)));
  const supervisor = stateOf(who, id)?.supervisor;
  await until(t, 'restarts', () => (stateOf(who, id)?.restartCount ?? 0) >= 3);
  t.is(stateOf(who, id)?.supervisor, supervisor);
  t.is((await keelbox(['stop', name], who)).exitCode, 0);
  t.true(exitOf(who, id)?.stopped);
  await sleep(500);
  t.is(stateOf(who, id), undefined);
  t.is((await keelbox(['start', name], who)).exitCode, 0);
  await until(t, 'it runs', () => (stateOf(who, id)?.pid ?? 0) > 0 || (stateOf(who, id)?.restarting ?? false));
  t.is((await keelbox(['rm', '-f', name], who)).exitCode, 0);
});

test.asEach('a container with a terminal is started again with a terminal', async (t, who) => {
  const {name} = await run(t, who, ['-t', '--restart', 'on-failure:2'], 'test -t 1 && echo terminal; exit 1');
  await keelbox(['wait', name], who);
  t.is(logged(who, name).replaceAll('\r', ''), 'terminal\n'.repeat(3));
});

test.asRoot('pause: nothing moves, and stop still ends it', async (t, who) => {
  const {name, id} = await run(t, who, [], 'while :; do echo tick; sleep 0.02; done');
  const lines = () => logged(who, name).length;
  t.is((await keelbox(['pause', name], who)).exitCode, 0);
  t.true(stateOf(who, id)?.paused);
  // What it had printed before is still on its way into the log.
  let frozen = -1;
  await until(t, 'the last of it', async () => {
    frozen = lines();
    await sleep(300);
    return lines() === frozen;
  });
  await sleep(300);
  t.is(lines(), frozen);
  const twice = await keelbox(['pause', name], who);
  t.not(twice.exitCode, 0);
  t.is((await keelbox(['unpause', name], who)).exitCode, 0);
  await until(t, 'it goes on', () => lines() > frozen);
  t.is((await keelbox(['pause', name], who)).exitCode, 0);
  t.is((await keelbox(['stop', '-t', '5', name], who)).exitCode, 0);
  t.true(exitOf(who, id)?.stopped);
});

test.asEach('--timeout ends it', async (t, who) => {
  const {name, id} = await run(t, who, ['--timeout', '1'], 'trap "" TERM; while :; do sleep 0.05; done');
  t.is((await keelbox(['wait', name], who)).stdout, '137\n');
  t.like(exitOf(who, id), {exitCode: 137, stopped: false});
});

test.asEach('health: starting, healthy, unhealthy, and what follows', async (t, who) => {
  const check = [
    '--health-cmd',
    'echo looked; test -e /root/well',
    '--health-interval',
    '100ms',
    '--health-retries',
    '2',
  ];
  const start = ['--health-start-period', '1m', '--health-start-interval', '100ms', '--health-on-failure', 'kill'];
  const {name, id} = await run(t, who, [...check, ...start], 'sleep 1000');
  const inside = async (...words: string[]) => t.is((await keelbox(['exec', name, ...words], who)).exitCode, 0);
  const health = () => stateOf(who, id)?.health;
  t.is(health(), 'starting');
  await inside('touch', '/root/well');
  await until(t, 'healthy', () => health() === 'healthy');
  const file = path.join(homeOf(who.asUser).runRoot, 'containers', id, 'health.json');
  const record = read<{log: {exitCode: number; output: string}[]}>(file);
  t.like(record?.log.at(-1), {exitCode: 0, output: 'looked\n'});
  await inside('rm', '/root/well');
  t.is((await keelbox(['wait', name], who)).stdout, '137\n');
});

test.asEach('kill -9 of the client loses nothing of the log', async (t, who) => {
  const name = `client-${who.asUser}`;
  t.teardown(() => keelbox(['rm', '-f', name], who));
  const script = 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $i; sleep 0.005; done';
  const {file, args, options} = command(['run', '--name', name, 'host', '--', 'sh', '-c', script], who);
  const child = spawn(file, args, {...options, stdio: ['ignore', 'pipe', 'ignore']});
  await new Promise(done => child.stdout.once('data', done));
  child.kill('SIGKILL');
  t.is((await keelbox(['wait', name], who)).stdout, '0\n');
  const expected = Array.from({length: 300}, (_, index) => `${index + 1}\n`).join('');
  t.is(logged(who, name), expected);
});

test.asEach('--rm: kill -9 of the client ends the container, with a log too', async (t, who) => {
  const script = 'echo ready; sleep 1000';
  const {file, args, options} = command(
    ['run', '--rm', '--log-driver', 'json-file', 'host', '--', 'sh', '-c', script],
    who,
  );
  const child = spawn(file, args, {...options, stdio: ['ignore', 'pipe', 'ignore']});
  await new Promise(done => child.stdout.once('data', done));
  const {stdout} = await keelbox(['ps', '-q', '--no-trunc', '--filter', 'status=running'], who);
  const ids = stdout
    .trim()
    .split('\n')
    .filter(id => stateOf(who, id)?.supervisor !== undefined);
  const mine = ids.find(
    id => readFileSync(`/proc/${stateOf(who, id)?.supervisor}/stat`, 'utf8').split(' ')[3] === `${child.pid}`,
  );
  t.truthy(mine);
  child.kill('SIGKILL');
  await until(t, 'its end', () => mine !== undefined && stateOf(who, mine) === undefined);
});

test.asEach('kill -9 of the supervisor: the container goes too, and says so', async (t, who) => {
  const {name, id} = await run(t, who, ['--restart', 'always'], 'sleep 1000');
  const state = stateOf(who, id);
  process.kill(state?.supervisor ?? 0, 'SIGKILL');
  await until(t, 'its end', () => !existsSync(`/proc/${state?.pid}`));
  const {stdout} = await keelbox(['ps', '-a', '--filter', `name=${name}`], who);
  t.regex(stdout, /Exited \(137\)/);
  t.is((await keelbox(['start', name], who)).exitCode, 0);
});

test.asEach('events of a life', async (t, who) => {
  const {name, id} = await run(t, who, ['--restart', 'on-failure:1'], 'exit 4');
  await keelbox(['wait', name], who);
  await keelbox(['start', name], who);
  await keelbox(['wait', name], who);
  const {stdout} = await keelbox(['events', '--since', '1h', '--until', '0s', '--filter', `container=${id}`], who);
  const words = stdout
    .trim()
    .split('\n')
    .map(line => /container (\w+)/.exec(line)?.[1]);
  t.deepEqual(
    words.filter(word => word !== 'create'),
    ['start', 'die', 'start', 'die', 'start', 'die', 'start', 'die'],
  );
  t.regex(stdout, /exitCode=4/);
});
