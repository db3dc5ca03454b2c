/** `-v`, `--mount` and `--tmpfs`, turned into the engine's mounts in the order: volumes, mounts, tmpfs. */
import type {MountRequest, TmpfsMount} from '../../native';
import {absoluteTarget} from './mounts/ends';
import {fromMount} from './mounts/mount-flag';
import {fromTimeZone} from './mounts/time-zone';
import {fromVolume} from './mounts/volume-flag';

export interface MountFlags {
  volume: readonly string[];
  mount: readonly string[];
  tmpfs: readonly string[];
  tz: string | undefined;
}

export function collectMounts(flags: MountFlags): MountRequest[] {
  const zone = flags.tz === undefined ? [] : [fromTimeZone(flags.tz)];
  return [...flags.volume.map(fromVolume), ...flags.mount.map(fromMount), ...flags.tmpfs.map(fromTmpfs), ...zone];
}

function fromTmpfs(text: string): TmpfsMount {
  const colon = text.indexOf(':');
  const target = colon < 0 ? text : text.slice(0, colon);
  const options = colon < 0 ? '' : text.slice(colon + 1);
  return {type: 'tmpfs', target: absoluteTarget('--tmpfs', text, target), options};
}
