/** JSON-like values as Go's text/template sees them: what they look like as text, and which count as true. */

export type Method = (...values: readonly unknown[]) => unknown;

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Empty strings, lists and maps are false, as are 0 and what is not there. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isRecord(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** As `{{.}}` prints it: `[a b]`, `map[key:value]` with sorted keys. */
export function textOf(value: unknown): string {
  return value === undefined || value === null ? '<no value>' : innerText(value);
}

function innerText(value: unknown): string {
  if (value === undefined || value === null) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(innerText).join(' ')}]`;
  if (!isRecord(value)) return String(value);
  return `map[${sortedKeys(value)
    .map(key => `${key}:${innerText(value[key])}`)
    .join(' ')}]`;
}

/** Go walks and prints maps in the order of their keys. */
export function sortedKeys(value: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(value).sort();
}
