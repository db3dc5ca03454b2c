import {invalid} from './errors';

/** The kernel ends a string at its first NUL, so none may be inside. Answers the text; throws `ERR_KEELBOX_INVALID_ARG`. */
export function checkText(value: unknown, what: string): string {
  if (typeof value !== 'string') throw invalid(`${what} must be a string, not ${describe(value)}`);
  if (value.includes('\0')) throw invalid(`${what} contains a NUL character`);
  return value;
}

export function checkFlag(value: unknown, what: string): boolean {
  if (typeof value !== 'boolean') throw invalid(`${what} must be true or false, not ${describe(value)}`);
  return value;
}

/** Throws unless the value is one of the words. */
export function checkWord<T extends string>(value: unknown, words: readonly T[], what: string): T {
  if (!words.includes(value as T))
    throw invalid(`${what} must be ${words.map(word => `"${word}"`).join(' or ')}, not ${describe(value)}`);
  return value as T;
}

export function checkObject(value: unknown, what: string): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`${what} must be an object, not ${describe(value)}`);
  return value;
}

/** A misspelt key must not be a setting that is silently missing. */
export function rejectOthers(given: object, known: readonly string[], what: string): void {
  for (const [key, value] of Object.entries(given))
    if (value !== undefined && !known.includes(key))
      throw invalid(`${what} has no "${key}"`, `Known: ${known.join(', ')}.`);
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  return value === null || typeof value !== 'object'
    ? String(value)
    : Object.prototype.toString.call(value).slice(8, -1);
}
