import {textOf} from './values';

interface Form {
  flags: string;
  precision: number | undefined;
}

/** Go's verbs that make sense for what our tables hold. */
const verbs: Readonly<Record<string, (value: unknown, form: Form) => string>> = {
  v: textOf,
  s: (value, {precision}) => clipped(textOf(value), precision),
  q: (value, {precision}) => JSON.stringify(clipped(textOf(value), precision)),
  d: (value, {flags}) => signed(wholeNumber(value, '%d'), flags),
  x: value => (typeof value === 'string' ? Buffer.from(value).toString('hex') : wholeNumber(value, '%x').toString(16)),
  t: value => String(value),
  f: (value, {precision, flags}) => {
    if (typeof value !== 'number') throw new Error(`%f needs a number, not ${JSON.stringify(value)}`);
    return `${flags.includes('+') && value >= 0 ? '+' : ''}${value.toFixed(precision ?? 6)}`;
  },
};

/** Go's `fmt.Sprintf`. A verb without its value is an error here, not `%!s(MISSING)` in the output. */
export function printf(format: string, values: readonly unknown[]): string {
  let used = 0;
  const text = format.replace(/%([-+ 0#]*)(\d*)(?:\.(\d*))?(.?)/gsu, (whole, flags, width, digits, verb) => {
    if (verb === '%') return '%';
    const print = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (print === undefined) throw new Error(`printf does not know ${whole}; it has %s %d %v %q %t %f %x and %%`);
    if (used >= values.length) throw new Error(`printf has no value for ${whole}`);
    const precision = digits === undefined ? undefined : Number(digits);
    return padded(print(values[used++], {flags, precision}), Number(width || 0), flags);
  });
  if (used < values.length) throw new Error(`printf has more values (${values.length}) than verbs (${used})`);
  return text;
}

function padded(text: string, width: number, flags: string): string {
  const missing = Math.max(0, width - [...text].length);
  if (flags.includes('-')) return text + ' '.repeat(missing);
  if (!flags.includes('0')) return ' '.repeat(missing) + text;
  const sign = /^[-+]/.exec(text)?.[0] ?? '';
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}

function clipped(text: string, length: number | undefined): string {
  return length === undefined ? text : [...text].slice(0, length).join('');
}

function wholeNumber(value: unknown, verb: string): number {
  if (Number.isInteger(value)) return value as number;
  throw new Error(`${verb} needs a whole number, not ${JSON.stringify(value)}`);
}

function signed(value: number, flags: string): string {
  return value >= 0 && flags.includes('+') ? `+${value}` : String(value);
}
