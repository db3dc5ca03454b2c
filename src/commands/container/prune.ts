import {engine} from '../../engine';
import {confirm} from '../confirm';
import {defineCommand} from '../definition';
import {chosen, deleted, type Pruned, printPruned, pruneFilter, pruneForce} from '../prune';

export const containerPruneCommand = defineCommand({
  path: ['container', 'prune'],
  summary: 'Remove all containers that do not run',
  description:
    'Those that have ended, and those that were never started, with what they have written. Prints their ids.',
  examples: [{command: 'keelbox container prune -f --filter until=24h', text: 'those made more than a day ago'}],
  positionals: {usage: '', min: 0, max: 0},
  options: {filter: pruneFilter, force: pruneForce},
  execute({filter, force}) {
    if (!confirm('This will remove all stopped containers.', force === true, 'container prune')) return 1;
    printPruned(pruneContainers(filter));
    return 0;
  },
});

export function pruneContainers(filters: readonly string[]): Pruned {
  const {ids, freed} = engine().act({verb: 'prune', ...(filters.length > 0 && {candidates: candidates(filters)})});
  return {text: deleted('Containers', ids), freed};
}

function candidates(filters: readonly string[]): string[] {
  return chosen(engine().list({all: true}), filters, ({createdAt}) => createdAt).map(({id}) => id);
}
