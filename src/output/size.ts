const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Docker's sizes (go-units' HumanSizeWithPrecision of three digits): powers of 1000, `12.3MB`, `945kB`, `0B`. */
export function humanSize(bytes: number): string {
  let size = bytes;
  let unit = 0;
  // From 999.5 on, three digits would be 1e+03.
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${Number(size.toPrecision(3))}${units[unit]}`;
}
