/** A container in docker's shape (the answer of `GET /containers/{id}/json`): tools and scripts read these paths. */
import type {ContainerDetails} from '../../native';
import {dockerStatus} from '../ps/rows';
import {config} from './config';
import {hostConfig} from './host-config';
import {networkSettings} from './network-settings';

const never = '0001-01-01T00:00:00Z';

const time = (milliseconds: number | undefined) =>
  milliseconds === undefined ? never : new Date(milliseconds).toISOString();

export function containerDocument(container: ContainerDetails): Record<string, unknown> {
  const {id, name, image, imageId, command, createdAt, restartCount, paths, request, mounts} = container;
  const [program = '', ...args] = command;
  return {
    Id: id,
    Created: time(createdAt),
    Path: program,
    Args: args,
    State: state(container),
    Image: imageId ?? image,
    ResolvConfPath: '',
    HostnamePath: '',
    HostsPath: '',
    LogPath: paths.log ?? '',
    Name: `/${name}`,
    RestartCount: restartCount,
    Driver: 'overlay',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: request.confinement?.apparmor ?? '',
    ExecIDs: null,
    HostConfig: hostConfig(container),
    GraphDriver: {Name: 'overlay', Data: {UpperDir: paths.upper ?? ''}},
    Mounts: mounts.map(({type, name: volume, source, destination, mode, rw, propagation}) => ({
      Type: type,
      ...(volume !== undefined && {Name: volume}),
      Source: source,
      Destination: destination,
      ...(type === 'volume' && {Driver: 'local'}),
      Mode: mode,
      RW: rw,
      Propagation: propagation,
    })),
    Config: config(container),
    NetworkSettings: networkSettings(),
  };
}

function state(container: ContainerDetails): Record<string, unknown> {
  const {status, oomKilled, pid, exitCode, error, startedAt, finishedAt, health, cgroups} = container;
  return {
    Status: dockerStatus(status),
    // Docker's frozen and restarting containers count as running too.
    Running: status === 'running' || status === 'paused' || status === 'restarting',
    Paused: status === 'paused',
    Restarting: status === 'restarting',
    OOMKilled: oomKilled,
    Dead: status === 'broken',
    Pid: pid ?? 0,
    ExitCode: exitCode ?? 0,
    Error: error ?? '',
    StartedAt: time(startedAt),
    FinishedAt: time(finishedAt),
    // There, so that {{if .State.Health}} can ask for it.
    Health: health === undefined || health.status === 'none' ? null : healthOf(health),
    CgroupPath: cgroups[0] ?? '',
  };
}

function healthOf({status, failingStreak, log}: NonNullable<ContainerDetails['health']>): Record<string, unknown> {
  return {
    Status: status,
    FailingStreak: failingStreak,
    Log: log.map(({start, end, exitCode, output}) => ({
      Start: time(start),
      End: time(end),
      ExitCode: exitCode,
      Output: output,
    })),
  };
}
