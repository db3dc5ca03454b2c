/** Mounts, volumes and devices of a request: `crates/spec/src/request/storage.rs` has the same shapes. */

/** Everything that a bind or volume may have beside its ends; absent keys have the default that the comment names. */
export interface MountOptions {
  /** Whether later mounts travel between the host and the container. Default `private`: neither way. */
  propagation?: 'private' | 'slave' | 'shared' | 'unbindable';
  /** Mounts below the source. Default `same`: they come along, and are read-only where the bind is. */
  submounts?: 'same' | 'writable' | 'none';
  /** Device nodes work. */
  dev?: boolean;
  noexec?: boolean;
  nosuid?: boolean;
  /** Everything in it is given to the container's user. */
  chown?: boolean;
  /** Ids on disk to ids of the host; empty: as without. */
  idmap?: Idmap;
  /** A path below the source. */
  subpath?: string;
  /** An empty volume stays empty. */
  nocopy?: boolean;
  /** A missing source is made. */
  createSource?: boolean;
  /** Writes go to a layer that goes with the container. */
  overlay?: boolean;
  /** `z` or `Z`: matters on machines with SELinux only. */
  relabel?: boolean;
}

export interface Idmap {
  uids: IdmapRange[];
  /** Empty: as `uids`. */
  gids: IdmapRange[];
}

export interface IdmapRange {
  /** On disk. */
  from: number;
  to: number;
  count: number;
  /** `to` is an id of the container, not of the host. */
  relative: boolean;
}

export interface BindMount {
  type: 'bind';
  source: string;
  target: string;
  readonly: boolean;
  options?: MountOptions;
}

export interface VolumeSettings {
  /** Options of the driver `local`: `type`, `device`, `o`. */
  options?: Record<string, string>;
  labels?: Record<string, string>;
}

export interface VolumeMount {
  type: 'volume';
  /** Absent: a new one that goes with the container. */
  name?: string;
  target: string;
  readonly: boolean;
  options?: MountOptions;
  /** What it is made with when there is none of that name. */
  settings?: VolumeSettings;
}

export interface TmpfsMount {
  type: 'tmpfs';
  target: string;
  /** Mount options as written after the colon of `--tmpfs`, e.g. `size=64m,mode=1777`; empty for the defaults. */
  options: string;
}

export interface ImageMount {
  type: 'image';
  /** A stored image: a name, an id, or the beginning of one alone. */
  source: string;
  target: string;
  /** What is written goes to a layer that goes with the container. Default: nothing can be written. */
  writable?: boolean;
  /** A path in the image. */
  subpath?: string;
}

export type MountRequest = BindMount | VolumeMount | TmpfsMount | ImageMount;

export interface DeviceRequest {
  source: string;
  target: string;
}

export interface VolumesFrom {
  /** A name, an id, or the beginning of one alone. */
  container: string;
  readonly: boolean;
}

export interface StorageRequest {
  /** Bytes that /dev/shm may hold; 0: no limit. Default 64 MiB. */
  shmSize?: number;
  devices?: DeviceRequest[];
  volumesFrom?: VolumesFrom[];
}
