/** The known word that was probably meant, if one is near enough to be worth a guess. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const target = word.toLowerCase();
  let best: string | undefined;
  // A third of the letters wrong is still a typing error; more is another word.
  let bestDistance = Math.max(1, Math.floor(target.replace(/^-+/, '').length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(target, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best ?? known.find(candidate => target.length > 2 && candidate.startsWith(target));
}

/** Damerau-Levenshtein, adjacent transpositions counted as one ("rnu" is near "run"). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({length: b.length + 1}, (_, column) => column)];
  const at = (row: number, column: number): number => rows[row]?.[column] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY;
      row.push(Math.min(at(i - 1, j) + 1, (row[j - 1] ?? 0) + 1, at(i - 1, j - 1) + cost, swap));
    }
  }
  return at(a.length, b.length);
}
