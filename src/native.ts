/**
 * The shapes that cross the border to the addon (`crates/binding`). Each mirrors the serde type of the same name in
 * `crates/spec/src/request.rs` (requests) or `crates/engine` (answers); the spec `native-shapes` holds both sides to it.
 */

import type {ConfinementRequest} from './border/confinement';
import type {ClientOptions, ContainerStatus, ContainersNative, LifeRequest} from './border/containers';
import type {ExecNative} from './border/exec';
import type {ExportNative} from './border/export';
import type {FilesNative} from './border/files';
import type {ImagesNative} from './border/images';
import type {JournalNative} from './border/journal';
import type {NamespacesRequest} from './border/namespaces';

export type * from './border/containers';
export type * from './border/exec';
export type * from './border/files';
export type * from './border/journal';
export type {NamespacesRequest} from './border/namespaces';

import type {MountRequest, StorageRequest} from './border/storage';

export type * from './border/storage';
export type * from './border/volumes';

import type {VolumesNative} from './border/volumes';

/** What the container's root directory is made of. */
export type RootRequest =
  | {type: 'image'; name: string}
  | {type: 'rootfs'; path: string; overlay: boolean}
  /** Programs of this machine with their libraries: absolute paths, or names for PATH. */
  | {type: 'binaries'; programs: string[]};

/** Where the container's stdin, stdout and stderr lead. */
export type StdioRequest =
  /** The caller's own fds 0-2 (the command line). */
  | {type: 'inherit'}
  /** Pipes made by the addon; `Started.stdio` has this side's ends (the library). */
  | {type: 'pipe'; stdin: boolean};

/** In characters. */
export interface TerminalSize {
  columns: number;
  rows: number;
}

/** Everything that `run` was told. Absent keys have the default that the comment names. */
export interface RunRequest {
  root: RootRequest;
  /** What follows IMAGE; empty: the image's own command (`host`: a shell). */
  command: string[];
  /** Replaces the image's entry point; an empty list clears it. Default: the image's. */
  entrypoint?: string[];
  /** Default: made from the image's name and a short word, e.g. `host-otter`. */
  name?: string;
  hostname?: string;
  /** `KEY=value`, later ones win. */
  env?: string[];
  cwd?: string;
  /** `name|uid[:group|gid]`. */
  user?: string;
  mounts?: MountRequest[];
  storage?: StorageRequest;
  readonlyRoot?: boolean;
  privileged?: boolean;
  capAdd?: string[];
  capDrop?: string[];
  /** Default true. */
  noNewPrivileges?: boolean;
  /** Default `default`. */
  seccomp?: 'default' | 'unconfined' | {profile: string};
  /** False leaves the masked and read-only paths of /proc and /sys as the kernel shows them. Default true. */
  maskedPaths?: boolean;
  /** The words of `--userns`. Default: a range of its own, where that makes sense. */
  userns?: string;
  /** The words of `--network`. Default `none`: a namespace with loopback only. */
  network?: string;
  /** The other namespaces. Default: all its own. */
  namespaces?: NamespacesRequest;
  /** A small init of ours as pid 1, the command as its child. */
  init?: boolean;
  /** Remove the container and its writable layer when it ends. */
  rm?: boolean;
  interactive?: boolean;
  tty?: boolean;
  /** The size that the new terminal has before the command starts. */
  terminalSize?: TerminalSize;
  /** TERM for a container with a terminal. */
  term?: string;
  cidfile?: string;
  pidfile?: string;
  stdio?: StdioRequest;
  /** Report each step as it is done, and wait before the last one until all have been reported. */
  explain?: boolean;
  confinement?: ConfinementRequest;
  life?: LifeRequest;
}

/** One operation of a plan. */
export interface Step {
  op: string;
  syscall?: string;
  detail: string;
  why: string;
  needs?: string;
  available: boolean;
}

export interface Plan {
  namespaces: string[];
  /** Control file to value. */
  cgroup: Record<string, string>;
  mounts: string[];
  caps: string[];
  steps: Step[];
}

/** A step that has been done, for `--explain`. */
export interface StepDone extends Step {
  /** Position in the plan, from 0. */
  index: number;
  /** Who did it. */
  side: 'launcher' | 'init';
  microseconds: number;
}

export interface Usage {
  wallMs: number;
  cpuMs: number;
  maxMemoryBytes: number;
  oomKilled: boolean;
}

export type ContainerEvent =
  | {type: 'exit'; exitCode: number | null; signal: number | null; usage: Usage}
  /** The supervisor went away without an exit record. */
  | {type: 'lost'};

export interface Started {
  id: string;
  name: string;
  pid: number;
  /** Our ends of the container's pipes; the receiver owns and closes them. -1 where there is none. */
  stdio: [number, number, number];
  /** Names this container in `signal`. */
  handle: number;
  /** Lines for the user about what was done differently than asked, e.g. no user namespace. */
  notices: string[];
}

export interface ContainerSummary {
  id: string;
  name: string;
  image: string;
  /** Of a stored image. */
  imageId?: string;
  command: string[];
  labels?: Record<string, string>;
  status: ContainerStatus;
  pid?: number;
  exitCode?: number;
  /** Milliseconds since the epoch, as are the other times. */
  createdAt: number;
  startedAt?: number;
  finishedAt?: number;
  /** Of one with a health check. */
  health?: 'starting' | 'healthy' | 'unhealthy' | 'none';
  restartCount?: number;
  /** Why it is `broken`: its records cannot be read. */
  error?: string;
}

export interface HostReport {
  version: string;
  runtimePath: string;
  kernel: string;
  arch: string;
  rootless: boolean;
  root: string;
  runRoot: string;
  cgroups: 'v2' | 'v1' | 'hybrid' | 'none';
  /** Controller name to where it is usable (`v1`, `v2`). */
  controllers: Record<string, string>;
  /** Whether the kernel has AppArmor switched on. */
  apparmor: boolean;
  containers: {total: number; running: number; exited: number};
  idRange: string;
}

/**
 * The addon. A failing call throws an `Error` that also carries the fields of `NativeErrorFields`.
 */
export interface Native
  extends ContainersNative,
    ExecNative,
    ExportNative,
    FilesNative,
    ImagesNative,
    JournalNative,
    VolumesNative {
  /** Makes and starts a container on the caller's stdio; calls `onStep` for each step when `explain` is set. */
  prepare(request: RunRequest, onStep?: (step: StepDone) => void): Started;
  /** Replaces this process by the attach client of a container that `prepare` started. Never returns on success. */
  attach(handle: number, options?: ClientOptions): never;
  /** Makes and starts a container off the JavaScript thread. */
  start(request: RunRequest, onEvent: (event: ContainerEvent) => void): Promise<Started>;
  /** Sends a signal to the container's first process; 9 ends every process of it. False: it is gone already. */
  signal(handle: number, signal: number): boolean;
  plan(request: RunRequest): Plan;
  list(options: {all: boolean}): ContainerSummary[];
  /** Removes a container by name, id or unique prefix of the id; answers its id. */
  remove(reference: string, options: {force: boolean; volumes?: boolean}): string;
  info(): HostReport;
}

export interface NativeErrorFields {
  /** `ERR_KEELBOX_*` */
  code: string;
  message: string;
  /** 125, 126, 127, 1 or 2. */
  exitCode: number;
  why?: string;
  hint?: string;
  step?: string;
  syscall?: string;
  errno?: string;
  path?: string;
}
