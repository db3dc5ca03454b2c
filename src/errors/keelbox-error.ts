import type {KeelboxCode} from './codes';

/** What an error may say beside its message; the names are those of the addon's errors. */
export interface KeelboxErrorDetails {
  /** Default 125: the engine failed or was used wrongly. */
  exitCode?: number;
  why?: string;
  /** What to do about it, one imperative sentence or a few lines. */
  hint?: string;
  cause?: unknown;
}

/** An error that was foreseen: it has a stable code and is printed as what, why, fix, code. */
export class KeelboxError extends Error {
  override readonly name: string = 'KeelboxError';
  readonly code: KeelboxCode;
  readonly exitCode: number;
  declare readonly why?: string;
  declare readonly hint?: string;

  constructor(code: KeelboxCode, message: string, details: KeelboxErrorDetails = {}) {
    super(message, 'cause' in details ? {cause: details.cause} : undefined);
    this.code = code;
    this.exitCode = details.exitCode ?? 125;
    if (details.why !== undefined) this.why = details.why;
    if (details.hint !== undefined) this.hint = details.hint;
  }
}

/** A value that an option or argument cannot take. */
export function invalidArgument(message: string, details: KeelboxErrorDetails = {}): KeelboxError {
  return new KeelboxError('ERR_KEELBOX_INVALID_ARG', message, details);
}

/** Something that docker has and keelbox will have: one line, so that scripts and people see at once what is missing. */
export function notYet(what: string): KeelboxError {
  return new KeelboxError('ERR_KEELBOX_NOT_YET', `${what}: not yet`);
}
