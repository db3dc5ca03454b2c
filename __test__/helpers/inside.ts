/** Containers for one question each, and what every refused one has to look like. */
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {type CallOptions, type Home, keelbox, type Result, specFolder, testUser} from './cli';
import type {Who} from './lane';
import {stateLeftovers} from './leftovers';

export interface InsideOptions extends CallOptions {
  /** Flags of `run`, before the image. */
  flags?: string[];
  /** `--rootfs`; without it the image is `host`. */
  rootfs?: string;
}

/** `keelbox run --rm FLAGS host|--rootfs -- COMMAND`. */
export function runIn(command: string[], {flags = [], rootfs, ...options}: InsideOptions = {}): Promise<Result> {
  const root = rootfs === undefined ? ['host'] : ['--rootfs', rootfs];
  return keelbox(['run', '--rm', ...flags, ...root, '--', ...command], options);
}

/** The same with a shell script as the command. */
export function inside(script: string, options: InsideOptions = {}): Promise<Result> {
  return runIn(['sh', '-c', script], options);
}

/** The stdout of a script that must succeed. */
export async function answer(t: ExecutionContext, script: string, options: InsideOptions = {}): Promise<string> {
  const {exitCode, stdout, stderr} = await inside(script, options);
  t.is(exitCode, 0, `${script}\n${stdout}${stderr}`);
  return stdout;
}

/** State folders of a single test, so that what it leaves cannot be collected by another test's command. */
export function ownState({asUser}: Who): Home & {env: Record<string, string>} {
  const home = mkdtempSync(path.join(specFolder(), 'state-'));
  const state = {home, root: path.join(home, 'root'), runRoot: path.join(home, 'run')};
  for (const folder of [state.root, state.runRoot]) mkdirSync(folder, {mode: 0o700});
  if (asUser) for (const folder of Object.values(state)) chownSync(folder, testUser().uid, testUser().gid);
  // mkdtemp gives 0700: a container's root is reached through it by ids that are not the owner's.
  chmodSync(home, 0o755);
  return {...state, env: {KEELBOX_ROOT: state.root, KEELBOX_RUNROOT: state.runRoot}};
}

export interface Refusal {
  code: string;
  exitCode?: number;
  /** In the first line. */
  says: RegExp | string;
  /** In the `why:` lines. */
  why?: RegExp | string;
  /** In the `fix:` lines, which there must be. */
  fix?: RegExp | string;
}

function section(stderr: string, label: string): string {
  const [, text] = new RegExp(`(?:^|\\n) *${label}: ((?:.*\\n)(?: {7}.*\\n)*)`).exec(stderr) ?? [];
  return text ?? '';
}

const matches = (text: string, wanted: RegExp | string) =>
  typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text);

/** The form of every error: what, why, fix, code; nothing on stdout. */
export function refused(t: ExecutionContext, result: Result, {code, exitCode = 125, says, why, fix}: Refusal): void {
  const {stderr, stdout} = result;
  t.is(result.exitCode, exitCode, stderr);
  t.is(stdout, '');
  t.true(matches(section(stderr, 'error'), says), `says ${says}:\n${stderr}`);
  if (why !== undefined) t.true(matches(section(stderr, 'why'), why), `why ${why}:\n${stderr}`);
  t.true(matches(section(stderr, 'fix'), fix ?? /\S/), `fix ${fix ?? ''}:\n${stderr}`);
  t.regex(stderr, new RegExp(`\\n  code: ${code} +more: keelbox explain ${code}\\n$`));
}

/** Runs a command line that must be refused, with state folders of its own, and looks for what it left in them. */
export async function refusedAndGone(
  t: ExecutionContext,
  args: string[],
  refusal: Refusal,
  options: CallOptions & Who,
): Promise<void> {
  const state = ownState(options);
  const result = await keelbox(args, {...options, env: {...state.env, ...options.env}});
  refused(t, result, refusal);
  t.deepEqual([...stateLeftovers(state.root), ...stateLeftovers(state.runRoot)], []);
}

/** All that must never change about a folder of the host: names, types, modes, owners, times, links, contents. */
export function snapshot(folder: string): string[] {
  const {mode, uid, gid, nlink, mtimeMs, ctimeMs} = lstatSync(folder);
  const line = `${folder} ${mode.toString(8)} ${uid}:${gid} ${nlink} ${mtimeMs} ${ctimeMs}`;
  const stat = lstatSync(folder);
  if (stat.isSymbolicLink()) return [`${line} -> ${readlinkSync(folder)}`];
  if (stat.isFile()) return [`${line} ${readFileSync(folder, 'latin1')}`];
  if (!stat.isDirectory()) return [line];
  return [line, ...readdirSync(folder).flatMap(name => snapshot(path.join(folder, name)))];
}

/** `errno` of a system call made in a container by perl's `syscall()`; 0 when it succeeded. Arguments are perl. */
export function errnoOf(call: number, ...args: (string | number)[]): string {
  return `perl -e '$! = 0; my $r = syscall(${[call, ...args].join(', ')}); print $r == -1 ? $! + 0 : 0'`;
}
