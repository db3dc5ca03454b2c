#!/usr/bin/env node
/**
 * npm's `prepare`: in a git checkout `npm install` builds everything. Users of the published packages get prebuilt
 * files and no install script, so without a `.git` there is nothing to do.
 */
import {existsSync, readdirSync} from 'node:fs';
import path from 'node:path';
import {build} from './build.mjs';
import {fail, hasProgram, ROOT} from './lib.mjs';

function isBuilt() {
  const native = path.join(ROOT, 'dist/native');
  return (
    existsSync(path.join(ROOT, 'dist/cli.cjs')) &&
    existsSync(path.join(native, 'keelbox-runtime')) &&
    readdirSync(native).some(name => name.endsWith('.node'))
  );
}

/** npm runs `prepare` before it packs, too; what is there is then what the caller wants packed. */
function hasNothingToDo() {
  if (!existsSync(path.join(ROOT, '.git'))) return true;
  return ['pack', 'publish'].includes(process.env.npm_command ?? '') && isBuilt();
}

function checkTools() {
  if (!hasProgram('cargo')) {
    fail(
      'keelbox: building needs Rust, and `cargo` is not on the PATH: install it from https://rustup.rs, then run `npm install` again',
    );
  }
  if (!hasProgram('cc')) {
    fail(
      'keelbox: building needs a C linker, and `cc` is not on the PATH: install one (Debian, Ubuntu: `apt-get install gcc libc6-dev`), then run `npm install` again',
    );
  }
}

if (!hasNothingToDo()) {
  checkTools();
  await build();
}
