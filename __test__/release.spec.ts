/**
 * What a release is made of: a dry run of the staging, and the workflows that do it. Only this machine's native files are
 * real here; those of the other platforms are STAND-INS, made below from the real ones by changing what their headers say.
 */
import {execFile} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {promisify} from 'node:util';
import ava from 'ava';
import {lane} from './helpers/lane';

const test = lane({host: true}).needing('npm', 'tar');
const folder = mkdtempSync(path.join(os.tmpdir(), 'keelbox-release-'));
ava.after.always(() => rmSync(folder, {recursive: true, force: true}));

const PLATFORMS = ['linux-arm64-gnu', 'linux-arm64-musl', 'linux-x64-gnu', 'linux-x64-musl'];
const MACHINE: Record<string, number> = {x64: 62, arm64: 183};
const {version} = JSON.parse(readFileSync('package.json', 'utf8')) as {version: string};

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

async function execute(file: string, args: string[], env: Record<string, string> = {}): Promise<Outcome> {
  try {
    const options = {env: {PATH: process.env.PATH ?? '', HOME: folder, ...env}, maxBuffer: 16 << 20};
    return {code: 0, ...(await promisify(execFile)(file, args, options))};
  } catch (error) {
    return error as Outcome;
  }
}

function realAddon(): string {
  const name = readdirSync('dist/native').find(file => file.endsWith('.node'));
  if (name === undefined) throw new Error('dist/native has no addon');
  return path.join('dist/native', name);
}

/** STAND-IN: the real file with another machine in its header, and without glibc among its libraries for musl. */
function standIn(file: string, platform: string): Buffer {
  const [, arch = '', libc] = platform.split('-');
  const bytes = readFileSync(file);
  bytes.writeUInt16LE(MACHINE[arch] ?? 0, 18);
  if (libc === 'gnu') return bytes;
  const text = bytes
    .toString('latin1')
    .replace(/\0(libc\.so\.6|ld-linux[-a-z0-9_]*\.so\.\d)(?=\0)/g, name => `\0libc.so${'\0'.repeat(name.length - 8)}`);
  return Buffer.from(text, 'latin1');
}

/** A folder as the artifacts of the build jobs lie in it; `change` may spoil it. */
function artifacts(change: (place: string) => void = () => {}): string {
  const place = mkdtempSync(path.join(folder, 'artifacts-'));
  for (const platform of PLATFORMS) {
    const own = path.join(place, platform);
    mkdirSync(own);
    // Without x bits, as they come out of a workflow's artifacts.
    writeFileSync(path.join(own, `keelbox.${platform}.node`), standIn(realAddon(), platform), {mode: 0o644});
    const machine = `${platform.split('-').slice(0, 2).join('-')}-gnu`;
    writeFileSync(path.join(own, 'keelbox-runtime'), standIn('dist/native/keelbox-runtime', machine), {mode: 0o644});
  }
  change(place);
  return place;
}

function stage(native: string, ...flags: string[]): Promise<Outcome & {out: string}> {
  const out = mkdtempSync(path.join(folder, 'packages-'));
  const platforms = flags.includes('--release') ? [] : PLATFORMS.flatMap(name => ['--platform', name]);
  const args = ['scripts/stage.mjs', out, '--native', native, ...platforms, ...flags];
  return execute(process.execPath, args).then(outcome => ({...outcome, out}));
}

let staged: ReturnType<typeof stage> | undefined;

function dryRun(): ReturnType<typeof stage> {
  staged ??= stage(artifacts());
  return staged;
}

interface Manifest {
  name: string;
  version: string;
  license: string;
  bin: Record<string, string>;
  files: string[];
  scripts?: unknown;
  devDependencies?: unknown;
  dependencies?: unknown;
  optionalDependencies?: Record<string, string>;
  os: string[];
  cpu?: string[];
  libc?: string[];
  repository: {url: string; directory?: string};
}

