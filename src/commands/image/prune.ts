import {engine} from '../../engine';
import {confirm} from '../confirm';
import {defineCommand} from '../definition';
import {chosen, type Pruned, printPruned, pruneFilter, pruneForce} from '../prune';
import {removedLines} from './rmi';

export const imagePruneCommand = defineCommand({
  path: ['image', 'prune'],
  summary: 'Remove images that nothing uses',
  description: 'Removes images without a name; with -a all of which there is no container.',
  positionals: {usage: '', min: 0, max: 0},
  options: {
    all: {kind: 'boolean', short: 'a', group: 'Choice', help: 'Also those with names'},
    filter: pruneFilter,
    force: pruneForce,
  },
  later: {boolean: 'external build-cache'},
  execute({all = false, filter, force}) {
    const which = all ? 'images without at least one container associated to them' : 'dangling images';
    if (!confirm(`This will remove all ${which}.`, force === true, 'image prune')) return 1;
    printPruned(pruneImages(all, filter));
    return 0;
  },
});

export function pruneImages(all: boolean, filters: readonly string[]): Pruned {
  const ids = filters.length === 0 ? undefined : candidates(filters);
  const removed = engine().imagePrune({all, ...(ids && {ids})});
  const isNothing = removed.deleted.length === 0;
  return {
    text: isNothing ? '' : `Deleted Images:\n${removedLines(removed, 'untagged', 'deleted')}\n`,
    freed: removed.freed,
  };
}

function candidates(filters: readonly string[]): string[] {
  return chosen(engine().imageList(), filters, ({created}) => Date.parse(created) || 0).map(({id}) => id);
}
