/** What faults leave in the way, and what `npm run faults` does many times, once, where that is quick. */
import {spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {type CallOptions, keelbox, specFolder} from './helpers/cli';
import {ownState} from './helpers/inside';
import {lane, patience} from './helpers/lane';

const test = lane({host: true, guest: true, rootless: true});
const onHost = lane({host: true});

/** Stands in for the executable: `supervise` becomes this line of a shell, before which `$exe` is the executable. */
function standIn(supervise: string): string {
  const folder = mkdtempSync(path.join(specFolder(), 'stand-in-'));
  const wrapper = path.join(folder, 'keelbox-runtime');
  const executable = path.join(specFolder(), 'dist/native/keelbox-runtime');
  const script = `#!/bin/sh\nexe='${executable}'\n[ "$1" != supervise ] || ${supervise}\nexec "$exe" "$@"\n`;
  writeFileSync(wrapper, script, {mode: 0o755});
  spawnSync('chmod', ['755', folder, wrapper]);
  return wrapper;
}

async function ok(t: ExecutionContext, options: CallOptions, line: string): Promise<string> {
  const {exitCode, stdout, stderr} = await keelbox(line.split(' '), options);
  t.is(exitCode, 0, `${line}: ${stderr}`);
  return stdout.trim();
}

async function until(condition: () => boolean): Promise<boolean> {
  for (const end = Date.now() + patience(20_000); !condition() && Date.now() < end; ) await sleep(10);
  return condition();
}

interface State {
  pid: number;
  supervisor: number;
}

async function stateOf(t: ExecutionContext, options: CallOptions, runRoot: string, name: string) {
  const id = await ok(t, options, `inspect -f {{.Id}} ${name}`);
  const file = path.join(runRoot, 'containers', id, 'state.json');
  return {id, file, state: JSON.parse(readFileSync(file, 'utf8')) as State};
}

test.asEach('a container that is being started has not ended', async (t, who) => {
  const {env, runRoot} = ownState(who);
  const options = {...who, env};
  const gate = path.join(path.dirname(runRoot), 'gate');
  mkdirSync(gate, {mode: 0o777});
  spawnSync('chmod', ['777', gate]);
  const waits = `{ : > '${gate}/begun'; until [ -e '${gate}/go' ]; do sleep 0.05; done; }`;
  const slow = {...options, env: {...env, KEELBOX_RUNTIME: standIn(waits)}};
  const started = keelbox(['run', '-d', '--name', 'slow', 'host', 'sleep', '1000'], slow);
  t.true(await until(() => existsSync(path.join(gate, 'begun'))));
  const shown = await ok(t, options, 'ps -a --format {{.Names}}={{.State}}');
  const removed = await keelbox(['rm', 'slow'], options);
  writeFileSync(path.join(gate, 'go'), '');
  const {exitCode, stderr} = await started;
  t.is(exitCode, 0, stderr);
  t.is(shown, 'slow=created');
  t.is(removed.exitCode, 2, removed.stderr);
  t.is(await ok(t, options, 'ps --format {{.Names}}={{.State}}'), 'slow=running');
  await ok(t, options, 'rm -f slow');
});

test.asEach('rm waits for one that has ended until its supervisor has cleared up', async (t, who) => {
  const {env, root, runRoot} = ownState(who);
  const options = {...who, env};
  await ok(t, options, 'run -d --name c host sleep 1000');
  const {id, state} = await stateOf(t, options, runRoot, 'c');
  // As it is between the record of its end and the end of its supervisor.
  process.kill(state.supervisor, 'SIGSTOP');
  const record = {exitCode: 0, finishedAt: Date.now()};
  writeFileSync(path.join(root, 'containers', id, 'exit.json'), JSON.stringify(record));
  const removed = keelbox(['rm', 'c'], options);
  // It goes on when the command waits for it, or has given up already.
  await Promise.race([removed, sleep(patience(500))]);
  process.kill(state.supervisor, 'SIGCONT');
  const {exitCode, stderr} = await removed;
  t.is(exitCode, 0, stderr);
  t.is(await ok(t, options, 'ps -aq'), '');
});

test.asEach('one that runs with a damaged record is said to be broken, and can be ended', async (t, who) => {
  const {env, runRoot} = ownState(who);
  const options = {...who, env};
  for (const damage of ['', '{"x":1}', undefined]) {
    await ok(t, options, 'run -d --name c host sleep 1000');
    const {file} = await stateOf(t, options, runRoot, 'c');
    if (damage === undefined) spawnSync('rm', [file]);
    else writeFileSync(file, damage);
    t.is(await ok(t, options, 'ps --format {{.Names}}={{.State}}'), 'c=dead');
    t.is((await keelbox(['rm', 'c'], options)).exitCode, 2);
    await ok(t, options, 'kill c');
    t.is(await ok(t, options, 'ps -a --format {{.Names}}={{.State}}'), 'c=exited');
    await ok(t, options, 'rm c');
  }
});

onHost.needing('strace').asRoot('an exit status is not lost when the first question for it fails', async t => {
  const strace = `exec strace -f -qqq -o /dev/null -e inject=waitid:error=ENOMEM:when=1 "$exe" "$@"`;
  const env = {KEELBOX_RUNTIME: standIn(strace)};
  const {exitCode, stderr} = await keelbox(['run', '--rm', 'host', '--', 'sh', '-c', 'exit 7'], {env});
  t.is(exitCode, 7, stderr);
});

/** The figures of one fault, which must be good. */
function fault(t: ExecutionContext, ...args: string[]): string {
  t.timeout(patience(5 * 60_000));
  const script = path.resolve('scripts/faults/run.mjs');
  const result = spawnSync(process.execPath, [script, ...args], {encoding: 'utf8'});
  t.is(result.status, 0, result.stdout + result.stderr);
  return result.stdout;
}

onHost.needing('unshare').asRoot('no verb signals a process that has the number of a dead container', t => {
  t.regex(fault(t, 'pid-reuse', '--rounds', '1'), /rounds 16, numbers used again (3[0-2]|[12]\d), /);
});

onHost.asRoot('a full disk loses no output, no exit status, and no container that runs', t => {
  t.regex(fault(t, 'full-disk', '--rounds', '2'), /levels 2, failed clearly [1-9]/);
});
