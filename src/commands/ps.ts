import {engine} from '../engine';
import type {ContainerSummary} from '../native';
import {formatColumns} from '../output/columns';
import {formats} from '../output/formats';
import {isTerminal} from '../output/terminal';
import {canWriteOut, writeOut} from '../output/write';
import {isOneOf, isPositiveNumber, isWholeNumber} from './checks';
import {sizesById} from './container/sizes';
import {defineCommand, type OptionTable, type OptionValues} from './definition';
import {filterHelp, impliesAll, psFilters} from './ps/filters';
import {dockerObject, psFieldHeadings, psHeadings, psRow, psTable, type Shown, shownId, stableObject} from './ps/rows';
import {sorted, sortWords} from './ps/sort';

const options = {
  all: {kind: 'boolean', short: 'a', group: 'Choice', help: 'Also those that do not run'},
  latest: {kind: 'boolean', short: 'l', group: 'Choice', help: 'Only the one created last, running or not'},
  last: {
    kind: 'value',
    short: 'n',
    value: 'N',
    group: 'Choice',
    help: 'Only the N created last, running or not',
    check: isWholeNumber,
  },
  filter: {
    kind: 'list',
    short: 'f',
    value: 'KEY=VALUE',
    group: 'Choice',
    help: `Only those that match: ${filterHelp} (several: all keys must match)`,
  },
  sort: {
    kind: 'value',
    value: 'KEY',
    group: 'Output',
    help: `In another order than created, newest first: ${sortWords.join(', ')}`,
    check: isOneOf(...sortWords),
  },
  size: {kind: 'boolean', short: 's', group: 'Output', help: 'Also what each takes on disk'},
  quiet: {kind: 'boolean', short: 'q', group: 'Output', help: 'Only ids'},
  'no-trunc': {kind: 'boolean', group: 'Output', help: 'Do not shorten ids and commands'},
  noheading: {kind: 'boolean', group: 'Output', help: 'No heading line'},
  format: {
    kind: 'value',
    value: 'table|json|TEMPLATE',
    group: 'Output',
    help: "A table, docker's JSON (one object per line), or a Go template: '{{.ID}} {{.Names}}', 'table {{.Names}}'",
  },
  watch: {
    kind: 'value',
    short: 'w',
    value: 'SECONDS',
    group: 'Output',
    help: 'Again and again, with so many seconds between, until Ctrl-C',
    check: isPositiveNumber,
  },
  json: {kind: 'boolean', group: 'Output', help: 'One JSON array in the schema of keelbox, which only ever grows'},
} as const satisfies OptionTable;

type PsOptions = OptionValues<typeof options>;

export const psCommand = defineCommand({
  path: ['ps'],
  aliases: [['container', 'ps'], ['container', 'ls'], ['container', 'list'], ['list']],
  summary: 'List containers',
  examples: [
    {command: 'keelbox ps -a', text: 'all containers, also those that have ended'},
    {command: "keelbox ps -a --filter status=exited --format '{{.Names}}'", text: 'names, of those that have ended'},
    {command: 'keelbox ps -w 2', text: 'look again every two seconds'},
    {command: 'keelbox rm -f $(keelbox ps -aq)', text: 'remove every one'},
  ],
  positionals: {usage: '', min: 0, max: 0},
  options,
  later: {
    boolean: 'external sync pod/p namespace ns',
  },
  execute(options) {
    if (options.watch !== undefined) return watch(options, Number(options.watch));
    writeOut(render(choose(options), options));
    return 0;
  },
});

/** On a terminal each list takes the place of the one before; elsewhere it follows. Ends when nobody reads it any more. */
async function watch(options: PsOptions, seconds: number): Promise<number> {
  // Loaded here because nothing else needs it.
  const {setTimeout: sleep} = require('node:timers/promises') as typeof import('node:timers/promises');
  const home = isTerminal(1) ? '\u001b[H\u001b[J' : '';
  while (canWriteOut(home + render(choose(options), options))) await sleep(seconds * 1000);
  return 0;
}

/** Newest first, as docker has them. */
function choose(options: PsOptions): ContainerSummary[] {
  const limit = options.last === undefined ? undefined : Number(options.last);
  const count = options.latest ? 1 : limit;
  const all = options.all === true || count !== undefined || impliesAll(options.filter);
  const containers = matching(options.filter, all).sort((a, b) => b.createdAt - a.createdAt);
  const chosen = containers.slice(0, count);
  return options.sort === undefined ? chosen : sorted(chosen, options.sort, ({id}) => sizesById(id));
}

function matching(words: readonly string[], all: boolean): ContainerSummary[] {
  if (words.length === 0) return engine().list({all});
  // `before` and `since` may name one that does not run.
  const everyone = engine().list({all: true});
  const matches = formats().readFilters(psFilters(everyone), words);
  return everyone.filter(container => (all || isListed(container)) && matches(container));
}

/** Without `-a`: what runs, or will again by itself. */
function isListed({status}: ContainerSummary): boolean {
  return status === 'running' || status === 'paused' || status === 'restarting';
}

function render(containers: readonly ContainerSummary[], options: PsOptions): string {
  const shown: Shown = {isFull: options['no-trunc'] === true, now: Date.now()};
  const isPlain = ['', 'table'].includes(options.format ?? '');
  if (options.quiet && isPlain) return lines(containers.map(container => shownId(container, shown)));
  if (options.json) return `${JSON.stringify(containers.map(stableObject), null, 2)}\n`;
  const asksSize = options.size === true || (!isPlain && /\.Size\b/.test(options.format ?? ''));
  if (asksSize) shown.sizeOf = sizesById;
  if (options.format !== undefined && !isPlain) {
    const rows = containers.map(container => dockerObject(container, shown));
    return formats().formatRows(options.format, rows, psFieldHeadings, psTable);
  }
  const rows = containers.map(container => psRow(container, shown));
  return formatColumns(options.noheading ? rows : [psHeadings(shown), ...rows]);
}

function lines(texts: readonly string[]): string {
  return texts.map(text => `${text}\n`).join('');
}
