/** What the prunes of containers, images, volumes and everything share. */
import {formats} from '../output/formats';
import {hasLabel} from '../output/labels';
import {humanSize} from '../output/size';
import {writeOut} from '../output/write';
import type {OptionDefinition} from './definition';
import {readMoment} from './moments';

/** What went. */
export interface Pruned {
  /** For people; empty or with an empty line at its end. */
  text: string;
  /** Bytes. */
  freed: number;
}

export const pruneFilter = {
  kind: 'list',
  value: 'KEY=VALUE',
  group: 'Choice',
  help: 'label=KEY[=VALUE], label!=KEY[=VALUE], until=TIME (a duration such as 24h, or a date)',
} as const satisfies OptionDefinition;

export const pruneForce = {
  kind: 'boolean',
  short: 'f',
  group: 'Options',
  help: 'Do not ask',
} as const satisfies OptionDefinition;

interface Labelled {
  labels?: Readonly<Record<string, string>>;
}

/** Those that fit all of the filters. `createdAt` is in milliseconds since the epoch. */
export function chosen<T extends Labelled>(
  all: readonly T[],
  filters: readonly string[],
  createdAt: (each: T) => number,
): T[] {
  const now = Date.now();
  const matches = formats().readFilters<T>(
    {
      label: {matches: ({labels = {}}, value) => hasLabel(labels, value), needsAll: true},
      until: {matches: (each, value) => createdAt(each) < readMoment(value, now, '--filter until')},
    },
    filters,
  );
  return all.filter(matches);
}

/** Docker's list of what went. */
export function deleted(what: string, names: readonly string[]): string {
  return names.length === 0 ? '' : `Deleted ${what}:\n${names.map(name => `${name}\n`).join('')}\n`;
}

export function printPruned(...pruned: readonly Pruned[]): void {
  const freed = pruned.reduce((sum, each) => sum + each.freed, 0);
  writeOut(`${pruned.map(({text}) => text).join('')}Total reclaimed space: ${humanSize(freed)}\n`);
}
