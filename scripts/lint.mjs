#!/usr/bin/env node
/**
 * `npm run lint`: every linter, each run to its end whatever the others say, so that one run shows everything.
 *
 *   node scripts/lint.mjs [--fix] [fmt] [clippy] [tsc] [biome]
 */
import {spawnSync} from 'node:child_process';
import {existsSync} from 'node:fs';
import path from 'node:path';
import {parseArgs} from 'node:util';
import {ROOT, tool} from './lib.mjs';

const {
  values: {fix},
  positionals,
} = parseArgs({
  allowPositionals: true,
  options: {fix: {type: 'boolean', default: false}},
});
const locked = existsSync(path.join(ROOT, 'Cargo.lock')) ? ['--locked'] : [];

const LINTERS = {
  fmt: ['cargo', 'fmt', '--all', ...(fix ? [] : ['--check'])],
  clippy: ['cargo', 'clippy', '--workspace', '--all-targets', '--quiet', ...locked, '--', '-D', 'warnings'],
  tsc: [tool('tsc'), '--noEmit'],
  biome: [tool('biome'), 'check', '--error-on-warnings', ...(fix ? ['--write'] : [])],
};

function lint(name) {
  const [command, ...args] = LINTERS[name];
  const started = performance.now();
  const {status} = spawnSync(command, args, {cwd: ROOT, stdio: 'inherit'});
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`${status === 0 ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)\n`);
  return status === 0;
}

const names = positionals.length > 0 ? positionals : Object.keys(LINTERS);
const unknown = names.filter(name => !Object.hasOwn(LINTERS, name));
if (unknown.length > 0) {
  process.stderr.write(`no such linter: ${unknown.join(', ')} (there are ${Object.keys(LINTERS).join(', ')})\n`);
  process.exit(1);
}
process.exitCode = names.map(lint).every(Boolean) ? 0 : 1;
