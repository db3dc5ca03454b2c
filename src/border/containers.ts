/** Containers that exist: what can be done with them, and what is known of one. Mirrors `crates/engine/src/action.rs`. */
import type {RunRequest} from '../native';

/** What `run` and `create` were told about the time after the start. Mirrors `spec::request::LifeRequest`. */
export interface LifeRequest {
  detach?: boolean;
  /** `no`, `on-failure[:N]`, `always`, `unless-stopped`. */
  restart?: string;
  /** A name or a number. Default: the image's, else SIGTERM. */
  stopSignal?: string;
  /** Seconds; -1: never SIGKILL. Default 10. */
  stopTimeout?: number;
  /** Seconds after which it is ended; 0: never. */
  timeout?: number;
  /** `json-file`, `journald`, `none`, `passthrough`. */
  logDriver?: string;
  logOpts?: string[];
  health?: {
    /** Docker's `Test`. */
    test?: string[];
    /** Milliseconds, as the other times. */
    interval?: number;
    timeout?: number;
    startPeriod?: number;
    startInterval?: number;
    retries?: number;
    onFailure?: string;
  };
  attach?: ('stdin' | 'stdout' | 'stderr')[];
  /** Pid 1 is ours, and stays when the command has ended. */
  stays?: boolean;
  expose?: string[];
}

/** A container that was made. */
export interface Created {
  id: string;
  name: string;
  /** Lines for the user. */
  notices: string[];
}

export interface Named {
  id: string;
  name: string;
}

/** A signal, by name or number, and the seconds until SIGKILL (-1: never). */
export interface StopOptions {
  signal?: string;
  timeout?: number;
}

/** One thing to do with one container, by name, id or the beginning of one id alone. */
export type Action =
  /** `Created`. */
  | {verb: 'create'; request: RunRequest}
  /** Make and start it, without a client: `Created`. */
  | {verb: 'run'; request: RunRequest}
  /** `{id, name}`; one that runs is left alone. */
  | {verb: 'start'; reference: string}
  /** `{id, name}`; one that does not run is left alone. */
  | ({verb: 'stop'; reference: string} & StopOptions)
  /** `{id, name}` */
  | ({verb: 'restart'; reference: string} & StopOptions)
  /** `{id, name}` */
  | {verb: 'kill'; reference: string; signal: string}
  | {verb: 'pause'; reference: string}
  | {verb: 'unpause'; reference: string}
  | {verb: 'rename'; reference: string; name: string}
  /** `{id, name, exitCode: number}`. `removed`: that of one which goes at its end. */
  | {verb: 'wait'; reference: string; condition: 'stopped' | 'running' | 'healthy' | 'removed'}
  /** `ContainerDetails` */
  | {verb: 'inspect'; reference: string}
  /** `{id, name}` of what a reference means. */
  | {verb: 'find'; reference: string}
  /** The ids of those that were removed, of those that do not run: `{ids: string[], freed: number}` (bytes). */
  | {verb: 'prune'; candidates?: string[]}
  /** `{id, name}` */
  | {verb: 'update'; reference: string; restart?: string}
  /** `{status, exitCode, output}` of one check, made now. */
  | {verb: 'healthcheck'; reference: string};

/** How a container's health is. */
export interface Health {
  status: 'starting' | 'healthy' | 'unhealthy' | 'none';
  failingStreak: number;
  /** The last five checks; times in milliseconds since the epoch. */
  log: {start: number; end: number; exitCode: number; output: string}[];
}

/** Everything about a container. Times are milliseconds since the epoch. */
export interface ContainerDetails {
  id: string;
  name: string;
  image: string;
  imageId?: string;
  status: ContainerStatus;
  pid?: number;
  exitCode?: number;
  /** The signal that ended it. */
  signal?: number;
  oomKilled: boolean;
  /** Why it could not be started the last time. */
  error?: string;
  restartCount: number;
  createdAt: number;
  startedAt?: number;
  finishedAt?: number;
  health?: Health;
  /** The whole command line: program and arguments. */
  command: string[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** What it was made with. */
  request: RunRequest;
  /** The image's configuration, as far as it is known: docker's keys (`Env`, `Cmd`, `Entrypoint`, `User`, ...). */
  imageConfig: Record<string, unknown>;
  /** What its environment came to, `KEY=value`. */
  env: string[];
  workingDir: string;
  user: string;
  hostname: string;
  /** What is mounted: docker's `Mounts`. */
  mounts: {
    type: string;
    name?: string;
    source: string;
    destination: string;
    mode: string;
    rw: boolean;
    propagation: string;
  }[];
  /** Paths on the host. */
  paths: {data: string; state: string; log?: string; upper?: string};
  logDriver: string;
  /** Its control groups. */
  cgroups: string[];
  stopSignal: string;
  stopTimeout: number;
  restartPolicy: string;
}

/** What `act` answers, by verb. */
export interface Answers {
  create: Created;
  run: Created;
  start: Named;
  stop: Named;
  restart: Named;
  kill: Named;
  pause: Named;
  unpause: Named;
  rename: Named;
  wait: Named & {exitCode: number};
  inspect: ContainerDetails;
  find: Named;
  prune: {ids: string[]; freed: number};
  update: Named;
  healthcheck: {status: Health['status']; exitCode: number; output: string};
}

export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'broken';

export interface ContainersNative {
  /** Does it now, on this thread. */
  act<A extends Action>(action: A): Answers[A['verb']];
  /** Does it on a thread of Node's pool. */
  actLater<A extends Action>(action: A): Promise<Answers[A['verb']]>;
  /** Throws for detach keys that are none, before there is anything to be the client of. */
  checkClient(options: ClientOptions): void;
  /**
   * Gets ready to be the client of a container: one that runs (`attach`), or one that is started for it (`start`). Then
   * `attach(handle)` as after `prepare`.
   */
  prepareAttach(
    options: {reference: string; start: boolean; stdin: boolean; output: boolean} & ClientOptions,
  ): Named & {handle: number};
}

/** How a client behaves. */
export interface ClientOptions {
  /** E.g. `ctrl-p,ctrl-q`; empty: none. Default `ctrl-]`. */
  detachKeys?: string;
  /** Signals go to the container. Default true. */
  sigProxy?: boolean;
}
