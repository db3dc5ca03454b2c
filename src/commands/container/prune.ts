import {engine} from '../../engine';
import type {ContainerSummary} from '../../native';
import {formats} from '../../output/formats';
import {hasLabel} from '../../output/labels';
import {humanSize} from '../../output/size';
import {writeOut} from '../../output/write';
import {confirm} from '../confirm';
import {defineCommand} from '../definition';
import {pointInTime} from '../durations';

export const containerPruneCommand = defineCommand({
  path: ['container', 'prune'],
  summary: 'Remove all containers that do not run',
  description:
    'Those that have ended, and those that were never started, with what they have written. Prints their ids.',
  examples: [{command: 'keelbox container prune -f --filter until=24h', text: 'those made more than a day ago'}],
  positionals: {usage: '', min: 0, max: 0},
  options: {
    filter: {
      kind: 'list',
      value: 'KEY=VALUE',
      group: 'Choice',
      help: 'label=KEY[=VALUE], label!=KEY[=VALUE], until=TIME (a duration such as 24h, or a date)',
    },
    force: {kind: 'boolean', short: 'f', group: 'Options', help: 'Do not ask'},
  },
  execute({filter, force}) {
    if (!confirm('This will remove all stopped containers.', force === true, 'container prune')) return 1;
    const {text, freed} = pruneContainers(filter);
    writeOut(`${text}Total reclaimed space: ${humanSize(freed)}\n`);
    return 0;
  },
});

export interface Pruned {
  /** What went, for people; empty or with an empty line at its end. */
  text: string;
  /** Bytes. */
  freed: number;
}

export function pruneContainers(filters: readonly string[]): Pruned {
  const {ids, freed} = engine().act({verb: 'prune', ...(filters.length > 0 && {candidates: candidates(filters)})});
  return {text: deleted('Containers', ids), freed};
}

/** Docker's list of what went. */
export function deleted(what: string, names: readonly string[]): string {
  return names.length === 0 ? '' : `Deleted ${what}:\n${names.map(name => `${name}\n`).join('')}\n`;
}

function candidates(words: readonly string[]): string[] {
  const now = Date.now();
  const matches = formats().readFilters<ContainerSummary>(
    {
      label: {matches: ({labels = {}}, value) => hasLabel(labels, value), needsAll: true},
      until: {matches: ({createdAt}, value) => createdAt < pointInTime(value, now, '--filter until')},
    },
    words,
  );
  return engine()
    .list({all: true})
    .filter(matches)
    .map(({id}) => id);
}
