import type {KeelboxCode} from '../errors/codes';
import {defineField, invalidArgument, KeelboxError} from '../errors/keelbox-error';
import type {NativeErrorFields} from '../native';
import type {Result} from './types';

/** The command ended with another exit code than 0, or by a signal. */
export class ExitError extends KeelboxError {
  declare readonly result: Result;
  readonly argv: readonly string[];

  constructor(result: Result, argv: readonly string[]) {
    super('ERR_KEELBOX_EXIT', exitMessage(result, argv));
    defineField(this, 'result', result, false);
    this.argv = argv;
  }
}

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
  return invalidArgument(message, hint === undefined ? {} : {hint});
}

/** An error of the addon as a `KeelboxError` with the same fields, the original as its cause. */
export function fromNative(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const fields = error as Error & Partial<NativeErrorFields>;
  if (error instanceof KeelboxError || !fields.code?.startsWith('ERR_KEELBOX_')) return error;
  return new KeelboxError(fields.code as KeelboxCode, error.message, {...fields, cause: error});
}

/** Makes the trace begin where the user called: the frames of our own callbacks say nothing. Not so for a bug of ours. */
export function setCallSite(error: Error, site: {stack?: string}): void {
  if (!(error instanceof KeelboxError || error instanceof AbortError)) return;
  const frames = site.stack?.indexOf('\n    at ') ?? -1;
  if (frames >= 0) defineField(error, 'stack', `${error}${site.stack?.slice(frames)}`, false);
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
