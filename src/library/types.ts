import type {Readable, Writable} from 'node:stream';
import type {Plan, Step, TerminalSize, Usage} from '../native';
import type {Container} from './container';
import type {Snapshot} from './snapshot';

export type {Plan, Step, TerminalSize, Usage};

/** A number of bytes, or a number with a suffix of 1024: `64k`, `512m`, `2g`. */
export type Bytes = number | `${number}${'k' | 'm' | 'g' | 'K' | 'M' | 'G'}`;

/** A length of time in milliseconds. */
export type Millis = number;

/**
 * What a container's root directory is made of: an image by name (`host`: this machine's own system directories,
 * read-only under a layer of the container's own), a snapshot, or a directory.
 */
export type RootImage =
  | string
  | Snapshot
  | {
      /** The directory; a relative path starts at the working directory of Node. */
      rootfs: string;
      /** True: writes go to a layer that is thrown away, the directory stays as it is. Default false: written in place. */
      overlay?: boolean;
    };

/** A directory or file of this machine shown in the container. */
export interface Mount {
  /** A relative path starts at the working directory of Node. */
  source: string;
  /** Default false. */
  readonly?: boolean;
}

/**
 * Absolute path in the container to what is mounted there: a path of this machine, an empty tmpfs of a given size, or a
 * volume by its name, which is made when there is none.
 */
export type Mounts = Record<string, string | Mount | {tmpfs: Bytes} | {volume: string; readonly?: boolean}>;

export interface Security {
  /** Exactly these capabilities, nothing else (`[]`: none). Default: the 11 of the default container. */
  caps?: readonly string[];
  /** Default `default`. A file holds a profile in docker's JSON. */
  seccomp?: 'default' | 'off' | {file: string};
  /**
   * `auto` (default): a range of ids of its own. `host`: no user namespace. `keep-id`: the caller has its own id inside.
   * `nomap`: without the caller's id. Any word of `keelbox run --userns` can be given.
   */
  userns?: 'auto' | 'host' | 'keep-id' | 'nomap' | (string & {});
}

/** Loopback only, the same, this machine's network, or that of another container. */
export type Network = 'none' | 'private' | 'host' | {join: Container};

/** How long something may take, and who may call it off. */
export interface Common {
  /** Rejects with an `AbortError` (`code: 'ABORT_ERR'`, `cause: signal.reason`). */
  signal?: AbortSignal;
  /** Milliseconds; then `ERR_KEELBOX_TIMEOUT`. Default: no limit. */
  timeout?: Millis;
}

/** What a container is. */
export interface ContainerOptions {
  /** Default: made from the image's name and a short word. */
  name?: string;
  /** Added to the image's own variables. Nothing of Node's environment is passed on. */
  env?: Readonly<Record<string, string>>;
  /** Working directory, an absolute path in the container. */
  cwd?: string;
  /** `name|uid[:group|gid]` */
  user?: string;
  hostname?: string;
  mounts?: Mounts;
  /** Default `none`. */
  network?: Network;
  /** True makes the root directory read-only. */
  readonly?: boolean;
  security?: Security;
  /** Words attached to it, for `Container.list` and `keelbox ps --filter label=...`. */
  labels?: Readonly<Record<string, string>>;
}

/**
 * Who ends a container: its scope (it goes when it is disposed of, and stays when Node crashes), its process (the default:
 * it also goes when Node does, however that happens), or nobody (it goes when it is removed).
 */
export type Lifetime = 'scope' | 'process' | 'detached';

export interface CreateOptions extends ContainerOptions, Common {
  /** Default `process`. */
  lifetime?: Lifetime;
  /** What runs in it from the beginning, instead of the image's own command. It stays when that has ended. */
  command?: readonly string[];
}

/** How a command is run and read. */
export interface CommandOptions {
  /** Ends the command and rejects with an `AbortError` (`code: 'ABORT_ERR'`, `cause: signal.reason`). */
  signal?: AbortSignal;
  /** Milliseconds from the call, then the command is ended: `ERR_KEELBOX_TIMEOUT`. Default: no limit. */
  timeout?: Millis;
  /**
   * What the command reads. `ignore` (default) is an empty input; asking for `proc.stdin` in the tick of `run` makes it
   * a pipe, as `pipe` does for asking later. Any other string is the input itself (bytes for one that may be such a
   * word). A stream is taken over: read to its end, and destroyed when the command
   * stops reading before.
   */
  stdin?: 'ignore' | 'pipe' | 'inherit' | string | Uint8Array | Readable | ReadableStream<Uint8Array>;
  /** A stream is ended with the output, unless it is `process.stdout` or `process.stderr`. Default `pipe`. */
  stdout?: 'pipe' | 'inherit' | 'ignore' | Writable | WritableStream<Uint8Array>;
  /** As `stdout`; `stdout` joins both, where the order of two writes is kept only within each. Default `pipe`. */
  stderr?: 'pipe' | 'inherit' | 'ignore' | 'stdout' | Writable | WritableStream<Uint8Array>;
  /**
   * The most that is kept of stdout, and as much of stderr, while no stream was asked for; and the longest line when
   * iterating. Beyond it the container is ended: `ERR_KEELBOX_MAX_BUFFER`. Default 16 MiB.
   */
  maxBuffer?: Bytes;
  /** What `signal`, `timeout` and `kill()` send first. Default `SIGTERM`. */
  killSignal?: NodeJS.Signals;
  /** Milliseconds from `killSignal` to the end of every process by SIGKILL. Default 2000. */
  killAfter?: Millis;
  /**
   * A terminal for the command, of this size; `true`: 80 by 24. What it prints comes as stdout, as the terminal makes it
   * (`\\r\\n` at the end of a line, unless the command says otherwise); there is no stderr. A terminal has no end of input:
   * write the key that stands for it, `\\x04`.
   */
  tty?: boolean | TerminalSize;
  /** False: an exit code other than 0 or a signal is a `Result` with `ok: false`, not an `ExitError`. Default true. */
  reject?: boolean;
}

