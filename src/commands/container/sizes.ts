/** What a container takes on disk: files that it has written, and those of its image. */
import {lstatSync, readdirSync} from 'node:fs';
import {engine} from '../../engine';
import type {ContainerDetails} from '../../native';
import {detailsOf} from './details';

export interface Sizes {
  /** Bytes in its writable layer. */
  rw: number;
  /** With the image's. */
  rootFs: number;
}

export function sizesOf({paths, imageId}: Pick<ContainerDetails, 'paths' | 'imageId'>): Sizes {
  const rw = paths.upper === undefined ? 0 : treeSize(paths.upper, new Set());
  return {rw, rootFs: rw + imageSize(imageId)};
}

export function sizesById(id: string): Sizes {
  return sizesOf(detailsOf(id));
}

function imageSize(id: string | undefined): number {
  if (id === undefined) return 0;
  try {
    return engine().imageDescribe(id).size;
  } catch {
    // Removed since: its layers are still there, and nothing says how large they are.
    return 0;
  }
}

/** A file with several names counts once. What its owner hides from us, as a rootless container's root can, is left out. */
function treeSize(folder: string, seen: Set<string>): number {
  let sum = 0;
  for (const name of namesIn(folder)) {
    const path = `${folder}/${name}`;
    const stat = lstatSync(path, {throwIfNoEntry: false});
    if (stat?.isDirectory()) sum += treeSize(path, seen);
    else if (stat?.isFile() && isFirst(stat, seen)) sum += stat.size;
  }
  return sum;
}

function isFirst({nlink, dev, ino}: {nlink: number; dev: number; ino: number}, seen: Set<string>): boolean {
  if (nlink === 1) return true;
  const key = `${dev}:${ino}`;
  const isNew = !seen.has(key);
  seen.add(key);
  return isNew;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
