import type {NativeErrorFields} from '../native';
import type {KeelboxCode} from './codes';

/** What an error may say beside its message; the names are those of the addon's errors. */
export interface KeelboxErrorDetails extends Partial<Omit<NativeErrorFields, 'code' | 'message' | 'exitCode'>> {
  cause?: unknown;
}

/** What went wrong on keelbox's side: an error that was foreseen, with a stable code. */
export class KeelboxError extends Error {
  readonly code: KeelboxCode;
  /** The reason, where it is known. */
  declare readonly why?: string;
  /** What to do about it: one imperative sentence, or a few lines. */
  declare readonly hint?: string;
  /** The step of the plan that failed, as `keelbox run --dry-run` names it. */
  declare readonly step?: string;
  declare readonly syscall?: string;
  /** Name of the errno, e.g. `EPERM`. */
  declare readonly errno?: string;
  declare readonly path?: string;

  constructor(code: KeelboxCode, message: string, {cause, ...fields}: KeelboxErrorDetails = {}) {
    super(message, cause === undefined ? undefined : {cause});
    this.code = code;
    for (const key of ['why', 'hint', 'step', 'syscall', 'errno', 'path'] as const)
      if (fields[key] !== undefined) defineField(this, key, fields[key]);
  }
}

// On the prototype, as for Node's own errors: `error.name` is right and no own property repeats it when printed.
Object.defineProperty(KeelboxError.prototype, 'name', {value: 'KeelboxError', configurable: true, writable: true});

export function defineField(error: Error, key: string, value: unknown, enumerable = true): void {
  Object.defineProperty(error, key, {value, enumerable, writable: true, configurable: true});
}

/** A value that an option or argument cannot take. */
export function invalidArgument(message: string, details: KeelboxErrorDetails = {}): KeelboxError {
  return new KeelboxError('ERR_KEELBOX_INVALID_ARG', message, details);
}

/** Something that docker has and keelbox will have: one line, so that scripts and people see at once what is missing. */
export function notYet(what: string): KeelboxError {
  return new KeelboxError('ERR_KEELBOX_NOT_YET', `${what}: not yet`);
}
