/**
 * Drives the built command line as a user would. Each spec file has a folder of its own for state, and a copy of `dist/`
 * in it: an ordinary user can read it wherever the checkout lies, and the executable's path tells which spec a
 * process that stayed behind belongs to. When the file's tests are over, nothing may be left.
 */
import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, realpathSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import {IS_ROOT, patience} from './lane';
import {leftovers, stateLeftovers} from './leftovers';

export interface CallOptions {
  /** What stdin holds; without it stdin is empty. */
  input?: string | Buffer;
  /** Added to the environment, which has PATH, HOME and the folders only. */
  env?: Record<string, string>;
  /** As the ordinary user made for the tests; only root can. */
  asUser?: boolean;
  /** Milliseconds until the command is killed (`signal` is then SIGKILL); default a minute. */
  timeout?: number;
  cwd?: string;
}

export interface Result {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** stdout as it came. */
  bytes: Buffer;
}

/** What `spawn` wants, for tests that hold the streams themselves or need a terminal. */
export interface Command {
  file: string;
  args: string[];
  options: {cwd: string; env: Record<string, string>; uid?: number; gid?: number};
}

export interface Account {
  uid: number;
  gid: number;
}

/** The folders of one spec file and one user. */
export interface Home {
  root: string;
  runRoot: string;
  home: string;
}

const USER = 'keelbox-test';

let base: string | undefined;
let account: Account | undefined;
const homes = new Map<boolean, Home>();

/** The spec file's own folder; everyone may enter it. */
export function specFolder(): string {
  if (base === undefined) {
    base = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'keelbox-test-')));
    chmodSync(base, 0o755);
    // A build that runs meanwhile has files there that come and go.
    const isOurs = (file: string) => !path.basename(file).startsWith('.');
    cpSync(path.resolve('dist'), path.join(base, 'dist'), {recursive: true, filter: isOurs});
    spawnSync('chmod', ['-R', 'a+rX', path.join(base, 'dist')]);
  }
  return base;
}

function lookUp(): Account | undefined {
  const [uid, gid] = ['-u', '-g'].map(flag => spawnSync('id', [flag, USER], {encoding: 'utf8'}).stdout.trim());
  return uid && gid ? {uid: Number(uid), gid: Number(gid)} : undefined;
}

/** The ordinary user, made when there is none yet. useradd also gives it its subordinate ids. */
export function testUser(): Account {
  if (account === undefined) {
    // Another spec may be making it at the same time; two at once would give it two ranges of ids.
    const make = `id -u ${USER} || useradd --no-create-home --shell /bin/sh --comment 'keelbox tests' ${USER}`;
    if (!lookUp()) spawnSync('flock', [path.join(os.tmpdir(), 'keelbox-test-user.lock'), 'sh', '-c', make]);
    account = lookUp();
    if (!account) throw new Error(`cannot make the user ${USER}`);
    const node = spawnSync(process.execPath, ['-e', '0'], {...account, cwd: '/'});
    if (node.status !== 0) throw new Error(`the user ${USER} cannot run ${process.execPath}`);
  }
  return account;
}

/** The state folders of root, or of the ordinary user. */
export function homeOf(asUser = false): Home {
  const known = homes.get(asUser);
  if (known) return known;
  const top = path.join(specFolder(), asUser ? 'user' : 'self');
  const home: Home = {root: path.join(top, 'root'), runRoot: path.join(top, 'run'), home: path.join(top, 'home')};
  for (const folder of [top, ...Object.values(home)]) {
    mkdirSync(folder, {mode: 0o700});
    if (asUser) chownSync(folder, testUser().uid, testUser().gid);
  }
  // A container's root is reached through it by ids that are not the owner's.
  chmodSync(top, 0o755);
  homes.set(asUser, home);
  return home;
}

/** How `keelbox ARGS` is started, without starting it. */
export function command(args: string[], {env, asUser = false, cwd}: CallOptions = {}): Command {
  if (asUser && !IS_ROOT) throw new Error('only root can run a command as another user');
  const home = homeOf(asUser);
  return {
    file: process.execPath,
    // `--` as the command itself does it: Node takes some flags of ours, such as --env-file, for its own otherwise.
    args: ['--', path.join(specFolder(), 'dist/cli.cjs'), ...args],
    options: {
      cwd: cwd ?? home.home,
      env: {
        PATH: process.env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        HOME: home.home,
        KEELBOX_ROOT: home.root,
        KEELBOX_RUNROOT: home.runRoot,
        ...env,
      },
      ...(asUser ? testUser() : {}),
    },
  };
}

function finished(child: ChildProcess, milliseconds: number): Promise<Result> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  const timer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode, signal) => {
      clearTimeout(timer);
      const bytes = Buffer.concat(stdout);
      resolve({exitCode, signal, bytes, stdout: bytes.toString(), stderr: Buffer.concat(stderr).toString()});
    });
  });
}

/** Runs `keelbox ARGS` to its end. */
export async function keelbox(args: string[], options: CallOptions = {}): Promise<Result> {
  const {file, args: all, options: spawning} = command(args, options);
  const child = spawn(file, all, {
    ...spawning,
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  // A command that does not read its stdin is no error here.
  child.stdin?.on('error', () => {});
  child.stdin?.end(options.input);
  return finished(child, options.timeout ?? patience(60_000));
}

/** Lets the engine collect what it calls orphaned, as any next command would, and names the containers left. */
async function containersLeft(asUser: boolean): Promise<string[]> {
  const {stdout, stderr, exitCode} = await keelbox(['ps', '-a', '-q'], {asUser});
  if (exitCode !== 0) return [`keelbox ps -a failed with ${exitCode}: ${stderr.trim()}`];
  return stdout
    .split('\n')
    .filter(Boolean)
    .map(id => `container ${id}`);
}

test.after.always('leaves nothing behind', async t => {
  if (base === undefined) return;
  const left: string[] = [];
  for (const asUser of homes.keys()) left.push(...(await containersLeft(asUser)));
  left.push(...(await leftovers(base, patience(5000))));
  for (const {root, runRoot} of homes.values()) left.push(...stateLeftovers(root), ...stateLeftovers(runRoot));
  // --one-file-system: should a mount of the host's own folders be left in there, its content must survive.
  const removed = spawnSync('rm', ['-rf', '--one-file-system', base], {encoding: 'utf8'});
  if (removed.status !== 0) left.push(removed.stderr.trim());
  t.deepEqual(left, []);
});
