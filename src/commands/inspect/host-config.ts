/** `HostConfig`: what the container may do, and how it lives. Keys of what there is not yet have docker's empty values. */
import type {ContainerDetails, MountRequest, RunRequest} from '../../native';
import {policyOf} from './policy';

const defaultShm = 64 * 1024 * 1024;

export function hostConfig({request, logDriver, restartPolicy}: ContainerDetails): Record<string, unknown> {
  return {
    ...files(request),
    ...life(request, logDriver, restartPolicy),
    ...isolation(request),
    ...limits(request),
    ...networks,
    NetworkMode: request.network ?? 'none',
  };
}

function files({mounts = [], storage = {}, readonlyRoot = false, maskedPaths = true}: RunRequest): object {
  const tmpfs = mounts.flatMap(mount => (mount.type === 'tmpfs' ? [[mount.target, mount.options]] : []));
  return {
    Binds: orNull(mounts.flatMap(bindOf)),
    Tmpfs: Object.fromEntries(tmpfs),
    VolumeDriver: '',
    VolumesFrom: orNull(
      (storage.volumesFrom ?? []).map(({container, readonly}) => `${container}${readonly ? ':ro' : ''}`),
    ),
    ShmSize: storage.shmSize ?? defaultShm,
    ReadonlyRootfs: readonlyRoot,
    Devices: (storage.devices ?? []).map(({source, target}) => ({
      PathOnHost: source,
      PathInContainer: target,
      CgroupPermissions: 'rwm',
    })),
    DeviceCgroupRules: null,
    DeviceRequests: null,
    MaskedPaths: maskedPaths ? null : [],
    ReadonlyPaths: maskedPaths ? null : [],
  };
}

function bindOf(mount: MountRequest): string[] {
  const source = mount.type === 'bind' ? mount.source : mount.type === 'volume' ? mount.name : undefined;
  if (source === undefined || mount.type === 'tmpfs' || mount.type === 'image') return [];
  return [`${source}:${mount.target}${mount.readonly ? ':ro' : ''}`];
}

function life(request: RunRequest, logDriver: string, restartPolicy: string): object {
  const options = (request.life?.logOpts ?? []).map(text => text.split(/=(.*)/s).slice(0, 2));
  return {
    ContainerIDFile: request.cidfile ?? '',
    LogConfig: {Type: logDriver, Config: Object.fromEntries(options)},
    RestartPolicy: policyOf(restartPolicy),
    AutoRemove: request.rm ?? false,
    Init: request.init ?? false,
    Runtime: 'keelbox',
    Annotations: pairs(request.confinement?.annotations),
    ConsoleSize: [request.terminalSize?.rows ?? 0, request.terminalSize?.columns ?? 0],
  };
}

function isolation(request: RunRequest): object {
  const {namespaces = {}, confinement = {}, privileged = false} = request;
  return {
    CapAdd: orNull(request.capAdd ?? []),
    CapDrop: orNull(request.capDrop ?? []),
    CgroupnsMode: namespaces.cgroup ?? 'private',
    IpcMode: namespaces.ipc ?? 'private',
    PidMode: namespaces.pid ?? '',
    UTSMode: namespaces.uts ?? '',
    UsernsMode: request.userns ?? '',
    Cgroup: '',
    Privileged: privileged,
    GroupAdd: orNull(confinement.groupAdd ?? []),
    SecurityOpt: orNull(securityOptions(request)),
    Sysctls: pairs(confinement.sysctls),
    Isolation: '',
  };
}

function securityOptions({noNewPrivileges, seccomp, maskedPaths, confinement = {}}: RunRequest): string[] {
  const profile = typeof seccomp === 'object' ? seccomp.profile : seccomp;
  return [
    ...(noNewPrivileges === undefined ? [] : [`no-new-privileges=${noNewPrivileges}`]),
    ...(profile === undefined || profile === 'default' ? [] : [`seccomp=${profile}`]),
    ...(confinement.apparmor === undefined ? [] : [`apparmor=${confinement.apparmor}`]),
    ...(maskedPaths === false ? ['systempaths=unconfined'] : []),
  ];
}

function limits({confinement = {}}: RunRequest): object {
  return {
    OomScoreAdj: confinement.oomScoreAdj ?? 0,
    Ulimits: (confinement.ulimits ?? []).flatMap(ulimitOf),
    CpuShares: 0,
    Memory: 0,
    NanoCpus: 0,
    CgroupParent: '',
    BlkioWeight: 0,
    CpuPeriod: 0,
    CpuQuota: 0,
    CpusetCpus: '',
    CpusetMems: '',
    MemoryReservation: 0,
    MemorySwap: 0,
    MemorySwappiness: null,
    OomKillDisable: null,
    PidsLimit: null,
  };
}

function ulimitOf(text: string): object[] {
  const [, name, soft, hard = soft] = /^(\w+)=(-?\d+)(?::(-?\d+))?$/.exec(text) ?? [];
  return name === undefined ? [] : [{Name: name, Soft: Number(soft), Hard: Number(hard)}];
}

const networks = {
  PortBindings: {},
  PublishAllPorts: false,
  Links: null,
  Dns: [],
  DnsOptions: [],
  DnsSearch: [],
  ExtraHosts: null,
};

function pairs(words: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(words.map(word => word.split(/=(.*)/s).slice(0, 2) as [string, string]));
}

/** Docker's lists that were not given are null. */
function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length > 0 ? list : null;
}
