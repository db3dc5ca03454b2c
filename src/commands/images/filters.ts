/** `images --filter`, with docker's meaning: several of one key are alternatives, different keys must all hold. */
import {invalidArgument} from '../../errors/keelbox-error';
import {type ImageRow, none, splitName} from './rows';

type Test = (row: ImageRow) => boolean;

export function filterRows(rows: readonly ImageRow[], filters: readonly string[], pattern?: string): ImageRow[] {
  const tests = new Map<string, Test[]>();
  for (const filter of filters) {
    const [key = '', ...rest] = filter.split('=');
    const make = filterKinds[key as keyof typeof filterKinds];
    if (make === undefined || rest.length === 0) {
      throw invalidArgument(`--filter '${filter}' is not one of keelbox images`, {
        hint: `use ${Object.keys(filterKinds).join('=, ')}=`,
      });
    }
    // Labels are the exception: an image must have all of them.
    const group = key === 'label' ? filter : key;
    tests.set(group, [...(tests.get(group) ?? []), make(rest.join('='), rows)]);
  }
  if (pattern !== undefined) tests.set('', [matchesName(pattern)]);
  return rows.filter(row => [...tests.values()].every(some => some.some(test => test(row))));
}

const filterKinds = {
  reference: (value: string): Test => matchesName(value),
  dangling: (value: string): Test => {
    const wanted = goBoolean(value);
    return row => (row.repository === none) === wanted;
  },
  label: (value: string): Test => {
    const [key = '', ...rest] = value.split('=');
    const wanted = rest.join('=');
    return ({image}) => Object.hasOwn(image.labels, key) && (rest.length === 0 || image.labels[key] === wanted);
  },
  before: (value: string, rows: readonly ImageRow[]): Test => {
    const other = find(value, rows).created || 0;
    return row => (row.created || 0) < other;
  },
  since: (value: string, rows: readonly ImageRow[]): Test => {
    const other = find(value, rows).created || 0;
    return row => (row.created || 0) > other;
  },
};

function goBoolean(value: string): boolean {
  if (/^(1|t|T|true|TRUE|True)$/.test(value)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(value)) return false;
  throw invalidArgument(`--filter dangling=${value}: expected true or false`);
}

function find(value: string, rows: readonly ImageRow[]): ImageRow {
  const isNamed = matchesName(value.includes(':') ? value : `${value}:latest`);
  const isId = (row: ImageRow) => row.image.id.replace('sha256:', '').startsWith(value.replace('sha256:', ''));
  const row = rows.find(isNamed) ?? rows.find(isId);
  if (row === undefined) throw invalidArgument(`--filter: no such image: ${value}`);
  return row;
}

/** docker's: shell patterns over whole parts, a pattern without a tag for any tag. */
function matchesName(pattern: string): Test {
  const hasTag = pattern.lastIndexOf(':') > pattern.lastIndexOf('/');
  const {repository, tag} = hasTag ? splitName(pattern) : {repository: pattern, tag: '*'};
  const [isRepository, isTag] = [shellPattern(repository), shellPattern(tag)];
  return row => {
    if (row.repository === none) return false;
    const short = row.repository.replace(/^(localhost|docker\.io)\//, '');
    return (isRepository.test(row.repository) || isRepository.test(short)) && isTag.test(row.tag);
  };
}

/** `*` and `?` do not cross a slash, `[...]` is a set (Go's path.Match). */
function shellPattern(pattern: string): RegExp {
  const source = pattern.replace(/[\\^$.|+(){}]/g, '\\$&').replace(/[*?]/g, found => `[^/]${found === '*' ? '*' : ''}`);
  try {
    return new RegExp(`^${source}$`);
  } catch {
    throw invalidArgument(`${pattern} is not a pattern`);
  }
}
