/** `--device`, `--shm-size`, `--volumes-from`. */
import {invalidArgument, notYet} from '../../errors/keelbox-error';
import type {DeviceRequest, StorageRequest, VolumesFrom} from '../../native';
import {readSize} from './mounts/size';

export interface StorageFlags {
  device: readonly string[];
  'shm-size'?: string | undefined;
  'volumes-from': readonly string[];
}

/** The key `storage` of a request; no key where nothing was said. */
export function readStorage(flags: StorageFlags): {storage?: StorageRequest} {
  const size = flags['shm-size'];
  const storage: StorageRequest = {
    ...(size !== undefined && {shmSize: readSize('--shm-size', size)}),
    ...(flags.device.length > 0 && {devices: flags.device.map(readDevice)}),
    ...(flags['volumes-from'].length > 0 && {volumesFrom: flags['volumes-from'].map(readVolumesFrom)}),
  };
  return Object.keys(storage).length > 0 ? {storage} : {};
}

const isPermissions = (text: string) => /^[rwm]+$/.test(text);

/** Docker's grammar: two parts may be a device and its permissions. */
function readDevice(text: string): DeviceRequest {
  const invalid = (why: string) => invalidArgument(`invalid --device "${text}"`, {why});
  const [source = '', second, third, ...more] = text.split(':');
  if (more.length > 0) throw invalid('expected HOST[:DST[:rwm]]');
  if (!source.startsWith('/')) {
    if (source.includes('=')) throw notYet(`keelbox run --device ${text} (a CDI device)`);
    throw invalid(source === '' ? 'the path on the host is missing' : `"${source}" is not an absolute path`);
  }
  const isShort = third === undefined && second !== undefined && isPermissions(second);
  const target = isShort || second === undefined ? source : second;
  const permissions = (isShort ? second : third) ?? 'rwm';
  if (!target.startsWith('/')) throw invalid(`the path inside, "${target}", is not absolute`);
  if (!isPermissions(permissions)) throw invalid(`"${permissions}" is not made of r, w and m`);
  // Nobody in a container can make nodes anyway, so that rw and rwm are the same.
  if (!permissions.includes('r') || !permissions.includes('w')) {
    throw notYet(`keelbox run --device ${text} (access narrower than rw)`);
  }
  return {source, target};
}

function readVolumesFrom(text: string): VolumesFrom {
  const [container = '', mode = 'rw', ...more] = text.split(':');
  const invalid = (why: string) => invalidArgument(`invalid --volumes-from "${text}"`, {why});
  if (container === '' || more.length > 0) throw invalid('expected CONTAINER[:ro|rw]');
  const words = mode.split(',');
  const unknown = words.find(word => !['ro', 'rw', 'z', 'Z'].includes(word));
  if (unknown !== undefined) throw invalid(`"${unknown}" is no option; there are ro and rw`);
  if (words.includes('ro') && words.includes('rw')) throw invalid('ro and rw contradict each other');
  return {container, readonly: words.includes('ro')};
}
