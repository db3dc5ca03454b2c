import type {ImageSummary} from '../../border/images';
import {engine} from '../../engine';
import {KeelboxError} from '../../errors/keelbox-error';
import type {FilterTable} from '../../output/filters';
import {formats} from '../../output/formats';
import {hasLabel} from '../../output/labels';
import {humanSize} from '../../output/size';
import {writeOut} from '../../output/write';
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
    force: {kind: 'boolean', short: 'f', group: 'Options', help: 'Do not ask: needed, since it cannot be undone'},
  },
  later: {boolean: 'external build-cache'},
  execute({all = false, filter, force}) {
    if (!force) {
      throw new KeelboxError('ERR_KEELBOX_USAGE', 'keelbox image prune removes images, and that cannot be undone', {
        hint: 'if you mean it: keelbox image prune -f',
      });
    }
    const images = engine().imageList();
    const ids = filter.length === 0 ? undefined : choose(images, filter);
    const removed = engine().imagePrune({all, ...(ids && {ids})});
    if (removed.deleted.length > 0) writeOut(`Deleted Images:\n${removedLines(removed, 'untagged', 'deleted')}\n`);
    writeOut(`Total reclaimed space: ${humanSize(removed.freed)}\n`);
    return 0;
  },
});

function choose(images: readonly ImageSummary[], words: readonly string[]): string[] {
  const now = Date.now();
  const table: FilterTable<ImageSummary> = {
    label: {matches: ({labels}, value) => hasLabel(labels, value), needsAll: true},
    until: {matches: ({created}, value) => (Date.parse(created) || 0) < pointInTime(value, now, '--filter until')},
  };
  return images.filter(formats().readFilters(table, words)).map(({id}) => id);
}
