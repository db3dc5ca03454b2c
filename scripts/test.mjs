#!/usr/bin/env node
/**
 * `npm test`: builds the JavaScript when it is older than its sources, bundles the specs, runs those of this lane with
 * ava, and closes with `N passed, N failed, N skipped`.
 *
 *   node scripts/test.mjs [--prebuilt] [SPEC...]      SPEC: `run`, `commands/run`, a folder, or a file name
 *
 * KEELBOX_LANE         host (default), guest, systemd, apparmor: where this is running
 * KEELBOX_TEST_STRICT  1: a skipped test is a failure
 * KEELBOX_TEST_SCALE   what loop counts are divided by and time limits multiplied with (the guest is slow)
 */
import {spawn} from 'node:child_process';
import path from 'node:path';
import {createInterface} from 'node:readline';
import {parseArgs} from 'node:util';
import {fail, ROOT} from './lib.mjs';
import {bundledSpecs, bundleSpecs} from './test/bundle.mjs';
import {freshProduct} from './test/fresh.mjs';
import {TapReader} from './test/tap.mjs';

const LANE = process.env.KEELBOX_LANE ?? 'host';
const SCALE = Number(process.env.KEELBOX_TEST_SCALE ?? 1);
const STRICT = process.env.KEELBOX_TEST_STRICT === '1';
const WORDS = {passed: 'ok  ', failed: 'FAIL', skipped: 'skip'};

function isNamed({name}, wanted) {
  const plain = wanted
    .replace(/^(\.\/)?__test__\//, '')
    .replace(/\.spec\.ts$/, '')
    .replace(/\/$/, '');
  return name === plain || name.endsWith(`/${plain}`) || name.startsWith(`${plain}/`);
}

function select(specs, names) {
  const lost = names.filter(name => !specs.some(spec => isNamed(spec, name)));
  if (lost.length > 0) fail(`no such spec: ${lost.join(', ')}`);
  return specs
    .filter(spec => names.length === 0 || names.some(name => isNamed(spec, name)))
    .filter(({lanes}) => lanes.includes(LANE));
}

/** The words that ava puts before the titles of a spec: its path below the folder that all of them share. */
function titlePrefixes(specs) {
  if (specs.length < 2) return new Map();
  const paths = specs.map(({name}) => name.split('/'));
  let shared = 0;
  while (paths.every(parts => parts.length > shared + 1 && parts[shared] === paths[0][shared])) shared += 1;
  return new Map(specs.map(({name}, index) => [paths[index].slice(shared).join(' › '), name]));
}

/** Collects results, prints each as it comes, and knows which specs never said anything. */
class Tally {
  counts = {passed: 0, failed: 0, skipped: 0};
  #silent;
  #prefixes;
  #only;

  constructor(specs) {
    this.#silent = new Set(specs.map(({name}) => name));
    this.#prefixes = titlePrefixes(specs);
    this.#only = specs.length === 1 ? specs[0].name : undefined;
  }

  #specOf(title) {
    if (this.#only) return this.#only;
    // ava's own complaints about a file name it by its path.
    const [, named] = /\.cache\/test\/(\S+)\.spec\.mjs/.exec(title) ?? [];
    if (named) return named;
    const matching = [...this.#prefixes.keys()].filter(prefix => title.startsWith(`${prefix} › `));
    return this.#prefixes.get(matching.sort((a, b) => b.length - a.length)[0]);
  }

  add({outcome, title, detail}) {
    this.counts[outcome] += 1;
    const spec = this.#specOf(title);
    if (spec) this.#silent.delete(spec);
    process.stdout.write(`${WORDS[outcome]} ${this.#only ? `${spec} › ` : ''}${title}\n`);
    // Logs of passing tests are shown too: they are what a test thought worth telling.
    for (const line of detail) process.stdout.write(`     ${line}\n`);
  }

  /** A spec that ended before its first result, with exit code 0, is reported by nobody else. */
  failSilent() {
    for (const name of this.#silent)
      this.add({outcome: 'failed', title: `${name}: ended without a single result`, detail: []});
  }
}

function avaArguments(specs) {
  const minutes = 5 * Math.max(1, Math.min(SCALE, 3));
  return [
    path.join(ROOT, 'node_modules/ava/entrypoints/cli.mjs'),
    '--tap',
    `--timeout=${minutes}m`,
    ...specs.map(({file}) => file),
  ];
}

/** Runs ava; answers how it ended. */
async function runAva(specs, tally) {
  // TERM=dumb: with TERM=linux, as on the guest's console, ava writes another separator.
  const ava = spawn(process.execPath, avaArguments(specs), {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {...process.env, KEELBOX_LANE: LANE, TERM: 'dumb', NO_COLOR: '1', FORCE_COLOR: '0'},
  });
  const reader = new TapReader({
    onResult: result => tally.add(result),
    onText: line => process.stdout.write(`${line}\n`),
  });
  const ended = new Promise((resolve, reject) => {
    ava.on('error', reject);
    ava.on('close', (code, signal) => resolve(signal ?? code));
  });
  for await (const line of createInterface({input: ava.stdout})) reader.line(line);
  reader.end();
  return ended;
}

/** The closing line, and before it why the run counts as failed when that does not show in the numbers. */
function close({passed, failed, skipped}) {
  const reasons = [];
  if (passed === 0) reasons.push('nothing passed');
  if (STRICT && skipped > 0) reasons.push('KEELBOX_TEST_STRICT allows no skips');
  for (const reason of reasons) process.stdout.write(`failed: ${reason}\n`);
  process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  process.exitCode = failed > 0 || reasons.length > 0 ? 1 : 0;
}

async function main() {
  const {
    values: {prebuilt},
    positionals,
  } = parseArgs({
    allowPositionals: true,
    options: {prebuilt: {type: 'boolean', default: false}},
  });
  if (!prebuilt) await freshProduct();
  const specs = select(prebuilt ? bundledSpecs() : await bundleSpecs(), positionals);
  const tally = new Tally(specs);
  if (specs.length > 0) {
    const ended = await runAva(specs, tally);
    tally.failSilent();
    if (ended !== 0 && tally.counts.failed === 0) {
      tally.add({outcome: 'failed', title: `ava ended with ${ended}`, detail: []});
    }
  }
  close(tally.counts);
}

await main();
