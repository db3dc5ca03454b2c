/**
 * Finds the addon: the platform package that npm chose by `os`, `cpu` and `libc`, or the one built in this checkout.
 * Both libc packages can be installed (older npm loses `libc` from its lock file), so the running Node decides which.
 */
import {closeSync, openSync, readSync} from 'node:fs';
import {resolve} from 'node:path';
import {KeelboxError} from './errors/keelbox-error';
import type {Native} from './native';

/** Put in by scripts/build-js.mjs: `require` in the CommonJS bundles, `undefined` in the ES module. */
declare const COMMONJS_REQUIRE: NodeJS.Require | undefined;

// Not a static import: loading node:module takes 0.4 ms, which the command line need not pay.
const requireHere = COMMONJS_REQUIRE ?? process.getBuiltinModule('node:module').createRequire(import.meta.url);

const supported = 'Linux on x64 or arm64, with glibc or musl';

export function loadNative(): Native {
  const override = process.env.KEELBOX_NATIVE;
  if (override) return load(resolve(override), 'KEELBOX_NATIVE');
  const platform = platformName();
  const built = `./native/keelbox.${platform}.node`;
  const packaged = `@keelbox/${platform}`;
  // A checkout's own build wins over an installed package; published packages have no dist/native.
  return resolves(built) ? load(built, built) : load(packaged, packaged);
}

/** `linux-x64-gnu` */
function platformName(): string {
  const {platform, arch} = process;
  if (platform === 'linux' && (arch === 'x64' || arch === 'arm64')) return `linux-${arch}-${runtimeLibc()}`;
  throw new KeelboxError('ERR_KEELBOX_PLATFORM', `keelbox does not run on ${platform} ${arch}`, {
    why: `containers are a feature of the Linux kernel, and there are builds for ${supported}`,
    hint: 'use a Linux machine, or a Linux virtual machine (WSL 2 is one)',
  });
}

/** The program interpreter in Node's own ELF header; `process.report` says the same at ten times the price. */
function runtimeLibc(): 'gnu' | 'musl' {
  const header = Buffer.alloc(4096);
  const fd = openSync(process.execPath, 'r');
  try {
    readSync(fd, header);
  } finally {
    closeSync(fd);
  }
  return header.includes('ld-musl') ? 'musl' : 'gnu';
}

function resolves(path: string): boolean {
  try {
    requireHere.resolve(path);
    return true;
  } catch {
    return false;
  }
}

function load(path: string, what: string): Native {
  try {
    return requireHere(path) as Native;
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND';
    throw isMissing ? missing(path, what, cause) : unloadable(path, cause);
  }
}

function missing(path: string, what: string, cause: unknown): KeelboxError {
  if (what === 'KEELBOX_NATIVE') {
    const hint = 'unset KEELBOX_NATIVE, or let it name an existing keelbox.*.node file';
    return new KeelboxError('ERR_KEELBOX_PLATFORM', `cannot find ${path}, which KEELBOX_NATIVE names`, {hint, cause});
  }
  return new KeelboxError('ERR_KEELBOX_PLATFORM', `cannot find the package ${what}`, {
    why: 'it holds the native part of keelbox for this machine, and is not installed beside keelbox',
    hint: [
      'npm install keelbox   (again, without --omit=optional, --no-optional or a lock file made on another system)',
      'in a git checkout: npm install, which builds it (needs cargo)',
    ].join('\n'),
    cause,
  });
}

function unloadable(path: string, cause: unknown): KeelboxError {
  return new KeelboxError('ERR_KEELBOX_PLATFORM', `cannot load the native part of keelbox, ${path}`, {
    why: cause instanceof Error ? cause.message : String(cause),
    hint: `there are builds for ${supported}; reinstall keelbox if this is such a machine`,
    cause,
  });
}
