/** The volumes' part of the border to the addon; mirrors `crates/engine/src/volumes`. */
import type {VolumeSettings} from './storage';

export interface VolumeSummary {
  name: string;
  /** Where its files are. */
  mountpoint: string;
  settings: Required<VolumeSettings>;
  /** Milliseconds since the epoch. */
  createdAt: number;
  /** It was made for one container, and had no name. */
  anonymous: boolean;
  /** The names of containers that use it. */
  containers: string[];
}

export interface VolumesPruned {
  removed: string[];
  /** Bytes of their files. */
  bytes: number;
}

export interface VolumesNative {
  /** Answers the name; without one it gets 64 hex digits. One of that name with the same options is left as it is. */
  createVolume(name: string | undefined, settings: VolumeSettings): string;
  /** All volumes, by name. */
  listVolumes(): VolumeSummary[];
  inspectVolume(name: string): VolumeSummary;
  /** With `force` one that is not there is no error. One that is in use is (exit code 2). */
  removeVolume(name: string, options: {force: boolean}): void;
  /** Removes volumes that no container uses: anonymous ones, with `all` every one; all `labels` must fit. */
  pruneVolumes(options: {all: boolean; labels: string[]}): VolumesPruned;
  /** Writes the files of a volume to the file at `path`, or to stdout. */
  exportVolume(name: string, path?: string): Promise<void>;
  /** Reads the archive at `path`, or stdin, into a volume. */
  importVolume(name: string, path?: string): Promise<void>;
}
