import {execFile} from 'node:child_process';
import {chmodSync, cpSync, mkdirSync, mkdtempSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {homeOf, specFolder, testUser} from './helpers/cli';
import {lane} from './helpers/lane';

const test = lane({host: true, rootless: true});
const needing = test.needing('npm', 'tar');

interface Outcome {
  exitCode: number | string | null | undefined;
  stdout: string;
  stderr: string;
}

interface Options {
  cwd: string;
  asUser?: boolean;
}

/** What npm puts into the environment of `npm test` would lead the npm in here to the checkout. */
function environment(asUser: boolean): Record<string, string> {
  const {home, root, runRoot} = homeOf(asUser);
  return {PATH: process.env.PATH ?? '', HOME: home, KEELBOX_ROOT: root, KEELBOX_RUNROOT: runRoot};
}

function execute(file: string, args: string[], {cwd, asUser = false}: Options): Promise<Outcome> {
  const options = {cwd, env: environment(asUser), ...(asUser ? testUser() : {})};
  return new Promise(resolve => {
    execFile(file, args, options, (error, stdout, stderr) =>
      resolve({exitCode: error ? error.code : 0, stdout, stderr}),
    );
  });
}

/** Both tarballs, from native files that have lost their x bits as on the way through a workflow's artifacts. */
async function pack(): Promise<string[]> {
  const native = path.join(specFolder(), 'native');
  cpSync('dist/native', native, {recursive: true});
  chmodSync(path.join(native, 'keelbox-runtime'), 0o644);
  const args = ['scripts/stage.mjs', path.join(specFolder(), 'stage'), '--native', native];
  const {exitCode, stdout, stderr} = await execute(process.execPath, args, {cwd: process.cwd()});
  if (exitCode !== 0) throw new Error(stderr);
  return stdout.trim().split('\n');
}

let packed: Promise<string[]> | undefined;

function tarballs(): Promise<string[]> {
  packed ??= pack();
  return packed;
}

/** A folder into which these tarballs were installed with no network and no scripts. */
async function installed(archives: string[]): Promise<string> {
  const prefix = mkdtempSync(path.join(specFolder(), 'prefix-'));
  chmodSync(prefix, 0o755);
  mkdirSync(path.join(prefix, 'node_modules'));
  writeFileSync(path.join(prefix, 'package.json'), '{"private": true}\n');
  const args = ['install', '--ignore-scripts', '--offline', '--no-audit', '--no-fund', ...archives];
  const {exitCode, stderr} = await execute('npm', args, {cwd: prefix});
  if (exitCode !== 0) throw new Error(stderr);
  return prefix;
}

function command(prefix: string): string {
  return path.join(prefix, 'node_modules/.bin/keelbox');
}

needing(
  'keelbox-runtime is packed with mode 755 though it was staged with 644, and no file has a set-id bit',
  async t => {
    const listings = await Promise.all((await tarballs()).map(file => execute('tar', ['-tvf', file], {cwd: '/'})));
    const lines = listings.flatMap(({stdout}) => stdout.trim().split('\n'));
    t.deepEqual(
      lines.filter(line => line.endsWith('/keelbox-runtime')).map(line => line.slice(0, 10)),
      ['-rwxr-xr-x'],
    );
    t.deepEqual(
      lines.filter(line => /^.{0,9}[sS]/.test(line.slice(0, 10))),
      [],
    );
  },
);

needing('the packages name no script that npm would run on a user’s machine', async t => {
  for (const file of await tarballs()) {
    const {stdout} = await execute('tar', ['-xOf', file, 'package/package.json'], {cwd: '/'});
    t.is(JSON.parse(stdout).scripts, undefined);
  }
});

needing.asEach(
  'both packages, installed without scripts, give a command that runs a container',
  async (t, {asUser}) => {
    const prefix = await installed(await tarballs());
    const cwd = homeOf(asUser).home;
    const version = await execute(command(prefix), ['version'], {cwd, asUser});
    t.is(version.exitCode, 0, version.stderr);
    const run = await execute(command(prefix), ['run', '--rm', 'host', '--', 'echo', 'hello'], {cwd, asUser});
    t.is(run.exitCode, 0, run.stderr);
    t.is(run.stdout, 'hello\n');
  },
);

needing('without the platform package the command names it, and how to get it', async t => {
  const archives = await tarballs();
  const prefix = await installed(archives.filter(file => !file.includes('-linux-')));
  const {exitCode, stdout, stderr} = await execute(command(prefix), ['run', '--rm', 'host', '--', 'true'], {
    cwd: prefix,
  });
  t.is(exitCode, 125);
  t.is(stdout, '');
  t.regex(stderr, /@keelbox\/linux-(x64|arm64)-(gnu|musl)/);
  t.regex(stderr, /npm install keelbox/);
  t.regex(stderr, /ERR_KEELBOX_PLATFORM/);
});
