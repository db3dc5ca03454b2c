/** `--network`, `--pid`, `--ipc`, `--uts`, `--cgroupns` and `--userns`: words for the engine, which knows what they mean. */
import {KeelboxError, notYet} from '../../errors/keelbox-error';
import type {NamespacesRequest, RunRequest} from '../../native';
import type {RunOptions} from './request';

/** Networks of the kind that only a later version makes. */
const OURS = /^(none|host|private|container:.*|ns:.*|)$/s;

export function readNamespaces(options: RunOptions): Pick<RunRequest, 'network' | 'userns' | 'namespaces'> {
  const {network, userns} = options;
  if (network !== undefined && !OURS.test(network)) throw notYet(`keelbox run --network ${network}`);
  const namespaces: NamespacesRequest = {
    ...given('pid', options.pid),
    ...given('ipc', ipcOf(options)),
    ...given('uts', options.uts),
    ...given('cgroup', options.cgroupns),
    ...given('timeOffset', options['time-offset']),
    ...some('uidMap', options.uidmap),
    ...some('gidMap', options.gidmap),
    ...given('subuidName', options.subuidname),
    ...given('subgidName', options.subgidname),
  };
  return {
    ...(network !== undefined && {network}),
    ...(userns !== undefined && {userns}),
    ...(Object.keys(namespaces).length > 0 && {namespaces}),
  };
}

/** The short form stands for the long one. */
function ipcOf(options: RunOptions): string | undefined {
  const other = options['share-ipc'];
  if (other === undefined) return options.ipc;
  if (options.ipc === undefined) return `container:${other}`;
  throw new KeelboxError('ERR_KEELBOX_USAGE', '--share-ipc and --ipc are two answers to one question', {
    hint: `leave one of them out; --ipc container:${other} is the same`,
  });
}

function some<K extends string>(key: K, list: readonly string[]): {[key in K]?: string[]} {
  return given(key, list.length > 0 ? [...list] : undefined);
}

function given<K extends string, V>(key: K, value: V | undefined): {[key in K]?: V} {
  return (value === undefined ? {} : {[key]: value}) as {[key in K]?: V};
}
