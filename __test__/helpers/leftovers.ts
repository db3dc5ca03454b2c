/**
 * What a spec left on the machine: processes, mounts, cgroups, state. Specs run beside one another, so each thing must be
 * tied to the spec's own folder; an empty cgroup cannot be, and counts for every spec that it appeared under.
 */
import {existsSync, readdirSync, readFileSync, readlinkSync, statSync} from 'node:fs';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

/** Processes come and go while we look: what cannot be read is not there. */
function quietly<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

function links(folder: string): string[] {
  return quietly(() => readdirSync(folder), []).map(name => quietly(() => readlinkSync(path.join(folder, name)), ''));
}

/** Whether a process runs from, in or on something of this folder. */
function mentions(pid: string, folder: string): boolean {
  const proc = path.join('/proc', pid);
  const isInside = (target: string) => target === folder || target.startsWith(`${folder}/`);
  const isLinked = () =>
    ['exe', 'cwd', 'root'].some(name => isInside(quietly(() => readlinkSync(path.join(proc, name)), '')));
  const isNamed = () =>
    ['cmdline', 'environ', 'mountinfo'].some(name =>
      quietly(() => readFileSync(path.join(proc, name), 'utf8'), '').includes(folder),
    );
  return isLinked() || isNamed() || links(path.join(proc, 'fd')).some(isInside);
}

function processes(folder: string): string[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && name !== String(process.pid))
    .filter(pid => mentions(pid, folder))
    .map(pid => {
      const words = quietly(() => readFileSync(path.join('/proc', pid, 'cmdline'), 'utf8'), '').replaceAll('\0', ' ');
      return `process ${pid}: ${words.trim()}`;
    });
}

function mounts(folder: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter(line => line.includes(folder))
    .map(line => `mount ${line.split(' ')[4]}`);
}

function cgroupMounts(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter(line => / - cgroup2? /.test(line))
    .map(line => line.split(' ')[4] ?? '');
}

function foldersBelow(folder: string): string[] {
  return quietly(() => readdirSync(folder, {withFileTypes: true}), [])
    .filter(entry => entry.isDirectory())
    .flatMap(entry => {
      const below = path.join(folder, entry.name);
      return [below, ...foldersBelow(below)];
    });
}

/** Processes of a cgroup and all below it. A v2 cgroup can be read for threads only where it is threaded: not ours. */
function isPopulated(cgroup: string): boolean {
  return [cgroup, ...foldersBelow(cgroup)].some(
    folder => quietly(() => readFileSync(path.join(folder, 'cgroup.procs'), 'utf8'), '') !== '',
  );
}

/** Cgroups of containers (not the folders that hold them) that are younger than the spec and have no process. */
function emptyCgroups(since: number): string[] {
  return cgroupMounts()
    .flatMap(mount => foldersBelow(mount))
    .filter(cgroup => /keelbox.*[0-9a-f]{12}/.test(cgroup))
    .filter(cgroup => quietly(() => statSync(cgroup).ctimeMs, 0) > since && !isPopulated(cgroup))
    .map(cgroup => `cgroup ${cgroup}`);
}

/** What is left of the spec that owns `folder`, once what was on its way out had `milliseconds` to go. */
export async function leftovers(folder: string, milliseconds: number): Promise<string[]> {
  const since = statSync(folder).birthtimeMs;
  const look = () => [...processes(folder), ...mounts(folder), ...emptyCgroups(since)];
  const until = Date.now() + milliseconds;
  let found = look();
  // Another spec's cgroup is empty for a moment at its start and end: only what is there at each look counts.
  while (found.length > 0 && Date.now() < until) {
    await sleep(200);
    const now = new Set(look());
    found = found.filter(thing => now.has(thing));
  }
  return found;
}

/** What images are made of may stay; a container's directory or name may not. */
const STORES = new Set(['blobs', 'layers', 'images', 'host-root', 'binaries']);

/** Container directories and names in a state folder. */
export function stateLeftovers(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, {withFileTypes: true}).flatMap(entry => {
    const place = path.join(folder, entry.name);
    if (entry.isSymbolicLink() || /^[0-9a-f]{12,64}$/.test(entry.name)) return [`state ${place}`];
    return entry.isDirectory() && !STORES.has(entry.name) ? stateLeftovers(place) : [];
  });
}
