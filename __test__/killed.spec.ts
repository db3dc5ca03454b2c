/**
 * kill -9 at any moment, of anything: the client (Node or what it becomes), the supervisor, the container's first process.
 * After the next command nothing is left, whatever had been made by then.
 *
 * KEELBOX_TEST_SOAK: how many kills of each (40 without it).
 */
import {type ChildProcess, spawn} from 'node:child_process';
import {existsSync, readdirSync, readFileSync, readlinkSync} from 'node:fs';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {command, homeOf, keelbox, specFolder} from './helpers/cli';
import {lane, patience, scaled, type Who} from './helpers/lane';
import {stateLeftovers} from './helpers/leftovers';

const test = lane({host: true, guest: true, rootless: true});

const ROUNDS = Number(process.env.KEELBOX_TEST_SOAK ?? scaled(40));
type Victim = 'client' | 'supervisor' | 'init';

/** How long after the victim's birth it is killed, at most. Node alone takes 40 ms. */
const SPREAD: Record<Victim, number> = {client: patience(100), supervisor: patience(30), init: patience(20)};

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function link(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}

function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

const isHelper = (pid: number) => /new[ug]idmap/.test(read(`/proc/${pid}/cmdline`));

/** Waits, without a pause, until `pid` has a child; a helper that maps ids does not count. */
async function firstChild(pid: number): Promise<number | undefined> {
  for (const until = Date.now() + patience(10_000); Date.now() < until && link(`/proc/${pid}/exe`) !== ''; ) {
    const child = childrenOf(pid).find(each => !isHelper(each));
    if (child !== undefined) return child;
    await new Promise(setImmediate);
  }
  return undefined;
}

async function find(victim: Victim, client: number): Promise<number | undefined> {
  if (victim === 'client') return client;
  // Node and the supervisor are there before what they start is.
  const supervisor = await firstChild(client);
  return victim === 'supervisor' || supervisor === undefined ? supervisor : firstChild(supervisor);
}

const ended = (child: ChildProcess) => new Promise(resolve => child.on('close', resolve));

/** Starts a container and kills one of the three. Whether there was something to kill. */
async function round(victim: Victim, flags: string[], who: Who): Promise<boolean> {
  const {file, args, options} = command(['run', ...flags, 'host', 'sleep', '1000'], who);
  const child = spawn(file, args, {...options, stdio: 'ignore'});
  const over = ended(child);
  const pid = await find(victim, child.pid ?? 0);
  await sleep(Math.random() * SPREAD[victim]);
  const killed = pid !== undefined && kill(pid);
  // A client that outlives its container is a failure.
  let isLate = false;
  const late = () => {
    isLate = killed;
    child.kill('SIGTERM');
  };
  const timer = setTimeout(late, killed ? patience(20_000) : 0);
  await over;
  clearTimeout(timer);
  if (isLate) throw new Error(`the client did not notice that its ${victim} was killed`);
  return killed;
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}

/**
 * Processes that have to do with this user's containers of this spec. A supervisor that is being spawned still has its
 * client's environment; later it has none, and the state directory open.
 */
function processes({asUser}: Who): string[] {
  const top = path.dirname(homeOf(asUser).root);
  const isHere = (pid: string) =>
    ['fd/3', 'fd/5', 'fd/6', 'fd/7'].some(name => link(`/proc/${pid}/${name}`).startsWith(top)) ||
    ['mountinfo', 'environ'].some(name => read(`/proc/${pid}/${name}`).includes(top));
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && name !== String(process.pid))
    .filter(isHere)
    .map(pid => `process ${pid} ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`);
}

function cgroupsOf(id: string): string[] {
  const mounts = read('/proc/self/mountinfo').matchAll(/^\S+ \S+ \S+ \S+ (\S+) .* - cgroup2? /gm);
  return [...mounts].map(([, mount]) => `${mount}/keelbox/${id}`).filter(existsSync);
}

const mounts = () =>
  read('/proc/self/mountinfo')
    .split('\n')
    .filter(line => line.includes(specFolder()));

interface Container {
  id: string;
  name: string;
  status: string;
  exitCode: number | null;
}

async function list(who: Who): Promise<Container[]> {
  return JSON.parse((await keelbox(['ps', '-a', '--json'], who)).stdout) as Container[];
}

/** Ids whose directories are there before the next command clears up. */
function ids({asUser}: Who): string[] {
  const {root, runRoot} = homeOf(asUser);
  return [...stateLeftovers(root), ...stateLeftovers(runRoot)].flatMap(place => /[0-9a-f]{64}$/.exec(place) ?? []);
}

/** Waits for what is on its way out by itself: a supervisor whose client was killed, an init whose supervisor was. */
async function settle(who: Who): Promise<void> {
  for (const until = Date.now() + patience(5000); processes(who).length > 0 && Date.now() < until; ) await sleep(5);
}

/** What is left after the next command. */
async function left(before: string[], who: Who): Promise<string[]> {
  const {root, runRoot} = homeOf(who.asUser);
  await settle(who);
  const found = await list(who);
  return [
    ...found.map(({id}) => `listed ${id}`),
    ...stateLeftovers(root),
    ...stateLeftovers(runRoot),
    ...before.flatMap(cgroupsOf),
    ...mounts(),
    ...processes(who),
  ];
}

async function soak(t: ExecutionContext, victim: Victim, who: Who): Promise<void> {
  let kills = 0;
  for (let count = 0; count < ROUNDS; count += 1) {
    if (await round(victim, ['--rm'], who)) kills += 1;
    const remains = await left(ids(who), who);
    t.deepEqual(remains, [], `${victim}, round ${count}`);
    if (remains.length > 0) return;
  }
  t.log(`${kills} kills of the ${victim} in ${ROUNDS} rounds`);
  t.true(kills > ROUNDS / 2);
}

async function soakKept(t: ExecutionContext, victim: Victim, who: Who): Promise<void> {
  const outcomes: Record<string, number> = {};
  for (let count = 0; count < ROUNDS / 4; count += 1) {
    await round(victim, [], who);
    const before = ids(who);
    if (victim !== 'client') await settle(who);
    for (const {id, status} of await list(who)) {
      outcomes[status] = (outcomes[status] ?? 0) + 1;
      // One whose client alone was killed lives on.
      const isForced = status !== 'exited' && victim === 'client';
      const removed = await keelbox(['rm', ...(isForced ? ['-f'] : []), id], who);
      t.is(removed.exitCode, 0, `${victim}, round ${count}, ${status}: ${removed.stderr}`);
    }
    const remains = await left(before, who);
    t.deepEqual(remains, [], `${victim}, round ${count}`);
    if (remains.length > 0) return;
  }
  t.log(`${victim}: ${JSON.stringify(outcomes)}`);
  // One whose client was killed may be seen half-way through its start.
  const expected = victim === 'client' ? ['created', 'exited', 'running'] : ['exited'];
  t.deepEqual(
    Object.keys(outcomes).filter(status => !expected.includes(status)),
    [],
  );
}

// One after the other: each looks at all that its user has.
test.asEach('after any moment is a good one to be killed, nothing is left', async (t, who) => {
  t.timeout(patience(30 * 60_000));
  for (const victim of ['client', 'supervisor', 'init'] as const) {
    await soak(t, victim, who);
    await soakKept(t, victim, who);
  }
});
