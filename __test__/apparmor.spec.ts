/** A kernel with AppArmor, and settings that keep ordinary users from user namespaces: what is said, and that it helps. */
import {spawn} from 'node:child_process';
import {existsSync, readFileSync, readlinkSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {command, keelbox, specFolder, testUser} from './helpers/cli';
import {refused} from './helpers/inside';
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
