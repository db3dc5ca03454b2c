import type {KeelboxCode as EngineCode} from '../errors/codes';
import type {NativeErrorFields} from '../native';
import type {Result} from './types';

/** Stable, never reused: switch on these, not on the text. */
export type KeelboxCode = EngineCode | 'ERR_KEELBOX_MAX_BUFFER' | 'ERR_KEELBOX_STDIO' | 'ERR_KEELBOX_LOST';

type Fields = Partial<Omit<NativeErrorFields, 'code' | 'message' | 'exitCode'>>;

/** What went wrong on keelbox's side of a container. */
export class KeelboxError extends Error {
  readonly code: KeelboxCode;
  /** The reason, where it is known. */
  declare readonly why?: string;
  /** What to do, as one imperative sentence. */
  declare readonly hint?: string;
  /** The step of the plan that failed, as `keelbox run --dry-run` names it. */
  declare readonly step?: string;
  declare readonly syscall?: string;
  /** Name of the errno, e.g. `EPERM`. */
  declare readonly errno?: string;
  declare readonly path?: string;

  constructor(code: KeelboxCode, message: string, fields: Fields = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    for (const key of ['why', 'hint', 'step', 'syscall', 'errno', 'path'] as const)
      if (fields[key] !== undefined) define(this, key, fields[key]);
  }
}

/** The command ended with another exit code than 0, or by a signal. */
export class ExitError extends KeelboxError {
  declare readonly result: Result;
  readonly argv: readonly string[];

  constructor(result: Result, argv: readonly string[]) {
    super('ERR_KEELBOX_EXIT', exitMessage(result, argv));
    define(this, 'result', result, false);
    this.argv = argv;
  }
}

// On the prototypes, as for Node's own errors: `error.name` is right and no own property repeats it when printed.
Object.defineProperty(KeelboxError.prototype, 'name', {value: 'KeelboxError', configurable: true, writable: true});
Object.defineProperty(ExitError.prototype, 'name', {value: 'ExitError', configurable: true, writable: true});

/** Node does not export its AbortError; this one has the same name, code and text. */
class AbortError extends Error {
  override readonly name = 'AbortError';
  readonly code = 'ABORT_ERR';
}

export function abortError(reason: unknown): Error {
  return new AbortError('The operation was aborted', {cause: reason});
}

export function invalid(message: string, hint?: string): KeelboxError {
  return new KeelboxError('ERR_KEELBOX_INVALID_ARG', message, hint === undefined ? {} : {hint});
}

export function notYet(what: string): KeelboxError {
  return invalid(`${what}: not yet`, 'Leave it out: this version of keelbox does not have it.');
}

/** An error of the addon as a `KeelboxError` with the same fields, the original as its cause. */
export function fromNative(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const fields = error as Error & Partial<NativeErrorFields>;
  if (error instanceof KeelboxError || !fields.code?.startsWith('ERR_KEELBOX_')) return error;
  return new KeelboxError(fields.code as KeelboxCode, error.message, fields, {cause: error});
}

/** Makes the trace begin where the user called: the frames of our own callbacks say nothing. Not so for a bug of ours. */
export function setCallSite(error: Error, site: {stack?: string}): void {
  if (!(error instanceof KeelboxError || error instanceof AbortError)) return;
  const frames = site.stack?.indexOf('\n    at ') ?? -1;
  if (frames >= 0) define(error, 'stack', `${error}${site.stack?.slice(frames)}`, false);
}

function exitMessage(result: Result, argv: readonly string[]): string {
  const end = result.signal === null ? `exited with code ${result.exitCode}` : `was ended by ${result.signal}`;
  const memory = result.usage.oomKilled ? ' (out of memory)' : '';
  const said = lastLine(result.stderr);
  return `${argv[0] ?? 'the command of the image'} ${end}${memory}${said && `: ${said}`}`;
}

/** The last words of a command are the container's: shortened, and without what a terminal would obey. */
function lastLine(stderr: string): string {
  const line = stderr.slice(-2000).trimEnd().split('\n').at(-1) ?? '';
  return line.replace(/\p{Cc}/gu, '').slice(0, 200);
}

function define(error: Error, key: string, value: unknown, enumerable = true): void {
  Object.defineProperty(error, key, {value, enumerable, writable: true, configurable: true});
}