async function read(tarball: string, member: string): Promise<string> {
  return (await execute('tar', ['-xOf', tarball, `package/${member}`])).stdout;
}

async function members(tarball: string): Promise<Map<string, string>> {
  const {stdout} = await execute('tar', ['-tvf', tarball]);
  const lines = stdout
    .trim()
    .split('\n')
    .map(line => line.split(/\s+/));
  return new Map(lines.map(words => [(words.at(-1) ?? '').replace('package/', ''), words[0] ?? '']));
}

async function manifest(tarball: string): Promise<Manifest> {
  return JSON.parse(await read(tarball, 'package.json')) as Manifest;
}

test('the staging makes five packages, the platforms in lockstep with the root', async t => {
  const {code, stdout, stderr} = await dryRun();
  t.is(code, 0, stderr);
  const tarballs = stdout.trim().split('\n');
  t.deepEqual(
    tarballs.map(file => path.basename(file)).sort(),
    [`keelbox-${version}.tgz`, ...PLATFORMS.map(name => `keelbox-${name}-${version}.tgz`)].sort(),
  );
  const all = await Promise.all(tarballs.map(manifest));
  const root = all.find(({name}) => name === 'keelbox');
  t.deepEqual(root?.optionalDependencies, Object.fromEntries(PLATFORMS.map(name => [`@keelbox/${name}`, version])));
  t.is(root?.dependencies, undefined);
  for (const each of all) {
    t.like(each, {version, license: 'MIT', os: ['linux'], scripts: undefined, devDependencies: undefined});
    // npm's provenance compares it with the repository that the workflow ran in.
    t.is(each.repository.url, 'git+https://github.com/keelbox/keelbox.git');
  }
  for (const platform of PLATFORMS) {
    const [, cpu, libc] = platform.split('-');
    const own = all.find(({name}) => name === `@keelbox/${platform}`);
    t.like(own, {cpu: [cpu], libc: [libc === 'gnu' ? 'glibc' : 'musl'], bin: {'keelbox-runtime': 'keelbox-runtime'}});
  }
});

test('each package has its files with the right modes, a licence, and nothing of the machine that made it', async t => {
  const {stdout} = await dryRun();
  for (const tarball of stdout.trim().split('\n')) {
    const name = path.basename(tarball);
    const files = await members(tarball);
    const {bin, files: promised} = await manifest(tarball);
    for (const file of ['package.json', 'LICENSE', 'README.md', ...promised.filter(entry => !entry.includes('*'))])
      t.true(files.has(file), `${name}: ${file}`);
    for (const program of Object.values(bin)) t.is(files.get(program), '-rwxr-xr-x', `${name}: ${program}`);
    for (const [file, mode] of files) t.regex(mode, /^-rw[x-]r-[x-]r-[x-]$/, `${name}: ${file}`);
    t.is((await read(tarball, 'LICENSE')).trim(), readFileSync('LICENSE', 'utf8').trim());
    for (const file of files.keys()) {
      if (/\.node$|keelbox-runtime$/.test(file)) continue;
      t.false((await read(tarball, file)).includes(process.cwd()), `${name}: ${file}`);
    }
  }
  const root = [...(await members(stdout.split('\n')[0] ?? '')).keys()].filter(name => name.startsWith('dist/'));
  const bundles = readdirSync('dist').filter(name => /\.[cm]js$/.test(name));
  t.deepEqual(root.sort(), [...bundles, 'index.d.ts'].map(name => `dist/${name}`).sort());
});

test('npm would publish each of them', async t => {
  const {stdout} = await dryRun();
  // Nothing answers there: a dry run must not need the registry.
  const nowhere = {
    npm_config_registry: 'http://127.0.0.1:9/',
    npm_config_fetch_retries: '0',
    npm_config_offline: 'true',
  };
  const published = await Promise.all(
    stdout
      .trim()
      .split('\n')
      .map(tarball => execute('npm', ['publish', tarball, '--dry-run', '--access', 'public'], nowhere)),
  );
  for (const {code, stdout: name, stderr} of published) {
    t.is(code, 0, stderr);
    t.regex(name, new RegExp(`^\\+ (@keelbox/linux-[a-z0-9-]+|keelbox)@${version.replaceAll('.', '\\.')}\n$`));
  }
});

