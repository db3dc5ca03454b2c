/** Whether the native files of a platform package are what its name says. Each answer is a list of complaints. */
import {readFileSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {ROOT} from '../lib.mjs';
import {readElf} from './elf.mjs';

/** What Node 20 itself asks for (Node's BUILDING.md). */
const OLDEST_GLIBC = [2, 28];

/** `linux-arm64-musl`, the folder with its addon and keelbox-runtime. */
export function nativeComplaints(platform, folder) {
  const [, arch, libc] = platform.split('-');
  const addon = path.join(folder, `keelbox.${platform}.node`);
  const executable = path.join(folder, 'keelbox-runtime');
  return [...addonComplaints(addon, arch, libc), ...executableComplaints(executable, arch)];
}

function addonComplaints(file, arch, libc) {
  const elf = readElf(file);
  const wrong = wrongMachine(file, elf, arch);
  if (wrong) return [wrong];
  if (elf.needed.length === 0) return [`${file} is linked with no library: it is no addon`];
  const isGlibc = elf.needed.some(name => name === 'libc.so.6' || name.startsWith('ld-linux'));
  if (isGlibc === (libc === 'gnu')) return [];
  return [`${file} is for ${isGlibc ? 'glibc' : 'musl'} (it needs ${elf.needed.join(', ')}), not for ${libc}`];
}

/** One static file serves both C libraries. */
function executableComplaints(file, arch) {
  const elf = readElf(file);
  const wrong = wrongMachine(file, elf, arch);
  if (wrong) return [wrong];
  if (!elf.hasInterpreter && elf.needed.length === 0) return [];
  return [`${file} is not static: it needs ${elf.needed.join(', ') || 'a dynamic loader'}`];
}

function wrongMachine(file, elf, arch) {
  if (elf === undefined) return `${file} is no 64-bit ELF file`;
  return elf.arch === arch ? undefined : `${file} is for ${elf.arch}, not for ${arch}`;
}

/** What only a build for others must not have: a young glibc, and the paths of whoever built it. */
export function releaseComplaints(platform, folder) {
  const files = [`keelbox.${platform}.node`, 'keelbox-runtime'].map(name => path.join(folder, name));
  return files.flatMap(file => [...youngGlibc(file), ...machinePaths(file)]);
}

function youngGlibc(file) {
  const young = readElf(file).versions.filter(name => {
    const [, major, minor] = /^GLIBC_(\d+)\.(\d+)/.exec(name) ?? [];
    return major !== undefined && (major - OLDEST_GLIBC[0] || minor - OLDEST_GLIBC[1]) > 0;
  });
  return young.length > 0
    ? [`${file} needs ${young.join(', ')}, and Node 20 runs on GLIBC_${OLDEST_GLIBC.join('.')}`]
    : [];
}

/** The checkout and the home directory, which Rust puts into the messages of panics. */
export function machinePaths(file) {
  const bytes = readFileSync(file);
  const homes = [ROOT, path.join(os.homedir(), '.cargo')].filter(place => bytes.includes(place));
  return homes.map(place => `${file} has the path ${place} of this machine in it`);
}
