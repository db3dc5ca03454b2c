const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

/** Docker's wording and rounding (go-units' HumanDuration), since people and scripts read `Up About an hour`. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / second);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(milliseconds / minute);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.floor(milliseconds / hour + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}

/** A clock that was set back must not show as a negative age. */
export function since(then: number, now: number): number {
  return Math.max(0, now - then);
}

/** `3 days ago`, `About a minute ago`. */
export function ago(then: number, now: number): string {
  return `${humanDuration(since(then, now))} ago`;
}
