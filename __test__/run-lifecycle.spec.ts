/** How containers begin, are named and listed, end, and are removed. */
import {type ChildProcess, spawn} from 'node:child_process';
import {chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {createInterface} from 'node:readline';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {command, keelbox, type Result, specFolder, testUser} from './helpers/cli';
import {answer, inside, ownState, refused, runIn} from './helpers/inside';
import {lane, patience, scaled, type Who} from './helpers/lane';
import {stateLeftovers} from './helpers/leftovers';

const test = lane({host: true, guest: true, rootless: true});

interface Running {
  child: ChildProcess;
  /** The next line of its stdout; undefined at the end. */
  line: () => Promise<string | undefined>;
  ended: Promise<{exitCode: number | null; signal: NodeJS.Signals | null; stderr: string}>;
}

/** Starts `keelbox ARGS` and leaves it running; it is killed at the end of the test, if it still is. */
function start(t: ExecutionContext, args: string[], who: Who): Running {
  const {file, args: all, options} = command(args, who);
  const child = spawn(file, all, {...options, stdio: ['ignore', 'pipe', 'pipe']});
  t.teardown(() => void child.kill('SIGKILL'));
  const lines = createInterface({input: child.stdout})[Symbol.asyncIterator]();
  let stderr = '';
  child.stderr.on('data', chunk => (stderr += chunk));
  const ended = new Promise<{exitCode: number | null; signal: NodeJS.Signals | null; stderr: string}>(done =>
    child.on('close', (exitCode, signal) => done({exitCode, signal, stderr})),
  );
  return {child, ended, line: async () => (await lines.next()).value};
}

/** A container that says `ready` and stays. */
async function startStaying(t: ExecutionContext, flags: string[], who: Who): Promise<Running> {
  const running = start(t, ['run', ...flags, 'host', '--', 'sh', '-c', 'echo ready; while :; do sleep 1; done'], who);
  t.is(await running.line(), 'ready');
  return running;
}

const folderOf = (who: Who) => {
  const folder = mkdtempSync(path.join(specFolder(), 'files-'));
  chmodSync(folder, 0o755);
  if (who.asUser) chownSync(folder, testUser().uid, testUser().gid);
  return folder;
};

const rows = ({stdout}: Result) => stdout.trim().split('\n').slice(1);

async function until(t: ExecutionContext, what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + patience(10_000);
  while (!(await holds())) {
    if (Date.now() > end) return t.fail(`never: ${what}`);
    await sleep(20);
  }
}

test.asEach('--init: pid 1 is ours, the command its child, and orphans are reaped', async (t, who) => {
  const script = `echo $$ $PPID; sh -c '(sleep 0.1 &) ; (true &)'; sleep 0.5; cat /proc/[0-9]*/stat | grep -c ') Z ' || true`;
  t.is(await answer(t, script, {...who, flags: ['--init']}), '2 1\n0\n');
});

test.asEach('without --init the command is pid 1, and its orphans stay zombies', async (t, who) => {
  const script = `echo $$ $PPID; perl -e 'if (!fork) { if (!fork) { select undef, undef, undef, 0.1; exit } exit } wait' && exec sleep 0.4`;
  t.is(await answer(t, script, who), '1 0\n');
});

test.asEach('--init: the exit code and the signal of the command are those of the container', async (t, who) => {
  t.is((await inside('exit 7', {...who, flags: ['--init']})).exitCode, 7);
  t.is((await inside('kill -9 $$', {...who, flags: ['--init']})).exitCode, 137);
  t.is((await inside('kill -TERM $$', {...who, flags: ['--init']})).exitCode, 143);
});

for (const flags of [[], ['--init']]) {
  test.asEach(`signals reach the command and it may answer them ${flags.join('')}`, async (t, who) => {
    const script =
      'trap "echo term; exit 3" TERM; trap "echo usr1" USR1; echo ready; while :; do sleep 1000 & wait; done';
    const {child, line, ended} = start(t, ['run', '--rm', ...flags, 'host', '--', 'sh', '-c', script], who);
    t.is(await line(), 'ready');
    child.kill('SIGUSR1');
    t.is(await line(), 'usr1');
    child.kill('SIGTERM');
    t.is(await line(), 'term');
    t.like(await ended, {exitCode: 3, signal: null});
  });

  for (const [signal, exitCode] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const) {
    test.asEach(`${signal} ends a command that does not catch it ${flags.join('')}`, async (t, who) => {
      const {child, line, ended} = start(
        t,
        ['run', '--rm', ...flags, 'host', '--', 'sh', '-c', 'echo ready; exec sleep 1000'],
        who,
      );
      t.is(await line(), 'ready');
      // Past the exec: what comes during it is the shell's.
      await sleep(100);
      child.kill(signal);
      t.like(await ended, {exitCode, signal: null});
    });
  }
}

test.asEach('a signal that a child of the command dies of is the shell’s to report', async (t, who) => {
  t.is((await inside(`sh -c 'kill -SEGV $$'; exit $?`, who)).exitCode, 139);
});

test.asEach('without --rm a container stays in ps -a until it is removed', async (t, who) => {
  const name = 'stays';
  t.is((await keelbox(['run', '--name', name, 'host', '--', 'sh', '-c', 'exit 5'], who)).exitCode, 5);
  const listed = rows(await keelbox(['ps', '-a'], who)).find(row => row.endsWith(name)) ?? '';
  t.regex(listed, /^[0-9a-f]{12} +host +.*Exited \(5\)/);
  t.false(rows(await keelbox(['ps'], who)).some(row => row.endsWith(name)));
  t.like(await keelbox(['rm', name], who), {exitCode: 0, stdout: `${name}\n`});
  t.false(rows(await keelbox(['ps', '-a'], who)).some(row => row.endsWith(name)));
});

test.asEach('with --rm nothing is left of it, whether it succeeds or fails', async (t, who) => {
  const state = ownState(who);
  for (const script of ['true', 'exit 9', 'nosuchcommand']) {
    await inside(script, {...who, env: state.env});
    t.deepEqual([...stateLeftovers(state.root), ...stateLeftovers(state.runRoot)], [], script);
  }
});

test.asEach('a name can be taken once, and is free again afterwards', async (t, who) => {
  const {child, ended} = await startStaying(t, ['--rm', '--name', 'taken'], who);
  const clash = await runIn(['true'], {...who, flags: ['--name', 'taken']});
  refused(t, clash, {code: 'ERR_KEELBOX_NAME_TAKEN', says: 'taken', fix: /\S/});
  child.kill('SIGTERM');
  await ended;
  t.is((await runIn(['true'], {...who, flags: ['--name', 'taken']})).exitCode, 0);
});

test.asEach('of many that ask for a name at once, one gets it', async (t, who) => {
  // It keeps the name until the slowest of the others has asked.
  const held = patience(1000) / 1000;
  const all = await Promise.all(
    Array.from({length: 5}, () => inside(`sleep ${held}`, {...who, flags: ['--name', 'wanted']})),
  );
  t.deepEqual(all.map(({exitCode}) => exitCode).sort(), [0, 125, 125, 125, 125]);
});

test.asEach('an ordinary ps lists it while it runs, with its command and name', async (t, who) => {
  const {child, ended} = await startStaying(t, ['--rm', '--name', 'listed'], who);
  const row = rows(await keelbox(['ps'], who)).find(line => line.endsWith('listed')) ?? '';
  t.regex(row, /^[0-9a-f]{12} +host +"sh -c '?echo ready;.*Up .*listed$/);
  child.kill('SIGTERM');
  t.is((await ended).exitCode, 143);
});

test.asEach('rm refuses a running container, and rm -f ends and removes it', async (t, who) => {
  const {ended} = await startStaying(t, ['--name', 'busy'], who);
  refused(t, await keelbox(['rm', 'busy'], who), {
    code: 'ERR_KEELBOX_INVALID_ARG',
    exitCode: 2,
    says: 'busy',
    fix: 'rm -f',
  });
  t.like(await keelbox(['rm', '-f', 'busy'], who), {exitCode: 0, stdout: 'busy\n'});
  t.is((await ended).exitCode, 137);
  t.false(rows(await keelbox(['ps', '-a'], who)).some(row => row.endsWith('busy')));
});

test.asEach('rm takes an id’s first digits, and says when there is no such container', async (t, who) => {
  const file = path.join(folderOf(who), 'id');
  await keelbox(['run', '--cidfile', file, 'host', '--', 'true'], who);
  const id = readFileSync(file, 'utf8').trim();
  t.is((await keelbox(['rm', id.slice(0, 10)], who)).exitCode, 0);
  refused(t, await keelbox(['rm', id], who), {code: 'ERR_KEELBOX_NOT_FOUND', exitCode: 1, says: id, fix: 'ps -a'});
});

test.asEach('--cidfile and --pidfile name the container and its first process', async (t, who) => {
  const folder = folderOf(who);
  const [cidFile, pidFile] = [path.join(folder, 'cid'), path.join(folder, 'pid')];
  const {child, ended} = await startStaying(
    t,
    ['--rm', '--name', 'filed', '--cidfile', cidFile, '--pidfile', pidFile],
    who,
  );
  const id = readFileSync(cidFile, 'utf8').trim();
  t.regex(id, /^[0-9a-f]{64}$/);
  t.true((await keelbox(['ps', '-q'], who)).stdout.split('\n').includes(id.slice(0, 12)));
  const pid = readFileSync(pidFile, 'utf8').trim();
  t.regex(readFileSync(`/proc/${pid}/status`, 'utf8'), new RegExp(`NSpid:\\t(.*\\t)?${pid}\\t1\\n`));
  child.kill('SIGTERM');
  await ended;
});

test.asEach('--cidfile refuses a file that is there', async (t, who) => {
  const file = path.join(folderOf(who), 'cid');
  writeFileSync(file, 'other');
  const result = await runIn(['true'], {...who, flags: ['--cidfile', file]});
  refused(t, result, {code: 'ERR_KEELBOX_INVALID_ARG', says: file, fix: 'remove it'});
  t.is(readFileSync(file, 'utf8'), 'other');
});

test.asEach('the client of a --rm container killed with SIGKILL takes it along', async (t, who) => {
  const pidFile = path.join(folderOf(who), 'pid');
  const {child, ended} = await startStaying(t, ['--rm', '--pidfile', pidFile], who);
  const pid = readFileSync(pidFile, 'utf8').trim();
  t.true(existsSync(`/proc/${pid}`));
  child.kill('SIGKILL');
  await ended;
  await until(t, 'the container is gone', () => !existsSync(`/proc/${pid}`));
});

test.asEach('the client of another container killed with SIGKILL leaves it running', async (t, who) => {
  const pidFile = path.join(folderOf(who), 'pid');
  const {child, ended} = await startStaying(t, ['--name', 'survivor', '--pidfile', pidFile], who);
  child.kill('SIGKILL');
  await ended;
  await sleep(patience(200));
  t.true(existsSync(`/proc/${readFileSync(pidFile, 'utf8').trim()}`));
  t.is((await keelbox(['rm', '-f', 'survivor'], who)).exitCode, 0);
});

test.asEach('containers that start while other commands clear up all start', async (t, who) => {
  const state = ownState(who);
  const options = {...who, env: state.env};
  const shell = async () => {
    for (let round = 0; round < scaled(12); round += 1) {
      const {exitCode, stderr} = await runIn(['true'], options);
      if (exitCode !== 0) return stderr;
    }
    return '';
  };
  t.deepEqual(await Promise.all(Array.from({length: 8}, shell)), Array(8).fill(''));
  t.deepEqual([...stateLeftovers(state.root), ...stateLeftovers(state.runRoot)], []);
});
