/**
 * Turns `__test__/**.spec.ts` into `.cache/test/**.spec.mjs` and writes down which lanes each declares, so that a
 * guest without esbuild, and a lane that a spec is not for, need not load it.
 */
import {mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {isBuiltin} from 'node:module';
import path from 'node:path';
import {ROOT} from '../lib.mjs';

const SOURCES = path.join(ROOT, '__test__');
export const BUNDLES = path.join(ROOT, '.cache/test');
const INDEX = path.join(BUNDLES, 'specs.json');

/** What `lane({...})` may name; `rootless` is no place to run in but says that the spec also runs as a user. */
const LANES = ['host', 'guest', 'systemd', 'apparmor', 'rootless'];

function specNames() {
  return readdirSync(SOURCES, {recursive: true})
    .filter(file => file.endsWith('.spec.ts'))
    .map(file => file.slice(0, -'.spec.ts'.length))
    .sort();
}

function laneEntry(name, entry) {
  const match = /^(\w+): *(true|false)$/.exec(entry);
  if (!match || !LANES.includes(match[1])) {
    throw new Error(`${name}.spec.ts: \`lane({...})\` wants literal \`${LANES.join('|')}: true\`, not \`${entry}\``);
  }
  return match[2] === 'true' ? [match[1]] : [];
}

/** The union of all `lane({...})` calls of a spec, read from its source: literals only, and the helper checks again. */
export function declaredLanes(name, source) {
  const calls = [...source.matchAll(/\blane\(\{([^}]*)\}\)/g)];
  if (calls.length === 0) throw new Error(`${name}.spec.ts declares no lane: it must call \`lane({host: true, ...})\``);
  const entries = calls.flatMap(([, body]) =>
    body
      .split(',')
      .map(entry => entry.trim())
      .filter(Boolean),
  );
  return [...new Set(entries.flatMap(entry => laneEntry(name, entry)))];
}

function spec(name) {
  const lanes = declaredLanes(name, readFileSync(path.join(SOURCES, `${name}.spec.ts`), 'utf8'));
  return {name, file: path.join('.cache/test', `${name}.spec.mjs`), lanes};
}

/** The npm packages that a bundle leaves to Node to find: in the guest somebody must have put them there. */
function packagesOf(output) {
  const names = output.imports.filter(({external, path: name}) => external && !isBuiltin(name) && !/^[./]/.test(name));
  return [...new Set(names.map(({path: name}) => name.split('/', name.startsWith('@') ? 2 : 1).join('/')))];
}

/** Bundles every spec, and answers the list of them: name, bundle, lanes, npm packages. */
export async function bundleSpecs() {
  const specs = specNames().map(spec);
  const {build} = await import('esbuild');
  // What is left of a spec that was renamed would run again.
  rmSync(BUNDLES, {recursive: true, force: true});
  mkdirSync(BUNDLES, {recursive: true});
  const {metafile} = await build({
    absWorkingDir: ROOT,
    metafile: true,
    entryPoints: specs.map(({name}) => path.join(SOURCES, `${name}.spec.ts`)),
    outbase: SOURCES,
    outdir: BUNDLES,
    outExtension: {'.js': '.mjs'},
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    loader: {'.py': 'text'},
    sourcemap: 'inline',
    sourcesContent: false,
    logLevel: 'warning',
  });
  for (const each of specs) each.packages = packagesOf(metafile.outputs[each.file]);
  writeFileSync(INDEX, `${JSON.stringify(specs, null, 2)}\n`);
  return specs;
}

/** The list that an earlier `bundleSpecs` wrote. */
export function bundledSpecs() {
  return JSON.parse(readFileSync(INDEX, 'utf8'));
}