const SPOILED: Record<string, [(place: string) => void, RegExp]> = {
  'an addon that is missing': [
    place => rmSync(path.join(place, 'linux-arm64-musl/keelbox.linux-arm64-musl.node')),
    /linux-arm64-musl lacks keelbox\.linux-arm64-musl\.node/,
  ],
  'an executable that is missing': [
    place => rmSync(path.join(place, 'linux-x64-gnu/keelbox-runtime')),
    /linux-x64-gnu lacks keelbox-runtime/,
  ],
  'an addon for another machine': [
    place =>
      writeFileSync(
        path.join(place, 'linux-arm64-gnu/keelbox.linux-arm64-gnu.node'),
        standIn(realAddon(), 'linux-x64-gnu'),
      ),
    /linux-arm64-gnu\.node is for x64, not for arm64/,
  ],
  'an executable for another machine': [
    place =>
      writeFileSync(
        path.join(place, 'linux-x64-musl/keelbox-runtime'),
        standIn('dist/native/keelbox-runtime', 'linux-arm64-gnu'),
      ),
    /keelbox-runtime is for arm64, not for x64/,
  ],
  'an addon for the other C library': [
    place =>
      writeFileSync(
        path.join(place, 'linux-x64-musl/keelbox.linux-x64-musl.node'),
        standIn(realAddon(), 'linux-x64-gnu'),
      ),
    /linux-x64-musl\.node is for glibc \(it needs .*libc\.so\.6.*\), not for musl/,
  ],
  'an addon for musl in the place of one for glibc': [
    place =>
      writeFileSync(
        path.join(place, 'linux-x64-gnu/keelbox.linux-x64-gnu.node'),
        standIn(realAddon(), 'linux-x64-musl'),
      ),
    /linux-x64-gnu\.node is for musl .*not for gnu/,
  ],
  'an executable that is not static': [
    place => writeFileSync(path.join(place, 'linux-x64-gnu/keelbox-runtime'), standIn(realAddon(), 'linux-x64-gnu')),
    /keelbox-runtime is not static: it needs .*libc\.so\.6/,
  ],
  'an executable that is a text': [
    place => writeFileSync(path.join(place, 'linux-x64-gnu/keelbox-runtime'), '#!/bin/sh\n'),
    /keelbox-runtime is no 64-bit ELF file/,
  ],
};

for (const [what, [spoil, message]] of Object.entries(SPOILED)) {
  test(`the staging refuses ${what}`, async t => {
    const {code, stderr, out} = await stage(artifacts(spoil));
    t.is(code, 1);
    t.regex(stderr, message);
    t.deepEqual(
      readdirSync(out).filter(name => name.endsWith('.tgz')),
      [],
    );
  });
}

test('a release refuses artifacts that lie together, and what was built for this machine only', async t => {
  const together = await stage('dist/native', '--release');
  t.is(together.code, 1);
  t.regex(together.stderr, /linux-arm64-gnu lacks/);
  const marked = artifacts(place => {
    const file = path.join(place, 'linux-arm64-gnu/keelbox-runtime');
    writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.from(`${process.cwd()}/crates/x.rs`)]));
  });
  const {code, stderr} = await stage(marked, '--release');
  t.is(code, 1);
  t.regex(stderr, /keelbox-runtime has the path \/\S+ of this machine in it/);
});

const WORKFLOWS = readdirSync('.github/workflows').map(name => ({
  name,
  text: readFileSync(path.join('.github/workflows', name), 'utf8'),
}));

