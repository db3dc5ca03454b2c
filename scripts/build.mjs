#!/usr/bin/env node
/**
 * Builds what the npm packages are made of, into `dist/`: the addon and the static executable beside it
 * (`dist/native/`), and the bundles of the TypeScript side.
 *
 *   node scripts/build.mjs [--js-only | --native-only] [--target RUST-TARGET]
 *
 * Without `--target` it builds for this machine with the tools that it has. `--target` is for the release: the addon
 * is cross-linked against an old glibc or musl, the executable is musl for both C libraries.
 */
import {chmodSync, copyFileSync, existsSync, mkdirSync, realpathSync, renameSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {parseArgs} from 'node:util';
import {ROOT, run, tool} from './lib.mjs';

const NATIVE = path.join(ROOT, 'dist/native');
const EXECUTABLE = 'keelbox-runtime';
// Only the final link sees these flags: in RUSTFLAGS they would break the cdylib and every proc-macro.
const STATIC_LINK = ['-C', 'target-feature=+crt-static', '-C', 'relocation-model=static'];

// A clone whose lock file is not written yet (the first build) must be able to write it.
const locked = () => (existsSync(path.join(ROOT, 'Cargo.lock')) ? ['--locked'] : []);

/** A release must not tell where it was built; Rust puts the paths of sources into the messages of panics. */
function environment(target) {
  if (target === undefined) return process.env;
  const cargo = process.env.CARGO_HOME ?? path.join(os.homedir(), '.cargo');
  const remaps = [`--remap-path-prefix=${cargo}=/cargo`, `--remap-path-prefix=${ROOT}=/keelbox`];
  return {...process.env, RUSTFLAGS: [process.env.RUSTFLAGS, ...remaps].filter(Boolean).join(' ')};
}

function buildAddon(target) {
  const cross = target?.endsWith('-musl') ? ['-x'] : ['--use-napi-cross'];
  run(
    tool('napi'),
    [
      'build',
      '--platform',
      '--release',
      '--no-js',
      '--dts',
      'native.d.ts',
      '--output-dir',
      'dist/native',
      '--manifest-path',
      'crates/binding/Cargo.toml',
      ...(target ? ['--target', target, ...cross] : []),
      '--',
      ...locked(),
    ],
    {env: environment(target)},
  );
}

function buildExecutable(target) {
  // The same static file serves glibc and musl systems, so a release links it with musl for both.
  const musl = target && `${target.split('-')[0]}-unknown-linux-musl`;
  run(
    'cargo',
    [
      'rustc',
      '-p',
      EXECUTABLE,
      '--bin',
      EXECUTABLE,
      '--profile',
      'runtime',
      ...locked(),
      ...(musl ? ['--target', musl] : []),
      '--',
      ...STATIC_LINK,
    ],
    {env: environment(target)},
  );
  const targetDir = path.resolve(ROOT, process.env.CARGO_TARGET_DIR ?? 'target');
  install(path.join(targetDir, musl ?? '', 'runtime', EXECUTABLE), path.join(NATIVE, EXECUTABLE));
}

/** Copy, then rename: a container that starts meanwhile finds the old file or the new one, and ETXTBSY cannot happen. */
function install(from, to) {
  const temporary = path.join(path.dirname(to), `.${path.basename(to)}.${process.pid}`);
  copyFileSync(from, temporary);
  chmodSync(temporary, 0o755);
  renameSync(temporary, to);
}

export async function build({js = true, native = true, target} = {}) {
  if (native) {
    mkdirSync(NATIVE, {recursive: true});
    buildAddon(target);
    buildExecutable(target);
  }
  if (js) {
    const {buildJs} = await import('./build-js.mjs');
    await buildJs();
  }
}

if (import.meta.filename === realpathSync(process.argv[1])) {
  const {values} = parseArgs({
    options: {
      'js-only': {type: 'boolean', default: false},
      'native-only': {type: 'boolean', default: false},
      target: {type: 'string'},
    },
  });
  await build({js: !values['native-only'], native: !values['js-only'], target: values.target});
}
