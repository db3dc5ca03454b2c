/** Default confinement, measured: how many system calls it takes away, from every kind of caller. */
import {chmodSync, existsSync, mkdtempSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {specFolder} from './helpers/cli';
import {runIn} from './helpers/inside';
import {lane, type Need, type Who} from './helpers/lane';
import source from './helpers/syscall-probe.py';

const PYTHON = '/usr/bin/python3';
const python: Need = {name: PYTHON, isThere: () => existsSync(PYTHON)};
const x64: Need = {name: 'x86-64', isThere: () => process.arch === 'x64'};
const test = lane({host: true, guest: true, rootless: true}).needing(python, x64);

const range = (from: number, to: number) => Array.from({length: to - from + 1}, (_, at) => from + at);
/** All numbers of x86-64 up to Linux 6.8: 369. */
const NATIVE = [...range(0, 334), ...range(424, 457)];
const I386 = [...range(0, 386), ...range(393, 457)];
const REFUSED = new Set(['1', '38']);

async function probe(t: ExecutionContext, who: Who, abi: string, numbers: number[], flags: string[] = []) {
  const folder = mkdtempSync(path.join(specFolder(), 'probe-'));
  chmodSync(folder, 0o755);
  const file = path.join(folder, 'probe.py');
  writeFileSync(file, source);
  const all = ['-q', '-v', `${file}:/probe.py:ro`, ...flags];
  const {stdout, stderr, exitCode} = await runIn([PYTHON, '/probe.py', abi, ...numbers.map(String)], {
    ...who,
    flags: all,
  });
  t.is(exitCode, 0, stderr);
  const found = new Map(
    stdout
      .trim()
      .split('\n')
      .map(line => line.split(' ') as [string, string]),
  );
  t.is(found.size, numbers.length);
  return found;
}

/** Those that are refused by default and get another answer where nothing is confined. */
async function newlyBlocked(t: ExecutionContext, who: Who, abi: string, numbers: number[]): Promise<string[]> {
  const [ours, free] = await Promise.all([probe(t, who, abi, numbers), probe(t, who, abi, numbers, ['--privileged'])]);
  return [...ours].filter(([call, answer]) => REFUSED.has(answer) && free.get(call) !== answer).map(([call]) => call);
}

test.asRoot('at least 63 of 369 system calls are newly blocked', async (t, who) => {
  t.is(NATIVE.length, 369);
  const blocked = await newlyBlocked(t, who, 'x86_64', NATIVE);
  t.true(blocked.length >= 63, `${blocked.length}: ${blocked.join(' ')}`);
});

test.asRoot('and as many to a 32-bit caller (int 0x80)', async (t, who) => {
  const blocked = await newlyBlocked(t, who, 'i386', I386);
  t.true(blocked.length >= 63, `${blocked.length}: ${blocked.join(' ')}`);
});

test.asEach('an x32 caller gets nothing at all (CVE-2026-123876)', async (t, who) => {
  const answers = await probe(t, who, 'x32', NATIVE);
  t.deepEqual(
    [...answers].filter(([, answer]) => !REFUSED.has(answer)),
    [],
  );
});

test.asUser('an ordinary user’s container is refused the same calls', async (t, who) => {
  const ours = await probe(t, who, 'x86_64', NATIVE);
  // mount, umount2, pivot_root, keyctl, unshare, bpf, userfaultfd, io_uring_setup, clone3, vmsplice, setns, fsopen.
  for (const call of [165, 166, 155, 250, 272, 321, 323, 425, 435, 278, 308, 430]) {
    t.true(REFUSED.has(ours.get(String(call)) ?? ''), String(call));
  }
});