/** A job's lines, by its name. */
function jobs(text: string): Map<string, string> {
  const parts = text
    .slice(text.indexOf('\njobs:\n'))
    .split(/\n(?= {2}[a-z]+:\n)/)
    .slice(1);
  return new Map(parts.map(part => [/^ {2}([a-z]+):/.exec(part)?.[1] ?? '', part]));
}

test('each action is pinned by commit, with its version beside it', t => {
  const uses = WORKFLOWS.flatMap(({text}) => [...text.matchAll(/^.*\buses: (.+)$/gm)].map(([, what]) => what ?? ''));
  t.true(uses.length > 10);
  for (const what of uses) if (!what.startsWith('./')) t.regex(what, /^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
});

test('a workflow may read the source, and only publishing may ask for an identity', t => {
  for (const {name, text} of WORKFLOWS) {
    t.regex(text, /^permissions:\n {2}contents: read\n\n/m, name);
    for (const [job, lines] of jobs(text)) {
      const mayWrite = /: write/.test(lines);
      t.is(mayWrite, job === 'publish', `${name}: ${job}`);
      if (mayWrite) t.deepEqual(lines.match(/[\w-]+: write/g), ['id-token: write']);
    }
    t.notRegex(text, /secrets\.|NODE_AUTH_TOKEN|pull_request_target/, name);
  }
});

test('what is published is what was staged and tried, and nothing is built after that', t => {
  const ci = jobs(WORKFLOWS.find(({name}) => name === 'ci.yml')?.text ?? '');
  const needs = (job: string) => /\n {4}needs: (\w+)\n/.exec(ci.get(job) ?? '')?.[1];
  t.deepEqual(
    [...ci.keys()].map(job => [job, needs(job)]),
    [
      ['lint', undefined],
      ['build', 'lint'],
      ['stage', 'build'],
      ['packages', 'stage'],
      ['test', 'build'],
      ['containers', 'build'],
      ['lanes', 'lint'],
    ],
  );
  for (const platform of PLATFORMS) t.true(ci.get('build')?.includes(`platform: ${platform}, target: `), platform);
  t.regex(
    ci.get('packages') ?? '',
    /node: \[20, 22, 24\]\n +system: \[bookworm, alpine\]\n +runner: \[ubuntu-24\.04, ubuntu-24\.04-arm\]/,
  );
  t.regex(ci.get('packages') ?? '', /--privileged/);
  t.regex(ci.get('containers') ?? '', /engine: \[docker, podman\]/);
  const publish = jobs(WORKFLOWS.find(({name}) => name === 'release.yml')?.text ?? '').get('publish') ?? '';
  t.regex(publish, /needs: ci\n/);
  t.regex(publish, /name: packages\n/);
  t.regex(publish, /npm publish .*--provenance/);
  t.notRegex(publish, /npm (install|ci|run)|scripts\//);
  // The root package last: it names the others.
  t.regex(publish, /packages\/keelbox-linux-\*\.tgz packages\/keelbox-\[0-9\]\*\.tgz/);
});

test('what the workflows call is there', t => {
  const {scripts} = JSON.parse(readFileSync('package.json', 'utf8')) as {scripts: Record<string, string>};
  for (const {text} of WORKFLOWS) {
    const commands = text.replace(/^\s*#.*$/gm, '');
    for (const [, file = ''] of commands.matchAll(/((?:scripts|\.ci|\.github)\/[\w./-]*\w)/g))
      t.true(existsSync(file), file);
    for (const [, name = ''] of commands.matchAll(/npm run ([\w:]+)/g)) t.true(name in scripts, name);
  }
});

test('the packages, installed, run containers', async t => {
  const {out} = await dryRun();
  const {code, stdout, stderr} = await execute(process.execPath, ['scripts/release/try-packages.mjs', out]);
  t.is(code, 0, stdout + stderr);
  t.notRegex(stdout, /FAIL/);
});
