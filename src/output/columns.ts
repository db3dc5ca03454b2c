/** Docker's tables: columns of at least ten cells, three spaces between them. */
const minimumWidth = 10;
const gap = 3;

export function formatColumns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? minimumWidth, textWidth(cell) + gap);
    });
  }
  return rows
    .map(
      row =>
        `${row
          .map((cell, column) => pad(cell, widths[column] ?? 0))
          .join('')
          .trimEnd()}\n`,
    )
    .join('');
}

export function pad(cell: string, width: number): string {
  return cell + ' '.repeat(Math.max(0, width - textWidth(cell)));
}

/** Printable, one cell each, whatever the font: Latin, and the punctuation that docker and we use ourselves. */
const narrowText = /^[ -~\u00a1-\u02ff\u2010-\u2027]*$/;

/** In terminal cells. Loading Unicode's tables takes 40 ms, so they are only for text that needs them. */
export function textWidth(text: string): number {
  if (narrowText.test(text)) return text.length;
  return (require('string-width') as typeof import('string-width')).default(text);
}
