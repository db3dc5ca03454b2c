#!/usr/bin/env node
/**
 * Installs the packed packages with npm, as a user of this machine would, and runs containers with them.
 *
 *   node scripts/release/try-packages.mjs FOLDER        FOLDER: where `scripts/stage.mjs` put the tarballs
 *
 * Needs nothing but Node, npm and a shell: CI runs it on Debian and on Alpine, with each Node that is supported. As root
 * it tries the same as an ordinary user.
 */
import {spawnSync} from 'node:child_process';
import {chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {fail} from '../lib.mjs';
import {thisPlatform} from '../stage.mjs';

/** Uid 1000 is `node` in Node's own images; it need not exist elsewhere. */
const SOMEBODY = {uid: 1000, gid: 1000};

function tarball(folder, pattern) {
  const [found, ...more] = readdirSync(folder).filter(name => pattern.test(name));
  if (found === undefined || more.length > 0) fail(`try-packages: not one file of ${folder} is ${pattern}`);
  return path.join(folder, found);
}

function install(prefix, archives) {
  mkdirSync(path.join(prefix, 'node_modules'));
  writeFileSync(path.join(prefix, 'package.json'), '{"private": true}\n');
  const args = ['install', '--ignore-scripts', '--offline', '--no-audit', '--no-fund', ...archives];
  const env = {...process.env, npm_config_cache: path.join(prefix, '.npm')};
  const {status, stderr} = spawnSync('npm', args, {cwd: prefix, env, encoding: 'utf8'});
  if (status !== 0) fail(`try-packages: npm install failed\n${stderr}`);
}

const LIBRARY = `
import {run} from 'keelbox';
const {stdout, exitCode} = await run('host', ['sh', '-c', 'echo library; exit 0']);
if (stdout.trim() !== 'library' || exitCode !== 0) throw new Error(JSON.stringify({stdout, exitCode}));
`;

/** Words after the command, the exit code, and what stdout must be. */
const TRIALS = [
  [['version'], 0, /^keelbox version \d+\.\d+\.\d+\n[\s\S]*engine +\d+\.\d+\.\d+\n/],
  [['run', '--rm', 'host', '--', 'echo', 'hello'], 0, /^hello\n$/],
  [['run', '--rm', 'host', '--', 'sh', '-c', 'echo $$; exit 7'], 7, /^1\n$/],
  [['run', '--rm', '--from-binary', '/bin/sh', '--', '/bin/sh', '-c', 'echo own root'], 0, /^own root\n$/],
  [['run', '--rm', 'host', '--', 'no-such-command'], 127, /^$/],
  [['ps', '-aq'], 0, /^$/],
];

function tryAs(prefix, who, account) {
  const place = mkdtempSync(path.join(prefix, `${who}-`));
  chmodSync(place, 0o755);
  if (account) chownSync(place, account.uid, account.gid);
  const env = {
    PATH: process.env.PATH,
    HOME: place,
    KEELBOX_ROOT: path.join(place, 'root'),
    KEELBOX_RUNROOT: path.join(place, 'run'),
  };
  const options = {cwd: place, env, encoding: 'utf8', timeout: 60_000, ...account};
  const command = path.join(prefix, 'node_modules/.bin/keelbox');
  const results = TRIALS.map(([words, code, stdout]) => {
    const result = spawnSync(command, words, options);
    return {title: `keelbox ${words.join(' ')}`, isRight: result.status === code && stdout.test(result.stdout), result};
  });
  writeFileSync(path.join(prefix, 'library.mjs'), LIBRARY, {mode: 0o644});
  const library = spawnSync(process.execPath, [path.join(prefix, 'library.mjs')], options);
  results.push({title: 'the library', isRight: library.status === 0, result: library});
  for (const {title, isRight, result} of results) {
    process.stdout.write(`${isRight ? 'ok  ' : 'FAIL'} ${title} (as ${who})\n`);
    if (!isRight) process.stdout.write(`exit ${result.status ?? result.signal}\n${result.stdout}${result.stderr}\n`);
  }
  return results.every(({isRight}) => isRight);
}

const [folder] = process.argv.slice(2);
if (folder === undefined) fail('try-packages: where are the tarballs?');
const tarballs = path.resolve(folder);
const archives = [
  tarball(tarballs, /^keelbox-\d.*\.tgz$/),
  tarball(tarballs, new RegExp(`^keelbox-${thisPlatform()}-.*\\.tgz$`)),
];
const prefix = mkdtempSync(path.join(os.tmpdir(), 'keelbox-packages-'));
try {
  chmodSync(prefix, 0o755);
  install(prefix, archives);
  const isRoot = process.getuid() === 0;
  const asSelf = tryAs(prefix, isRoot ? 'root' : 'an ordinary user');
  const asSomebody = !isRoot || tryAs(prefix, 'an ordinary user', SOMEBODY);
  process.exitCode = asSelf && asSomebody ? 0 : 1;
} finally {
  rmSync(prefix, {recursive: true, force: true});
}