export interface RunOptions extends ContainerOptions, CommandOptions {
  /** The container ends when Node ends, however that happens. */
  lifetime?: 'process';
}

/** A command in a container that is there. What is left out is as the container has it. */
export interface ExecOptions extends CommandOptions {
  /** Added to the container's own. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** `name|uid[:group|gid]` */
  user?: string;
}

/** How a command ended and what it wrote. */
export interface Result {
  /** Null when a signal ended it. */
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  /** Decoded as UTF-8; empty where a stream was asked for or given. */
  stdout: string;
  stderr: string;
  usage: Usage;
  /** True for exit code 0. */
  ok: boolean;
}

export type ProcEvent =
  | {type: 'start'; pid: number}
  | {type: 'stdout' | 'stderr'; data: Uint8Array}
  | {type: 'oom'}
  | {type: 'exit'; exitCode: number | null; signal: NodeJS.Signals | null; usage: Usage};

/** A command in a container: a promise of its result, and the streams of it while it runs. */
export interface Proc extends Promise<Result>, AsyncIterable<string>, AsyncDisposable {
  /** Process id on the host; undefined until started. */
  readonly pid: number | undefined;
  /** What was done differently than asked, e.g. that there is no user namespace; empty until started. */
  readonly notices: readonly string[];
  /** Throws `ERR_KEELBOX_INVALID_ARG` when stdin is something else, or when asked too late (see `stdin` in the options). */
  readonly stdin: Writable;
  /**
   * Everything from the first byte on, whenever it is asked for; from then on nothing is kept for the result, and the
   * command waits while nobody reads. Throws `ERR_KEELBOX_INVALID_ARG` when stdout is not a pipe or is read otherwise.
   */
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** The same three as Web streams; a stream has one reader, in one of the two forms. */
  readonly web: {
    readonly stdin: WritableStream<Uint8Array>;
    readonly stdout: ReadableStream<Uint8Array>;
    readonly stderr: ReadableStream<Uint8Array>;
  };
  /**
   * Lines of stdout without their line ends. After the last one, what the promise rejects with is thrown. Leaving the
   * loop early closes the pipe: the command gets SIGPIPE when it writes again.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<string>;
  /**
   * `start`, then `stdout` and `stderr` as they come, `oom` if so, and `exit`. Throws what the promise rejects with,
   * except an `ExitError`, which the last event has told.
   */
  events(): AsyncIterableIterator<ProcEvent>;
  /** The whole stdout. All three reject as the promise does. */
  text(): Promise<string>;
  json<T = unknown>(): Promise<T>;
  bytes(): Promise<Uint8Array>;
  /** Gives its terminal another size, and tells its programs (SIGWINCH). Throws `ERR_KEELBOX_INVALID_ARG` without `tty`. */
  resize(size: TerminalSize): void;
  /** Sends a signal (default `killSignal`) to the command; SIGKILL ends every process of the container. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Ends the container if it still runs and waits until it is gone. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A line that the container's own command has printed. */
export interface LogLine {
  stream: 'stdout' | 'stderr';
  time: Date;
  /** Without its end. */
  line: string;
}

export interface LogOptions {
  /** Go on until the container ends. Default false. */
  follow?: boolean;
  since?: Date;
  signal?: AbortSignal;
}

/** What to wait for: a port or page of the container's, a line that it prints, or a command that succeeds in it. */
export type ReadyCheck = {port: number} | {log: RegExp} | {exec: readonly string[]} | {http: string};

/** The files of a container. Paths begin at its root, and links in it lead nowhere else. */
export interface ContainerFs {
  readFile(path: string): Promise<Uint8Array>;
  readFile(path: string, encoding: 'utf8'): Promise<string>;
  /** Makes or empties the file. */
  writeFile(path: string, data: string | Uint8Array | Readable, options?: FileOptions): Promise<void>;
  /** Names, sorted. */
  readdir(path: string): Promise<string[]>;
  mkdir(path: string, options?: {recursive?: boolean}): Promise<void>;
  rm(path: string, options?: {recursive?: boolean; force?: boolean}): Promise<void>;
  createReadStream(path: string): Readable;
}

/** Of a file that is made. Default: of the container's root, 0o644. */
export interface FileOptions {
  mode?: number;
  uid?: number;
  gid?: number;
}
