/** Bundles the command line (CommonJS) and the library (ESM) into dist/. `scripts/build.mjs` calls it; it also runs alone. */
import {existsSync, readdirSync, readFileSync, statSync} from 'node:fs';
import {chmod} from 'node:fs/promises';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {build} from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const {version} = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  // The ES module, so that what nobody uses of it is left out; its package.json leads to the CommonJS file only.
  alias: {typanion: 'typanion/lib/index.mjs'},
  define: {KEELBOX_VERSION: JSON.stringify(version)},
  external: ['*.node'],
  legalComments: 'none',
  logLevel: 'warning',
};

/** The bundles of the command line load each other by these names; each is one `require` away from the entry. */
const cliBundles = {
  'dist/cli.cjs': 'src/cli/main.ts',
  'dist/cli-verbs.cjs': 'src/cli/hot-verbs.ts',
  'dist/cli-reports.cjs': 'src/cli/reports.ts',
  'dist/cli-full.cjs': 'src/cli/full-door.ts',
  'dist/cli-format.cjs': 'src/output/format.ts',
};

/**
 * A shell script and JavaScript at once, because of the "--": without it Node 20 takes an `--env-file` behind the
 * script's name as its own, loads that file into our environment, and ends with 9 when it is missing. `env -S node --`
 * would be shorter, and busybox's env has no -S. A shell starts as fast as env does.
 */
const entryBanner = `#!/bin/sh
':' //; exec node -- "$0" "$@"`;

async function bundleCli() {
  const external = [...common.external, './cli-*.cjs'];
  const define = {...common.define, COMMONJS_REQUIRE: 'require', 'import.meta.url': 'undefined'};
  const jobs = Object.entries(cliBundles).map(([outfile, entry]) =>
    build({
      ...common,
      external,
      define,
      format: 'cjs',
      entryPoints: [entry],
      outfile,
      banner: {js: outfile === 'dist/cli.cjs' ? entryBanner : ''},
    }),
  );
  await Promise.all(jobs);
  await chmod(new URL('../dist/cli.cjs', import.meta.url), 0o755);
}

async function bundleLibrary() {
  if (!existsSync(new URL('../src/index.ts', import.meta.url))) return;
  const define = {...common.define, COMMONJS_REQUIRE: 'undefined'};
  await build({...common, define, format: 'esm', entryPoints: ['src/index.ts'], outfile: 'dist/index.mjs'});
  await writeTypes();
}

/** Takes seconds, so only when a source that it is made of has changed. */
async function writeTypes() {
  const types = path.join(root, 'dist/index.d.ts');
  const sources = ['index.ts', 'native.ts', 'library', 'errors'].map(name => path.join(root, 'src', name));
  if (existsSync(types) && sources.every(source => newest(source) < statSync(types).mtimeMs)) return;
  const {rollUpTypes} = await import('./roll-up-types.mjs');
  rollUpTypes(root);
}

function newest(file) {
  const {mtimeMs} = statSync(file);
  if (!statSync(file).isDirectory()) return mtimeMs;
  return Math.max(mtimeMs, ...readdirSync(file).map(name => newest(path.join(file, name))));
}

export async function buildJs() {
  await Promise.all([bundleCli(), bundleLibrary()]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildJs();
