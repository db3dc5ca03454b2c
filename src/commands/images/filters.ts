/** What `images --filter` can ask. */
import {invalidArgument} from '../../errors/keelbox-error';
import type {FilterTable} from '../../output/filters';
import {hasLabel} from '../../output/labels';
import {type ImageRow, none, splitName} from './rows';

const booleans = ['1', 't', 'T', 'true', 'TRUE', 'True', '0', 'f', 'F', 'false', 'FALSE', 'False'];

export function imageFilters(rows: readonly ImageRow[]): FilterTable<ImageRow> {
  const created = (value: string) => find(value, rows).created || 0;
  return {
    before: {matches: (row, value) => (row.created || 0) < created(value)},
    dangling: {
      matches: ({repository}, value) => (repository === none) === /^[1t]/i.test(value),
      values: booleans,
    },
    label: {matches: ({image}, value) => hasLabel(image.labels, value), needsAll: true},
    reference: {matches: (row, value) => matchesName(value)(row)},
    since: {matches: (row, value) => (row.created || 0) > created(value)},
  };
}

function find(value: string, rows: readonly ImageRow[]): ImageRow {
  const isNamed = matchesName(value.includes(':') ? value : `${value}:latest`);
  const isId = ({image}: ImageRow) => image.id.replace('sha256:', '').startsWith(value.replace('sha256:', ''));
  const row = rows.find(isNamed) ?? rows.find(isId);
  if (row === undefined) throw invalidArgument(`--filter: no such image: ${value}`);
  return row;
}

/** Docker's: shell patterns over the parts of a name, and a pattern without a tag for every tag. */
export function matchesName(pattern: string): (row: ImageRow) => boolean {
  const hasTag = pattern.lastIndexOf(':') > pattern.lastIndexOf('/');
  const {repository, tag} = hasTag ? splitName(pattern) : {repository: pattern, tag: '*'};
  const [isRepository, isTag] = [shellPattern(repository), shellPattern(tag)];
  return row => {
    if (row.repository === none) return false;
    const short = row.repository.replace(/^localhost\//, '');
    const full = row.repository.includes('/') ? `docker.io/${row.repository}` : `docker.io/library/${row.repository}`;
    return [row.repository, short, full].some(name => isRepository.test(name)) && isTag.test(row.tag);
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
