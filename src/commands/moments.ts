/** Times and numbers of `logs`, `events` and the prunes; apart from the other checks, which the entry's bundle has. */
import {invalidArgument} from '../errors/keelbox-error';
import {moment} from '../output/moment';
import {expected} from './checks';

export const isMoment = expected(
  'a time: 10m (ago), 2026-01-02, 2026-01-02T15:04:05, the same with Z or +02:00, or seconds since 1970',
  value => moment(value) !== undefined,
);

/** The same as a number: milliseconds since the epoch. `flag` is for the message. */
export function readMoment(text: string, now: number, flag: string): number {
  const nanoseconds = moment(text, now);
  if (nanoseconds !== undefined) return Number(nanoseconds / 1_000_000n);
  throw invalidArgument(`${flag}=${text}: expected a duration such as 24h, or a date`);
}

/** Docker takes any negative number for `all`. */
export const isTail = expected('"all" or a number of lines', value => /^(all|-?\d{1,15})$/.test(value));
