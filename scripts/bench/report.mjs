/** The bench's tables. */

function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map(row => row[column].length)));
  const cell = (text, column) => (column === 0 ? text.padEnd(widths[column]) : text.padStart(widths[column]));
  return rows.map(row => `  ${row.map(cell).join('  ').trimEnd()}\n`).join('');
}

const ms = value => value.toFixed(2);

function comparison(mine, other) {
  return other ? `${(mine.min / other.min).toFixed(2)} / ${(mine.median / other.median).toFixed(2)}` : '';
}

export function timesTable(scenarios, figures) {
  const shown = scenarios.filter(({name}) => figures[name]);
  const rows = shown.map(({name, peer}) => {
    const mine = figures[name];
    const versus = figures[peer] ? `x ${peer}` : '';
    return [name, `${mine.n}`, ms(mine.min), ms(mine.p25), ms(mine.median), comparison(mine, figures[peer]), versus];
  });
  return table([['', 'n', 'min', 'p25', 'median', 'ratio of min / median', ''], ...rows]);
}

function limitText({limit, unit}) {
  return `<= ${limit} ${unit}`.trimEnd();
}

function valueText({value, min, median, unit}) {
  if (min !== undefined) return `${min.toFixed(2)} / ${median.toFixed(2)} ${unit}`;
  return `${Number.isInteger(value) ? value : value.toFixed(unit === 'x' ? 2 : 1)} ${unit}`.trimEnd();
}

export function goalsTable(goals) {
  return table(goals.map(goal => [goal.what, valueText(goal), limitText(goal), goal.met ? 'met' : 'NOT MET']));
}

export function countsTable(counts) {
  const rows = Object.entries(counts).map(([name, {calls, execs, syncs, byName}]) => {
    const top = Object.entries(byName).slice(0, 4);
    return [name, `${calls}`, `${execs}`, `${syncs}`, top.map(([call, count]) => `${call} ${count}`).join(', ')];
  });
  return table([['', 'calls', 'execs', 'fsyncs', 'most of them'], ...rows]);
}
