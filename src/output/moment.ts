/** Points in time as docker's `--since` and `--until` take them, in nanoseconds since the epoch. */

const millisecond = 1_000_000n;
const second = 1000n * millisecond;

/** Go's units of durations, in nanoseconds. */
const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: millisecond,
  s: second,
  m: 60n * second,
  h: 3600n * second,
};

/**
 * `10m` and `1h30m` (so long before `now`, in milliseconds), `1767366245.5` (seconds since the epoch), `2026-01-02`,
 * `2026-01-02T15:04` and more of it (local time), the same with `Z` or `+02:00`. Undefined: none of these.
 */
export function moment(text: string, now: number = Date.now()): bigint | undefined {
  const ago = text === '0' ? undefined : duration(text);
  if (ago !== undefined) return BigInt(Math.trunc(now)) * millisecond - ago;
  return epochSeconds(text) ?? date(text);
}

/** Go's form, in nanoseconds: `1h30m`, `1.5h`, `-10s`. */
export function duration(text: string): bigint | undefined {
  const [, sign, parts = ''] = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.exec(text) ?? [];
  if (sign === undefined) return undefined;
  let nanos = 0n;
  for (const [, number = '', unit = ''] of parts.matchAll(/([\d.]+)([a-zµμ]+)/g)) {
    const [whole = '', fraction = ''] = number.split('.');
    nanos += scaled(whole, fraction, units[unit] ?? 0n);
  }
  return sign === '-' ? -nanos : nanos;
}

function epochSeconds(text: string): bigint | undefined {
  const [, sign, whole, fraction = ''] = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const nanos = scaled(whole, fraction, second);
  return sign === '-' ? -nanos : nanos;
}

/** `whole.fraction` times a unit, exactly. */
function scaled(whole: string, fraction: string, unit: bigint): bigint {
  return (BigInt(whole + fraction) * unit) / 10n ** BigInt(fraction.length);
}

const dateForm = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?)?(Z|[+-]\d\d:\d\d)?$/;

function date(text: string): bigint | undefined {
  const [matched, ...words] = dateForm.exec(text) ?? [];
  if (matched === undefined) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, wholeSecond = 0] = words
    .slice(0, 6)
    .map(word => Number(word ?? 0));
  // As if it were UTC, to see whether there is such a day and hour; Date takes the 30th of February for another.
  const utc = Date.UTC(year, month - 1, day, hour, minute, wholeSecond);
  const isReal = new Date(utc)
    .toISOString()
    .startsWith(`${text.slice(0, 10)}T${[hour, minute, wholeSecond].map(twoDigits).join(':')}`);
  if (!isReal) return undefined;
  const zone = words[7];
  const milliseconds =
    zone === undefined ? new Date(year, month - 1, day, hour, minute, wholeSecond).getTime() : utc - zoneOffset(zone);
  return BigInt(milliseconds) * millisecond + scaled('0', words[6] ?? '', second);
}

const twoDigits = (number: number) => String(number).padStart(2, '0');

/** Milliseconds east of Greenwich. */
function zoneOffset(zone: string): number {
  if (zone === 'Z') return 0;
  const [hours = 0, minutes = 0] = zone.slice(1).split(':').map(Number);
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}
