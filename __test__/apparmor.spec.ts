/** A kernel with AppArmor, and settings that keep ordinary users from user namespaces: what is said, and that it helps. */
import {spawn} from 'node:child_process';
import {cpSync, existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {command, keelbox, specFolder, testUser} from './helpers/cli';
import {answer, inside, refused, runIn} from './helpers/inside';
import {lane, patience} from './helpers/lane';
import {busybox, busyboxRoot} from './helpers/roots';
import {finish} from './helpers/within';

const test = lane({apparmor: true, rootless: true}).needing('apparmor_parser', 'aa-exec', busybox);

const USER = {asUser: true};
const HELLO = ['run', '--rm', 'host', '--', 'echo', 'hello'];

/** A setting of this guest's kernel, until the test is over. */
function set(t: ExecutionContext, file: string, value: string): void {
  const before = readFileSync(file, 'utf8');
  t.teardown(() => writeFileSync(file, before));
  writeFileSync(file, value);
}

/** Loads a profile, until the test is over. */
async function load(t: ExecutionContext, text: string): Promise<void> {
  const file = path.join(specFolder(), `profile-${Math.random().toString(36).slice(2)}`);
  writeFileSync(file, `${text}\n`);
  const loaded = await finish('apparmor_parser', ['-r', '-K', file]);
  t.is(loaded.exitCode, 0, loaded.stderr);
  t.teardown(async () => {
    await finish('apparmor_parser', ['-R', file]);
  });
}

test.serial('AppArmor is on in this guest, and containers run', async t => {
  t.is(readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8'), 'Y\n');
  for (const who of [{}, USER]) {
    const result = await keelbox(HELLO, who);
    t.deepEqual([result.stdout, result.stderr], ['hello\n', '']);
  }
});

const DEBIAN = '/proc/sys/kernel/unprivileged_userns_clone';

test.serial('unprivileged_userns_clone=0 is named with its value and the command that changes it', async t => {
  set(t, DEBIAN, '0');
  const refusal = {code: 'ERR_KEELBOX_USERNS', says: 'namespaces', why: `${DEBIAN} is 0`};
  refused(t, await keelbox(HELLO, USER), {...refusal, fix: 'sudo sysctl kernel.unprivileged_userns_clone=1'});
  t.is((await keelbox(HELLO)).stdout, 'hello\n');
});

const LIMIT = '/proc/sys/user/max_user_namespaces';

test.serial('max_user_namespaces=0 is named with its value; root does without, but never for `host`', async t => {
  const rootfs = await busyboxRoot();
  set(t, LIMIT, '0');
  const refusal = {
    code: 'ERR_KEELBOX_USERNS',
    says: 'namespaces',
    why: `${LIMIT} is 0`,
    fix: 'user.max_user_namespaces=',
  };
  for (const who of [{}, USER]) refused(t, await keelbox(HELLO, who), refusal);
  const own = await keelbox(['run', '--rm', '--rootfs', `${rootfs}:O`, '--', 'echo', 'hello']);
  t.is(own.stdout, 'hello\n');
  t.regex(own.stderr, /^notice: no user namespace for this container: .*max_user_namespaces is 0/);
});

/** Everything but mounts, as docker's own profile has it. */
const NO_MOUNTS =
  'profile kb-no-mounts flags=(attach_disconnected) {\n  file,\n  capability,\n  network,\n  signal,\n  unix,\n  ptrace,\n}';

test.serial('a profile that keeps this process from mounting is named', async t => {
  await load(t, NO_MOUNTS);
  for (const asUser of [false, true]) {
    const {file, args, options} = command(HELLO, {asUser});
    const {uid, gid, ...rest} = options;
    const as = uid === undefined ? [] : ['setpriv', '--reuid', `${uid}`, '--regid', `${gid}`, '--clear-groups'];
    const result = await finish('aa-exec', ['-p', 'kb-no-mounts', '--', ...as, file, ...args], rest);
    refused(t, result, {
      code: 'ERR_KEELBOX_PERMISSION',
      says: 'mount',
      why: 'kb-no-mounts',
      fix: /profile|apparmor=unconfined/,
    });
  }
});

const PROC_LABEL = 'cat /proc/self/attr/apparmor/current /proc/self/attr/current';

/** What a container may do, mounts too, but to read one file: that the profile is more than a name. */
const profile = (name: string, more = '') =>
  `profile ${name} flags=(attach_disconnected) {\n  file,\n  capability,\n  network,\n  signal,\n  unix,\n  ptrace,\n  mount,\n  umount,\n  pivot_root,\n  deny /etc/hostname r,\n${more}}`;

const labelled = (name: string) => `${name} (enforce)\n${name} (enforce)\n`;

test.serial('info says that AppArmor is on', async t => {
  t.regex((await keelbox(['info'])).stdout, /^AppArmor: +on$/m);
  t.is(JSON.parse((await keelbox(['info', '--json'])).stdout).apparmor, true);
});

test.serial('a named profile is what the command runs under, and binds its root', async t => {
  await load(t, profile('kb-named'));
  const flags = ['--security-opt', 'apparmor=kb-named'];
  for (const who of [{}, USER]) {
    const script = `${PROC_LABEL}; cat /etc/hostname 2>/dev/null || echo refused; cat /etc/hosts >/dev/null && echo read`;
    t.is(await answer(t, script, {...who, flags}), `${labelled('kb-named')}refused\nread\n`);
  }
  t.is(await answer(t, PROC_LABEL, {flags: [...flags, '--privileged']}), labelled('kb-named'));
  t.is(await answer(t, PROC_LABEL, {flags: [...flags, '--pid=host']}), labelled('kb-named'));
});

test.serial('the default profile is applied as soon as it is loaded, but never where it was declined', async t => {
  const unconfined = 'unconfined\nunconfined\n';
  t.is(await answer(t, PROC_LABEL), unconfined);
  await load(t, profile('keelbox-default'));
  for (const who of [{}, USER]) {
    t.is(await answer(t, PROC_LABEL, who), labelled('keelbox-default'));
    t.is(await answer(t, PROC_LABEL, {...who, flags: ['--security-opt', 'apparmor=unconfined']}), unconfined);
  }
  t.is(await answer(t, PROC_LABEL, {flags: ['--privileged']}), unconfined);
});

test.serial('a profile that is not loaded ends the run before the command', async t => {
  for (const who of [{}, USER]) {
    const result = await inside('echo ran', {...who, flags: ['--security-opt', 'apparmor=kb-missing']});
    refused(t, result, {
      code: 'ERR_KEELBOX_KERNEL',
      says: '"kb-missing"',
      why: 'no profile of that name is loaded',
      fix: 'apparmor_parser',
    });
  }
});

test.serial('a caller whose own profile forbids the change does not run the command without it', async t => {
  await load(t, profile('kb-named'));
  await load(t, profile('kb-outer'));
  const {file, args, options} = command([
    'run',
    '--rm',
    '--security-opt',
    'apparmor=kb-named',
    'host',
    '--',
    'echo',
    'ran',
  ]);
  const result = await finish('aa-exec', ['-p', 'kb-outer', '--', file, ...args], options);
  refused(t, result, {code: 'ERR_KEELBOX_KERNEL', says: '"kb-named"', fix: 'another profile'});
});

/** CVE-2025-64750, CVE-2025-65105, CVE-2025-52881, CVE-2019-16884: the label went to a file that was not the kernel's. */
test.serial('no root and no mount redirects what asks for the profile', async t => {
  await load(t, profile('kb-named'));
  const flags = ['--security-opt', 'apparmor=kb-named'];
  const decoy = path.join(specFolder(), 'decoy');
  writeFileSync(decoy, 'kb-named (enforce)\n');
  for (const file of [
    'self/attr/apparmor/exec',
    'thread-self/attr/apparmor/exec',
    'thread-self/attr/exec',
    '1/attr/exec',
  ]) {
    const result = await inside('echo ran', {flags: [...flags, '-v', `${decoy}:/proc/${file}`]});
    t.deepEqual([result.exitCode, result.stdout], [125, ''], result.stderr);
  }
  const rootfs = await busyboxRoot();
  const redirected = path.join(specFolder(), 'redirected');
  cpSync(rootfs, redirected, {recursive: true, verbatimSymlinks: true});
  mkdirSync(path.join(redirected, 'fake/thread-self/attr/apparmor'), {recursive: true});
  writeFileSync(path.join(redirected, 'fake/thread-self/attr/apparmor/exec'), 'kb-named (enforce)\n', {mode: 0o666});
  rmSync(path.join(redirected, 'proc'), {recursive: true, force: true});
  symlinkSync('/fake', path.join(redirected, 'proc'));
  const result = await runIn(['cat', '/proc/self/attr/current'], {flags, rootfs: `${redirected}:O`});
  // Refused, or under the profile: never without it.
  const under = result.exitCode === 0 && result.stdout === 'kb-named (enforce)\n';
  t.true(under || (result.exitCode === 125 && result.stdout === ''), `${result.stdout}${result.stderr}`);
});

/** As `keelbox run` starts it where AppArmor restricts user namespaces. */
test.serial('the executable keeps the profile of its path when it goes on as a copy in memory', async t => {
  const runtime = path.join(specFolder(), 'dist/native/keelbox-runtime');
  await load(t, `profile kb-sealed "${runtime}" flags=(attach_disconnected, complain) {\n  file,\n}`);
  const {uid, gid} = testUser();
  const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'pipe', 'pipe', 'pipe'] as const;
  const child = spawn(runtime, ['seal', 'attach', 'pipes'], {uid, gid, stdio: [...stdio]});
  t.teardown(() => child.kill('SIGKILL'));
  const proc = `/proc/${child.pid}`;
  const copied = () => existsSync(proc) && readlinkSync(`${proc}/exe`).startsWith('/memfd:keelbox-runtime');
  for (const until = Date.now() + patience(5000); !copied() && Date.now() < until; ) await sleep(20);
  t.regex(readlinkSync(`${proc}/exe`), /^\/memfd:keelbox-runtime/);
  t.regex(readFileSync(`${proc}/attr/apparmor/current`, 'utf8'), /^kb-sealed/);
});
