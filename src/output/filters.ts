/** `--filter KEY=VALUE`, as docker has it, over a table of keys. In the bundle of the templates. */
import {invalidArgument} from '../errors/keelbox-error';

export interface Filter<T> {
  matches(item: T, value: string): boolean;
  /** The values that there are; others are an error. */
  values?: readonly string[];
  /** All values given must match; otherwise one of them is enough. */
  needsAll?: boolean;
}

export type FilterTable<T> = Readonly<Record<string, Filter<T>>>;

interface Wanted<T> {
  filter: Filter<T>;
  values: string[];
}

/**
 * Answers the question that the words of all `--filter` put: different keys must all match, of one key's values one
 * (or all, where the filter says so). `KEY!=VALUE` must not match.
 */
export function readFilters<T>(table: FilterTable<T>, words: readonly string[]): (item: T) => boolean {
  const wanted = new Map<string, Wanted<T>>();
  const refused: ((item: T) => boolean)[] = [];
  for (const word of words) {
    const {key, value, isNegated} = readWord(table, word);
    const filter = table[key] as Filter<T>;
    if (filter.values && !filter.values.includes(value)) {
      throw invalidArgument(`invalid value "${value}" for --filter ${key}`, {
        why: `expected one of ${filter.values.join(', ')}`,
      });
    }
    if (isNegated) refused.push(item => filter.matches(item, value));
    else wanted.set(key, {filter, values: [...(wanted.get(key)?.values ?? []), value]});
  }
  return item => [...wanted.values()].every(each => accepts(each, item)) && !refused.some(matches => matches(item));
}

function accepts<T>({filter, values}: Wanted<T>, item: T): boolean {
  const matches = (value: string) => filter.matches(item, value);
  return filter.needsAll ? values.every(matches) : values.some(matches);
}

function readWord<T>(table: FilterTable<T>, word: string): {key: string; value: string; isNegated: boolean} {
  const [, rawKey, negation, value] = /^([^=!]+)(!?)=(.*)$/s.exec(word) ?? [];
  const known = Object.keys(table).sort().join(', ');
  if (rawKey === undefined || value === undefined) {
    throw invalidArgument(`invalid value "${word}" for --filter`, {why: `expected KEY=VALUE; the keys are ${known}`});
  }
  const key = rawKey.trim().toLowerCase();
  if (!Object.hasOwn(table, key)) {
    throw invalidArgument(`unknown filter "${key}"`, {why: `the keys are ${known}`, hint: 'write --filter KEY=VALUE'});
  }
  return {key, value: value.trim(), isNegated: negation === '!'};
}
