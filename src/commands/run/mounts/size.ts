import {invalidArgument} from '../../../errors/keelbox-error';

const FACTORS: Readonly<Record<string, number>> = {'': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4};

/** Bytes, as docker reads them: `64m`, `64MB`, `64MiB`, `1.5g`. */
export function readSize(flag: string, text: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?) ?(b|[kmgt]?(?:i?b)?)$/i.exec(text) ?? [];
  const bytes = Math.floor(Number(number) * (FACTORS[unit.charAt(0).toLowerCase()] ?? Number.NaN));
  if (Number.isSafeInteger(bytes)) return bytes;
  throw invalidArgument(`invalid ${flag} "${text}"`, {
    why: 'expected a number of bytes, perhaps with k, m or g',
    hint: 'write it like 64m',
  });
}
