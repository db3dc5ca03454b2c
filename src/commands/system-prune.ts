import {existsSync} from 'node:fs';
import {engine} from '../engine';
import {KeelboxError} from '../errors/keelbox-error';
import {confirm} from './confirm';
import {pruneContainers} from './container/prune';
import {defineCommand} from './definition';
import {pruneImages} from './image/prune';
import {deleted, type Pruned, printPruned, pruneFilter, pruneForce} from './prune';
import {pruneVolumes} from './volume/prune';

export const systemPruneCommand = defineCommand({
  path: ['system', 'prune'],
  summary: 'Remove everything that nothing uses',
  description:
    'Containers that do not run, images without a name that no container uses, and what commands that were killed have left in the store. Images with a name only with -a, volumes only with --volumes.',
  examples: [{command: 'keelbox system prune -af --volumes', text: 'what runs is left, and what it needs'}],
  positionals: {usage: '', min: 0, max: 0},
  options: {
    all: {kind: 'boolean', short: 'a', group: 'Choice', help: 'All images that no container uses'},
    volumes: {kind: 'boolean', group: 'Choice', help: 'And anonymous volumes that no container uses'},
    filter: pruneFilter,
    force: pruneForce,
  },
  later: {boolean: 'build external'},
  async execute({all = false, volumes = false, filter, force}) {
    checkFilters(filter, volumes);
    if (!confirm(warning(all, volumes), force === true, 'system prune')) return 1;
    const orphans = await findOrphans();
    const pruned: Pruned[] = [pruneContainers(filter)];
    if (volumes) pruned.push(pruneVolumes(false, labelsOf(filter)));
    pruned.push(pruneImages(all, filter));
    // What is left over goes when images do; it was only seen while it was there.
    pruned.push({
      text: deleted(
        'Leftovers',
        orphans.filter(path => !existsSync(path)),
      ),
      freed: 0,
    });
    printPruned(...pruned);
    return 0;
  },
});

function warning(all: boolean, volumes: boolean): string {
  const what = [
    'all stopped containers',
    ...(volumes ? ['all anonymous volumes not used by at least one container'] : []),
    all ? 'all images without at least one container associated to them' : 'all dangling images',
    'what commands that were killed have left in the store',
  ];
  return `This will remove:\n${what.map(each => `  - ${each}\n`).join('')}`;
}

/** Volumes know no time, as docker has it. */
function checkFilters(filters: readonly string[], volumes: boolean): void {
  if (!volumes || !filters.some(word => /^\s*until/.test(word))) return;
  throw new KeelboxError('ERR_KEELBOX_USAGE', 'the filter "until" is not supported with --volumes', {
    hint: 'prune the volumes by themselves: keelbox volume prune -f',
  });
}

function labelsOf(filters: readonly string[]): string[] {
  return filters.map(word => word.replace(/^\s*label(!?)=/, '$1'));
}

async function findOrphans(): Promise<string[]> {
  const problems = await engine().storeCheck({quick: true, repair: false});
  return problems.map(({path}) => path);
}
