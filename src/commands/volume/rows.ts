/** A volume as docker shows it. */
import type {VolumeSummary} from '../../native';

const dockerTime = (milliseconds: number) => new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z');

/** Docker's fields of one line of `volume ls --format json`. */
export function volumeRow(volume: VolumeSummary): Record<string, string> {
  const labels = Object.entries(volume.settings.labels).map(([key, value]) => `${key}=${value}`);
  return {
    Availability: 'N/A',
    Driver: 'local',
    Group: 'N/A',
    Labels: labels.join(','),
    Links: 'N/A',
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Scope: 'local',
    Size: 'N/A',
    Status: 'N/A',
  };
}

/** Docker's document of `volume inspect`, and podman's `Anonymous`. */
export function volumeDocument(volume: VolumeSummary): Record<string, unknown> {
  return {
    CreatedAt: dockerTime(volume.createdAt),
    Driver: 'local',
    Labels: volume.settings.labels,
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Options: volume.settings.options,
    Scope: 'local',
    Anonymous: volume.anonymous,
    Containers: volume.containers,
  };
}
