/** Go's durations (`time.ParseDuration`), as docker's users write times. */
import {invalidArgument} from '../errors/keelbox-error';

const units: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g;
const whole = new RegExp(`^(?:${part.source})+$`);

/** `1h30m`, `1.5s`, `300ms` or `0` in milliseconds. Undefined: it is no duration. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!whole.test(text)) return undefined;
  const parts = [...text.matchAll(part)];
  return parts.reduce((sum, [, number, unit = '']) => sum + Number(number) * (units[unit] ?? 0), 0);
}

/** A duration before now, seconds since the epoch, or a date: what docker takes for `until` and `since`. */
export function pointInTime(text: string, now: number, flag: string): number {
  const duration = parseDuration(text);
  if (duration !== undefined && text !== '0') return now - duration;
  const time = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (Number.isNaN(time)) throw invalidArgument(`${flag}=${text}: expected a duration such as 24h, or a date`);
  return time;
}
