/** What a review broke: each of these once let something out, in, or get lost. */
import {type ChildProcess, execFileSync, spawn} from 'node:child_process';
import {mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync} from 'node:fs';
import path from 'node:path';
import {createInterface} from 'node:readline';
import type {ExecutionContext} from 'ava';
import {command, keelbox} from './helpers/cli';
import {answer, inside, ownState, refused, runIn} from './helpers/inside';
import {lane, scaled, type Who} from './helpers/lane';
import {busybox, busyboxRoot} from './helpers/roots';

const test = lane({host: true, guest: true, rootless: true});
const testBusybox = test.needing(busybox);

/** Runs `keelbox ARGS` by way of a shell that does something first. */
function after(
  first: string,
  args: string[],
  who: Who,
): Promise<{exitCode: number | null; stdout: string; stderr: string}> {
  const {file, args: all, options} = command(args, who);
  const child = spawn('/bin/sh', ['-c', `${first}; exec "$0" "$@"`, file, ...all], {
    ...options,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return finished(child);
}

function finished(child: ChildProcess): Promise<{exitCode: number | null; stdout: string; stderr: string}> {
  const result = {exitCode: null as number | null, stdout: '', stderr: ''};
  child.stdout?.on('data', chunk => (result.stdout += chunk));
  child.stderr?.on('data', chunk => (result.stderr += chunk));
  return new Promise(done => child.on('close', exitCode => done({...result, exitCode})));
}

/** A named container that has said `ready` and stays. */
async function staying(
  t: ExecutionContext,
  name: string,
  who: Who,
  env: Record<string, string>,
): Promise<ChildProcess> {
  const script = 'echo kept > /root/f; echo ready; while :; do sleep 1; done';
  const {file, args, options} = command(['run', '--rm', '--name', name, 'host', '--', 'sh', '-c', script], {
    ...who,
    env,
  });
  const child = spawn(file, args, {...options, stdio: ['ignore', 'pipe', 'inherit']});
  t.teardown(() => void child.kill('SIGKILL'));
  const {value} = await createInterface({input: child.stdout})[Symbol.asyncIterator]().next();
  t.is(value, 'ready');
  return child;
}

test.asEach('--init: the command can reach nothing that pid 1 has open, however soon it looks', async (t, who) => {
  // An ordinary user's exec has to enter it, so that one's can be looked at once only its own is left.
  const found = who.asUser
    ? `for f in /proc/1/fd/*; do case $(readlink $f) in ""|/dev/null|pipe:*|socket:*|anon_inode:*) ;; *) exit 9;; esac; done
       for d in /proc/1/cwd/. /proc/1/root/.; do [ ! -e $d ] || [ $d -ef / ] || exit 8; done
       (true >> /proc/1/exe) 2>/dev/null && exit 7`
    : 'ls /proc/1/fd /proc/1/cwd/ 2>/dev/null && exit 9';
  const look = `i=0; while [ $i -lt 50 ]; do ${found}; i=$((i+1)); done; echo no`;
  for (let round = 0; round < scaled(5); round += 1) t.is(await answer(t, look, {...who, flags: ['--init']}), 'no\n');
});

test.asEach('--init: a command that ends at once is seen to end', async (t, who) => {
  const ends = Array.from({length: scaled(20)}, () => runIn(['sh', '-c', 'exit 6'], {...who, flags: ['--init']}));
  for (const {exitCode} of await Promise.all(ends)) t.is(exitCode, 6);
});

test.asEach('--init passes real-time signals on', async (t, who) => {
  const script = '$SIG{NUM37} = sub { print "got 37\\n"; exit 5 }; $| = 1; print "ready\\n"; sleep 1 while 1';
  const {file, args, options} = command(['run', '--rm', '--init', 'host', '--', 'perl', '-e', script], who);
  const child = spawn(file, args, {...options, stdio: ['ignore', 'pipe', 'inherit']});
  const lines = createInterface({input: child.stdout})[Symbol.asyncIterator]();
  t.is((await lines.next()).value, 'ready');
  execFileSync('kill', ['-37', String(child.pid)]);
  t.is((await lines.next()).value, 'got 37');
});

test.asEach('the caller’s umask is not the container’s', async (t, who) => {
  const result = await after(
    'umask 077',
    ['run', '--rm', '-u', '1', 'host', '--', 'stat', '-c', '%a', '/', '/usr'],
    who,
  );
  t.is(result.stdout, '755\n755\n', result.stderr);
});

testBusybox.asRoot('a device node that lies in a root does not work there', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  mkdirSync(path.join(rootfs, 'nodes'));
  execFileSync('mknod', ['-m', '666', path.join(rootfs, 'nodes/zero'), 'c', '1', '5']);
  for (const root of [rootfs, `${rootfs}:O`]) {
    const {exitCode, stderr} = await runIn(['head', '-c', '1', '/nodes/zero'], {...who, rootfs: root});
    t.not(exitCode, 0);
    t.regex(stderr, /permission denied/i);
  }
});

test.asEach('a command with another run root leaves a running container alone', async (t, who) => {
  const {env} = ownState(who);
  const child = await staying(t, 'elsewhere', who, env);
  const other = {...env, KEELBOX_RUNROOT: `${env.KEELBOX_RUNROOT}-other`};
  t.regex((await keelbox(['ps', '-a'], {...who, env: other})).stdout, /elsewhere/);
  refused(t, await keelbox(['rm', '-f', 'elsewhere'], {...who, env: other}), {
    code: 'ERR_KEELBOX_STORE',
    exitCode: 2,
    says: 'in use',
  });
  t.is(child.exitCode, null);
  t.is((await keelbox(['rm', '-f', 'elsewhere'], {...who, env})).exitCode, 0);
});

test.asEach('rm -f removes a container whose supervisor is stopped', async (t, who) => {
  const {env} = ownState(who);
  await staying(t, 'stopped', who, env);
  const running = path.join(String(env.KEELBOX_RUNROOT), 'containers');
  const [id] = readdirSync(running);
  const {supervisor} = JSON.parse(readFileSync(path.join(running, String(id), 'state.json'), 'utf8'));
  process.kill(supervisor, 'SIGSTOP');
  t.is((await keelbox(['rm', '-f', 'stopped'], {...who, env})).exitCode, 0);
  t.deepEqual(readdirSync(running), []);
});

testBusybox.asEach('a link in a root leads no mount over the kernel’s own files', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  for (const [number, target] of ['/proc', '/proc/sys', '/sys', '/'].entries()) {
    symlinkSync(target, path.join(rootfs, `link${number}`));
    const flags = ['--tmpfs', `/link${number}`];
    refused(t, await runIn(['true'], {...who, rootfs, flags}), {code: 'ERR_KEELBOX_MOUNT', says: `/link${number}`});
  }
});

