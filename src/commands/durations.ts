/** Go's durations (`time.ParseDuration`), as docker's users write times. */
import {duration} from '../output/moment';

/** `1h30m`, `1.5s`, `300ms` or `0` in milliseconds. Undefined: it is no duration, or has a sign. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const nanoseconds = /^[+-]/.test(text) ? undefined : duration(text);
  return nanoseconds === undefined ? undefined : Number(nanoseconds) / 1e6;
}
