import type {ImageSummary} from '../../border/images';
import {engine} from '../../engine';
import type {FilterTable} from '../../output/filters';
import {formats} from '../../output/formats';
import {hasLabel} from '../../output/labels';
import {humanSize} from '../../output/size';
import {writeOut} from '../../output/write';
import {confirm} from '../confirm';
import type {Pruned} from '../container/prune';
import {defineCommand} from '../definition';
import {pointInTime} from '../durations';
import {removedLines} from './rmi';

export const imagePruneCommand = defineCommand({
  path: ['image', 'prune'],
  summary: 'Remove images that nothing uses',
  description: 'Removes images without a name; with -a all of which there is no container.',
  positionals: {usage: '', min: 0, max: 0},
  options: {
    all: {kind: 'boolean', short: 'a', group: 'Choice', help: 'Also those with names'},
    filter: {
      kind: 'list',
      value: 'KEY=VALUE',
      group: 'Choice',
      help: 'label=KEY[=VALUE], until=TIME (a duration such as 24h, or a date)',
    },
    force: {kind: 'boolean', short: 'f', group: 'Options', help: 'Do not ask'},
  },
  later: {boolean: 'external build-cache'},
  execute({all = false, filter, force}) {
    const which = all ? 'images without at least one container associated to them' : 'dangling images';
    if (!confirm(`This will remove all ${which}.`, force === true, 'image prune')) return 1;
    const {text, freed} = pruneImages(all, filter);
    writeOut(`${text}Total reclaimed space: ${humanSize(freed)}\n`);
    return 0;
  },
});

export function pruneImages(all: boolean, filters: readonly string[]): Pruned {
  const ids = filters.length === 0 ? undefined : choose(engine().imageList(), filters);
  const removed = engine().imagePrune({all, ...(ids && {ids})});
  const isNothing = removed.deleted.length === 0;
  return {
    text: isNothing ? '' : `Deleted Images:\n${removedLines(removed, 'untagged', 'deleted')}\n`,
    freed: removed.freed,
  };
}

function choose(images: readonly ImageSummary[], words: readonly string[]): string[] {
  const now = Date.now();
  const table: FilterTable<ImageSummary> = {
    label: {matches: ({labels}, value) => hasLabel(labels, value), needsAll: true},
    until: {matches: ({created}, value) => (Date.parse(created) || 0) < pointInTime(value, now, '--filter until')},
  };
  return images.filter(formats().readFilters(table, words)).map(({id}) => id);
}
