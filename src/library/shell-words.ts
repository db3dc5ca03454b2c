/** A template string as a line for `sh -c`: each value is one word, whatever is in it; a list is several. */
export function shellLine(parts: readonly string[], values: readonly unknown[]): string {
  return parts.map((part, index) => part + (index < values.length ? words(values[index]) : '')).join('');
}

function words(value: unknown): string {
  return Array.isArray(value) ? value.map(quoted).join(' ') : quoted(value);
}

function quoted(value: unknown): string {
  const text = String(value);
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
