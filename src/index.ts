/**
 * keelbox as a library: containers started from inside Node, by the engine that is behind the command line.
 */
export type {KeelboxCode} from './errors/codes';
export {KeelboxError} from './errors/keelbox-error';
export {ExitError} from './library/errors';
export {run} from './library/run';
export type {
  Bytes,
  CreateOptions,
  ExecOptions,
  Millis,
  Mount,
  Mounts,
  Proc,
  ProcEvent,
  Result,
  RootImage,
  RunOptions,
  Security,
  Usage,
} from './library/types';