test.asEach('--read-only covers this machine’s programs in the image host too', async (t, who) => {
  const {stderr, exitCode} = await inside('touch /usr/x', {...who, flags: ['--read-only']});
  t.not(exitCode, 0);
  t.regex(stderr, /read-only/i);
});

test.asEach('an output file that cannot be written stops the start, and nothing is left', async (t, who) => {
  const {env} = ownState(who);
  for (const flag of ['--cidfile', '--pidfile']) {
    const result = await keelbox(['run', flag, '/not/there', 'host', '--', 'true'], {...who, env});
    refused(t, result, {code: 'ERR_KEELBOX_STORE', says: '/not/there'});
  }
  t.is((await keelbox(['ps', '-aq'], {...who, env})).stdout, '');
});

// Its file, run as a command through /proc/self/exe, could be written by root of a container whose ids are the owner's
// (CVE-2019-5736): so what runs is a read-only mount of it, or a copy in memory.
test.asEach('the supervisor does not run from the package’s own file', async (t, who) => {
  const {env} = ownState(who);
  await staying(t, 'exe', who, env);
  const running = path.join(String(env.KEELBOX_RUNROOT), 'containers');
  const [id] = readdirSync(running);
  const {supervisor} = JSON.parse(readFileSync(path.join(running, String(id), 'state.json'), 'utf8'));
  const file = readlinkSync(`/proc/${supervisor}/exe`);
  t.regex(file, who.asUser ? /^\/memfd:/ : /^\/$/);
  await keelbox(['rm', '-f', 'exe'], {...who, env});
});
