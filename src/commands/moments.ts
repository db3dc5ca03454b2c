/** Checks of the times and numbers of `logs` and `events`; apart from the others, which the entry's bundle has. */
import {moment} from '../output/moment';
import {expected} from './checks';

export const isMoment = expected(
  'a time: 10m (ago), 2026-01-02, 2026-01-02T15:04:05, the same with Z or +02:00, or seconds since 1970',
  value => moment(value) !== undefined,
);

/** Docker takes any negative number for `all`. */
export const isTail = expected('"all" or a number of lines', value => /^(all|-?\d{1,15})$/.test(value));
