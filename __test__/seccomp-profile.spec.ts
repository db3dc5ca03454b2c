/** `--security-opt seccomp=FILE`: docker's JSON under a real kernel, and what is wrong with a file. */
import {execFileSync} from 'node:child_process';
import {chmodSync, mkdtempSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {specFolder} from './helpers/cli';
import {inside, type Refusal, refused, refusedAndGone, runIn} from './helpers/inside';
import {lane, type Need, patience, type Who} from './helpers/lane';

const test = lane({host: true, guest: true, rootless: true});
const x64: Need = {name: 'x86-64', isThere: () => process.arch === 'x64'};
const withPerl = test.needing('perl', x64);

const INVALID = 'ERR_KEELBOX_INVALID_ARG';

let folder: string | undefined;
let count = 0;

function profile(content: unknown): string {
  if (folder === undefined) {
    folder = mkdtempSync(path.join(specFolder(), 'profiles-'));
    chmodSync(folder, 0o755);
  }
  count += 1;
  const file = path.join(folder, `${count}.json`);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

const ARCHITECTURES = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32', 'SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'];
const denying = (...syscalls: object[]) => ({
  defaultAction: 'SCMP_ACT_ALLOW',
  architectures: ARCHITECTURES,
  syscalls,
});
const errno = (name: string, errnoRet: number, args?: object[]) => ({
  names: [name],
  action: 'SCMP_ACT_ERRNO',
  errnoRet,
  ...(args && {args}),
});

/** What `call` answers, by its number and arguments: an errno, 0 when it succeeded. */
const calls = (...list: (number | string)[][]) =>
  `perl -e '${list.map(args => `$! = 0; $r = syscall(${args.join(', ')}); print $r == -1 ? $! + 0 : 0, " ";`).join(' ')}'`;

async function verdicts(file: string, who: Who, ...list: (number | string)[][]): Promise<string> {
  const {stdout, stderr, exitCode} = await inside(calls(...list), {
    ...who,
    flags: ['--security-opt', `seccomp=${file}`],
  });
  return exitCode === 0 ? stdout.trim() : `${exitCode} ${stderr}`;
}

withPerl.asEach('refuses what it names, with the errno that it names, and nothing else', async (t, who) => {
  const file = profile(denying(errno('getpriority', 77), {name: 'getpgid', action: 'SCMP_ACT_ERRNO'}));
  // getpriority, getpgid, getppid; vmsplice, which the default filter refuses.
  t.is(await verdicts(file, who, [140, 0, 0], [121, 0], [110], [278, -1, 0, 0, 0]), '77 1 0 9');
});

withPerl.asEach('docker’s own shape: a list of what is let in, by capability, kernel and machine', async (t, who) => {
  const file = profile({
    defaultAction: 'SCMP_ACT_ALLOW',
    defaultErrnoRet: 1,
    archMap: [
      {architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32']},
      {architecture: 'SCMP_ARCH_S390X', subArchitectures: ['SCMP_ARCH_S390']},
    ],
    syscalls: [
      {names: ['getpriority'], action: 'SCMP_ACT_ERRNO', errnoRet: 2, includes: {caps: ['CAP_SYS_ADMIN']}},
      {names: ['getpgid'], action: 'SCMP_ACT_ERRNO', errnoRet: 3, excludes: {caps: ['CAP_SYS_ADMIN']}},
      {names: ['getsid'], action: 'SCMP_ACT_ERRNO', errnoRet: 4, includes: {minKernel: '4.8'}},
      {names: ['times'], action: 'SCMP_ACT_ERRNO', errnoRet: 5, includes: {minKernel: '99.0'}},
      {names: ['getppid'], action: 'SCMP_ACT_ERRNO', errnoRet: 6, includes: {arches: ['s390x']}, comment: 'not here'},
    ],
  });
  t.is(await verdicts(file, who, [140, 0, 0], [121, 0], [124, 0], [100, 0], [110]), '0 3 4 0 0');
});

withPerl.asEach('conditions on arguments look at what the kernel looks at (CVE-2026-123876)', async (t, who) => {
  const file = profile(denying(errno('socket', 97, [{index: 0, value: 16, op: 'SCMP_CMP_EQ'}])));
  const socket = (family: string) => [41, family, 3, 0];
  t.is(
    await verdicts(file, who, socket('16'), socket('0x100000010'), socket('0x8000000000000010'), socket('1')),
    '97 97 97 0',
  );
});

test.asEach('a filter that kills is reported as the signal', async (t, who) => {
  const file = profile(denying({names: ['getpriority', 'sync'], action: 'SCMP_ACT_KILL_PROCESS'}));
  const {exitCode} = await runIn(['sync'], {...who, flags: [`--security-opt=seccomp=${file}`]});
  t.is(exitCode, 128 + 31);
});

test.asEach('a profile of nearly nothing still lets the command start', async (t, who) => {
  // Enough for a static busybox's `true`; all that keelbox does itself comes before, or is named here.
  const names =
    'sendmsg umask execve exit_group exit brk mmap munmap mprotect arch_prctl set_tid_address set_robust_list rseq prlimit64 readlink readlinkat getrandom newfstatat fstat read pread64 openat close access uname getuid getgid setuid setgid rt_sigaction rt_sigprocmask ioctl getpid prctl fcntl poll ppoll write dup dup2 getcwd';
  const file = profile({
    defaultAction: 'SCMP_ACT_ERRNO',
    architectures: ARCHITECTURES,
    syscalls: [{names: names.split(' '), action: 'SCMP_ACT_ALLOW'}],
  });
  const {exitCode, stderr} = await runIn(['true'], {...who, flags: ['--security-opt', `seccomp=${file}`]});
  t.is(exitCode, 0, stderr);
});

test.asEach('holds with --privileged, which alone has no filter, and without no_new_privs', async (t, who) => {
  const file = profile(denying(errno('sync', 1)));
  const status = 'grep ^Seccomp: /proc/self/status | cut -f 2';
  for (const flags of [['--privileged', '-q'], ['--allow-new-privileges'], ['--init']]) {
    const all = [...flags, '--security-opt', `seccomp=${file}`];
    t.is((await inside(status, {...who, flags: all})).stdout, '2\n', flags.join(' '));
  }
});

const wrong: [string, string | object, Omit<Refusal, 'code' | 'says'>][] = [
  ['text that is no JSON', 'deny everything', {why: 'line 1 column'}],
  ['an empty file', '', {why: 'EOF'}],
  ['another document', {seccomp: {}}, {why: 'unknown field `seccomp`'}],
  ['no default', {syscalls: []}, {why: 'missing field `defaultAction`'}],
  ['an action that is none', denying({names: ['kill'], action: 'DENY'}), {why: 'unknown variant `DENY`'}],
  [
    'an operator that is none',
    denying(errno('kill', 1, [{index: 0, value: 1, op: 'EQ'}])),
    {why: 'unknown variant `EQ`'},
  ],
  [
    'a seventh argument',
    denying(errno('kill', 1, [{index: 6, value: 1, op: 'SCMP_CMP_EQ'}])),
    {why: 'syscalls[0].args[0].index'},
  ],
  ['a negative value', denying(errno('kill', 1, [{index: 0, value: -1, op: 'SCMP_CMP_EQ'}])), {why: 'invalid value'}],
  ['a listener', denying({names: ['kill'], action: 'SCMP_ACT_NOTIFY'}), {why: 'SCMP_ACT_NOTIFY'}],
  ['more than 4 MiB', `"${'x'.repeat(4 << 20)}"`, {why: '4194304 bytes'}],
];
for (const [what, content, refusal] of wrong) {
  test.asEach(`refuses ${what}, and says where`, async (t, who) => {
    const file = profile(content);
    const args = ['run', '--rm', '--security-opt', `seccomp=${file}`, 'host', '--', 'true'];
    await refusedAndGone(t, args, {code: INVALID, says: 'seccomp profile', ...refusal}, who);
  });
}

test.asEach('refuses a file that is not there, a folder, and a pipe that never ends', async (t, who) => {
  const fifo = path.join(path.dirname(profile('')), `fifo-${who.asUser}`);
  execFileSync('mkfifo', ['-m', '666', fifo]);
  for (const [file, why] of [
    ['/no/such/profile.json', 'No such file'],
    ['/proc', 'not a regular file'],
    [fifo, 'not a regular file'],
    ['/dev/zero', 'not a regular file'],
  ] as const) {
    const result = await runIn(['true'], {
      ...who,
      timeout: patience(20_000),
      flags: ['--security-opt', `seccomp=${file}`],
    });
    refused(t, result, {code: INVALID, says: file, why});
  }
});

test.asEach('a program that the kernel would not take is an error of ours', async (t, who) => {
  const many = Array.from({length: 300}, (_, index) => ({
    names: ['read', 'write', 'kill', 'close', 'openat', 'mmap', 'brk', 'dup'],
    action: 'SCMP_ACT_ERRNO',
    errnoRet: index + 1,
    args: [{index: 2, value: index * 4294967299, op: 'SCMP_CMP_EQ'}],
  }));
  const spread = many.flatMap(entry =>
    entry.names.map((name, at) => ({...entry, names: [name], errnoRet: entry.errnoRet + at})),
  );
  const result = await runIn(['true'], {...who, flags: ['--security-opt', `seccomp=${profile(denying(...spread))}`]});
  refused(t, result, {code: INVALID, says: 'seccomp profile', why: 'at most 4096'});
});
