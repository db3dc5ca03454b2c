import {invalid} from './errors';
import type {Bytes, Millis} from './types';

const FACTOR: Record<string, number> = {'': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3};

/** The longest delay of `setTimeout`; a longer one would fire at once. */
const MAX_MILLIS = 2 ** 31 - 1;

/** `64k` to 65536; throws `ERR_KEELBOX_INVALID_ARG`. */
export function parseBytes(value: Bytes, what: string): number {
  const match = /^(\d+(?:\.\d+)?)([kmg]?)$/.exec(String(value).toLowerCase());
  const bytes = match ? Math.floor(Number(match[1]) * (FACTOR[match[2] ?? ''] ?? 1)) : 0;
  if (bytes < 1 || !Number.isSafeInteger(bytes))
    throw invalid(`${what} must be a number of bytes above 0, not ${JSON.stringify(value)}`, 'Write 65536 or "64k".');
  return bytes;
}

/** Throws `ERR_KEELBOX_INVALID_ARG` unless it is a delay that a timer can have. */
export function parseMillis(value: Millis, what: string): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= MAX_MILLIS))
    throw invalid(`${what} must be milliseconds from 0 to ${MAX_MILLIS}, not ${String(value)}`);
  return value;
}
