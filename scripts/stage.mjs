#!/usr/bin/env node
/**
 * Stages npm packages from what is built, packs them, and checks that each file that a package promises is in its tarball
 * (npm leaves a missing one out without a word).
 *
 *   node scripts/stage.mjs OUT [--platform linux-x64-gnu]... [--native DIR] [--platform-only] [--release]
 *
 * OUT gets a folder per package and the tarballs, whose paths are printed. Without `--platform` it is this machine's.
 * DIR holds the addon and keelbox-runtime (default dist/native), or, for several platforms, a folder NAME for each.
 * Files for another machine or C library are refused. `--release` stages all platforms, each from a folder of its own,
 * and also refuses what was built for this machine only.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import {parseArgs} from 'node:util';
import {fail, output, ROOT} from './lib.mjs';
import {machinePaths, nativeComplaints, releaseComplaints} from './release/native-files.mjs';

const PLATFORMS = readdirSync(path.join(ROOT, 'npm')).sort();

/** What only the repository needs; `prepare` must not run where somebody installs the package. */
const REPOSITORY_ONLY = ['scripts', 'devDependencies', 'allowScripts', 'ava', 'napi'];

function manifest(folder) {
  return JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
}

function writeManifest(folder, content) {
  writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(content, null, 2)}\n`);
}

/** glibc's loader is what Node was linked with on the one kind of system, musl's on the other. */
export function thisPlatform() {
  const libc = readFileSync(process.execPath).subarray(0, 4096).includes('/ld-musl-') ? 'musl' : 'gnu';
  return `linux-${process.arch}-${libc}`;
}

function emptyFolder(folder) {
  rmSync(folder, {recursive: true, force: true});
  mkdirSync(folder, {recursive: true});
  return folder;
}

function copyInto(folder, from, names) {
  for (const name of names) {
    const target = path.join(folder, name);
    mkdirSync(path.dirname(target), {recursive: true});
    copyFileSync(path.join(from, name), target);
  }
}

/** The entries of `files` here are plain names, or `*.ext` in one folder. */
function expand(root, entry) {
  const {dir, base} = path.parse(entry);
  if (!base.startsWith('*')) return [entry];
  const found = readdirSync(path.join(root, dir)).filter(name => name.endsWith(base.slice(1)));
  if (found.length === 0) fail(`stage: nothing matches ${entry}: \`npm run build\` first`);
  return found.map(name => path.join(dir, name));
}

function requireFiles(folder, names) {
  const missing = names.filter(name => !existsSync(path.join(folder, name)));
  if (missing.length > 0) fail(`stage: ${folder} lacks ${missing.join(', ')}: \`npm run build\` first`);
}

function refuse(complaints) {
  if (complaints.length > 0) fail(`stage: ${complaints.join('\nstage: ')}`);
}

/** The root package; it names the platform packages only here, since `npm install` fails in git while they are unpublished. */
function stageRoot(out) {
  const content = manifest(ROOT);
  const folder = emptyFolder(path.join(out, 'keelbox'));
  const names = [...content.files.flatMap(entry => expand(ROOT, entry)), 'README.md', 'LICENSE'];
  requireFiles(ROOT, names);
  refuse(names.flatMap(name => machinePaths(path.join(ROOT, name))));
  copyInto(folder, ROOT, names);
  for (const key of REPOSITORY_ONLY) delete content[key];
  content.optionalDependencies = Object.fromEntries(PLATFORMS.map(name => [`@keelbox/${name}`, content.version]));
  writeManifest(folder, content);
  return folder;
}

function stagePlatform(out, platform, native, isRelease) {
  const template = path.join(ROOT, 'npm', platform);
  if (!existsSync(template)) fail(`stage: there is no platform ${platform}, only ${PLATFORMS.join(', ')}`);
  const content = {...manifest(template), version: manifest(ROOT).version};
  const folder = emptyFolder(path.join(out, platform));
  requireFiles(native, content.files);
  refuse([...nativeComplaints(platform, native), ...(isRelease ? releaseComplaints(platform, native) : [])]);
  copyInto(folder, native, content.files);
  copyInto(folder, template, ['README.md']);
  copyInto(folder, ROOT, ['LICENSE']);
  writeManifest(folder, content);
  return folder;
}

/** A built file that does not run is found out about here, not by a user. */
function checkTarball(folder, {files: packed, filename}) {
  const inside = new Map(packed.map(file => [file.path, file.mode]));
  const promised = manifest(folder).files.flatMap(entry => expand(folder, entry));
  const missing = [...promised, 'LICENSE', 'README.md'].filter(name => !inside.has(name));
  if (missing.length > 0) fail(`stage: ${filename} lacks ${missing.join(', ')}`);
  const special = [...inside].filter(([, mode]) => (mode & 0o7000) !== 0);
  if (special.length > 0) fail(`stage: ${filename} has set-id files: ${special.map(([name]) => name).join(', ')}`);
}

/** Packs and checks; answers the tarball's path. */
function pack(folder, out) {
  const listing = output('npm', ['pack', folder, '--json', '--ignore-scripts', `--pack-destination=${out}`], {
    cwd: out,
  });
  // npm 12 answers an object by name where older ones answer a list.
  const [packed] = Object.values(JSON.parse(listing));
  checkTarball(folder, packed);
  // Some npm versions answer the name as `@scope/name`, which is not the file's.
  return path.join(out, packed.filename.replace('@', '').replace('/', '-'));
}

/** Stages and packs; answers the tarballs. */
export function stage(
  out,
  {
    isRelease = false,
    platforms = isRelease ? PLATFORMS : [thisPlatform()],
    native = path.join(ROOT, 'dist/native'),
    withRoot = true,
  } = {},
) {
  mkdirSync(out, {recursive: true});
  const place = platform => {
    const own = path.join(native, platform);
    return isRelease || existsSync(own) ? own : native;
  };
  const folders = platforms.map(platform => stagePlatform(out, platform, place(platform), isRelease));
  if (withRoot) folders.unshift(stageRoot(out));
  return folders.map(folder => pack(folder, out));
}

if (import.meta.filename === realpathSync(process.argv[1])) {
  const {
    values,
    positionals: [out],
  } = parseArgs({
    allowPositionals: true,
    options: {
      platform: {type: 'string', multiple: true},
      native: {type: 'string'},
      'platform-only': {type: 'boolean', default: false},
      release: {type: 'boolean', default: false},
    },
  });
  if (!out) fail('stage: where to? `node scripts/stage.mjs OUT`');
  const tarballs = stage(path.resolve(out), {
    ...(values.platform && {platforms: values.platform}),
    ...(values.native && {native: path.resolve(values.native)}),
    withRoot: !values['platform-only'],
    isRelease: values.release,
  });
  process.stdout.write(`${tarballs.join('\n')}\n`);
}
