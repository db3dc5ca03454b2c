/**
 * keelbox as a library: containers started from inside Node, by the engine that is behind the command line.
 */
export type {KeelboxCode} from './errors/codes';
export {KeelboxError} from './errors/keelbox-error';
export {Container} from './library/container';
export {ExitError} from './library/errors';
export {run} from './library/run';
export {Snapshot} from './library/snapshot';
export type {
  Bytes,
  CommandOptions,
  Common,
  ContainerFs,
  ContainerOptions,
  CreateOptions,
  ExecOptions,
  FileOptions,
  Lifetime,
  LogLine,
  LogOptions,
  Millis,
  Mount,
  Mounts,
  Network,
  Plan,
  Proc,
  ProcEvent,
  ReadyCheck,
  Result,
  RootImage,
  RunOptions,
  Security,
  Step,
  TerminalSize,
  Usage,
} from './library/types';
