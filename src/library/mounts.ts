import {resolve} from 'node:path';
import type {MountRequest} from '../native';
import {checkFlag, checkObject, checkText, rejectOthers} from './checks';
import {invalid} from './errors';
import {parseBytes} from './quantities';
import type {Mounts} from './types';

/** The library's mounts in the words of the engine; throws `ERR_KEELBOX_INVALID_ARG`. */
export function toMounts(mounts: Mounts): MountRequest[] {
  return Object.entries(checkObject(mounts, 'mounts')).map(([target, mount]) => toMount(target, mount));
}

function toMount(target: string, mount: Mounts[string]): MountRequest {
  const what = `mounts[${JSON.stringify(target)}]`;
  if (!target.startsWith('/')) throw invalid(`${what}: a path in the container begins with /`);
  checkText(target, what);
  if (typeof mount === 'string') return bind(mount, target, false, what);
  checkObject(mount, what);
  if ('volume' in mount) {
    rejectOthers(mount, ['volume', 'readonly'], what);
    const readonly = checkFlag(mount.readonly ?? false, `${what}.readonly`);
    return {type: 'volume', name: checkText(mount.volume, `${what}.volume`), target, readonly};
  }
  if ('tmpfs' in mount) {
    rejectOthers(mount, ['tmpfs'], what);
    return {type: 'tmpfs', target, options: `size=${parseBytes(mount.tmpfs, `${what}.tmpfs`)}`};
  }
  rejectOthers(mount, ['source', 'readonly'], what);
  return bind(mount.source, target, checkFlag(mount.readonly ?? false, `${what}.readonly`), what);
}

function bind(source: string, target: string, readonly: boolean, what: string): MountRequest {
  return {type: 'bind', source: resolve(checkText(source, `${what}.source`)), target, readonly};
}
