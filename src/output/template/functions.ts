/** The functions of Go's templates, and docker's own (docker/cli templates/templates.go). */
import {printf} from './printf';
import {isRecord, isTrue, type Method, textOf} from './values';

/** `and` and `or` are not among them: they leave out what need not be evaluated, and are the evaluator's. */
export const functions: Readonly<Record<string, Method>> = {
  json: (value = null) => JSON.stringify(value),
  join: (...values) => {
    const list = values.find(Array.isArray);
    const separator = values.find(value => typeof value === 'string');
    if (values.length !== 2 || list === undefined || separator === undefined) {
      throw new Error('join wants a list and what to put between: {{join .Args ", "}}');
    }
    return list.map(textOf).join(String(separator));
  },
  split: (...values) => {
    const [text, separator] = strings('split', values, 2);
    return text === undefined || separator === undefined ? [] : text.split(separator);
  },
  upper: (...values) => strings('upper', values, 1)[0]?.toUpperCase(),
  lower: (...values) => strings('lower', values, 1)[0]?.toLowerCase(),
  title: (...values) =>
    strings('title', values, 1)[0]?.replace(/(?<![\p{L}\p{N}_'])\p{L}/gu, letter => letter.toUpperCase()),
  truncate: (...values) => {
    const text = values.find(value => typeof value === 'string');
    const length = values.find(value => typeof value === 'number');
    if (values.length !== 2 || text === undefined || length === undefined) {
      throw new Error('truncate wants a text and a length: {{truncate .ID 6}}');
    }
    return [...String(text)].slice(0, Number(length)).join('');
  },
  pad: (text, before, after) =>
    text === '' ? '' : ' '.repeat(Number(before)) + textOf(text) + ' '.repeat(Number(after)),
  print: (...values) => values.map(textOf).join(''),
  println: (...values) => `${values.map(textOf).join(' ')}\n`,
  printf: (format, ...values) => {
    if (typeof format !== 'string') throw new Error('the first argument of printf is its format: {{printf "%s" .ID}}');
    return printf(format, values);
  },
  len: value => {
    if (typeof value === 'string') return Buffer.byteLength(value);
    if (Array.isArray(value)) return value.length;
    if (isRecord(value)) return Object.keys(value).length;
    throw new Error(`len wants a text, a list or a map, not ${textOf(value)}`);
  },
  index: (value, ...keys) => keys.reduce(element, value),
  slice: (value, from = 0, to) => {
    if (typeof value !== 'string' && !Array.isArray(value)) throw new Error(`slice wants a text or a list`);
    const end = Number(to ?? value.length);
    if (!(Number(from) >= 0 && Number(from) <= end && end <= value.length)) {
      throw new Error(`slice ${from}:${end} is out of range: there are ${value.length}`);
    }
    return value.slice(Number(from), end);
  },
  not: value => !isTrue(value),
  eq: (first, ...others) => {
    if (others.length === 0) throw new Error('eq wants at least two values');
    return others.some(other => compare('eq', first, other) === 0);
  },
  ne: (a, b) => compare('ne', a, b) !== 0,
  lt: (a, b) => compare('lt', a, b) < 0,
  le: (a, b) => compare('le', a, b) <= 0,
  gt: (a, b) => compare('gt', a, b) > 0,
  ge: (a, b) => compare('ge', a, b) >= 0,
};

function strings(name: string, values: readonly unknown[], count: number): string[] {
  if (values.length !== count)
    throw new Error(`${name} wants ${count} value${count > 1 ? 's' : ''}, not ${values.length}`);
  return values.map(value => {
    if (typeof value === 'string') return value;
    throw new Error(`${name} wants text, not ${textOf(value)}`);
  });
}

/** A key that a map lacks is empty, as Go's maps of strings have it: `{{index .Config.Labels "none"}}`. */
function element(value: unknown, key: unknown): unknown {
  if (isRecord(value)) return Object.hasOwn(value, String(key)) ? value[String(key)] : '';
  if (!Array.isArray(value)) throw new Error(`index wants a list or a map, not ${textOf(value)}`);
  if (Number.isInteger(key) && Number(key) >= 0 && Number(key) < value.length) return value[Number(key)];
  throw new Error(`there is no index ${textOf(key)} in a list of ${value.length}`);
}

/** Zero when they are the same, else their order. Values of two kinds cannot be compared; only with nil, by eq and ne. */
function compare(name: string, a: unknown, b: unknown): number {
  const isEquality = name === 'eq' || name === 'ne';
  if (isEquality && ((a ?? null) === null || (b ?? null) === null)) return (a ?? null) === (b ?? null) ? 0 : 1;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (isEquality && typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  throw new Error(`${name} cannot compare ${kindOf(a)} with ${kindOf(b)}`);
}

function kindOf(value: unknown): string {
  const kind = Array.isArray(value) ? 'a list' : isRecord(value) ? 'a map' : `the ${typeof value}`;
  return typeof value === 'object' || value === undefined ? kind : `${kind} ${JSON.stringify(value)}`;
}
