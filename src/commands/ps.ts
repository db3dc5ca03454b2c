import {engine} from '../engine';
import type {ContainerSummary} from '../native';
import {formatColumns} from '../output/columns';
import {formats} from '../output/formats';
import {writeOut} from '../output/write';
import {isWholeNumber} from './checks';
import {defineCommand, type OptionTable, type OptionValues} from './definition';
import {impliesAll, psFilters} from './ps/filters';
import {dockerObject, psFieldHeadings, psHeadings, psRow, psTable, shownId, stableObject} from './ps/rows';

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
    help: 'Only those that match: ancestor, exited, id, label, name, status (several: all keys must match)',
  },
  quiet: {kind: 'boolean', short: 'q', group: 'Output', help: 'Only ids'},
  'no-trunc': {kind: 'boolean', group: 'Output', help: 'Do not shorten ids and commands'},
  noheading: {kind: 'boolean', group: 'Output', help: 'No heading line'},
  format: {
    kind: 'value',
    value: 'table|json|TEMPLATE',
    group: 'Output',
    help: "A table, docker's JSON (one object per line), or a Go template: '{{.ID}} {{.Names}}', 'table {{.Names}}'",
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
    {command: 'keelbox rm -f $(keelbox ps -aq)', text: 'remove every one'},
  ],
  positionals: {usage: '', min: 0, max: 0},
  options,
  later: {
    boolean: 'size/s external sync pod/p namespace ns',
    value: 'sort watch/w',
  },
  execute(options) {
    writeOut(render(choose(options), options));
    return 0;
  },
});

/** Newest first, as docker has them. */
function choose(options: PsOptions): ContainerSummary[] {
  const limit = options.last === undefined ? undefined : Number(options.last);
  const count = options.latest ? 1 : limit;
  const matches = options.filter.length > 0 ? formats().readFilters(psFilters, options.filter) : () => true;
  const all = options.all === true || count !== undefined || impliesAll(options.filter);
  const containers = engine().list({all}).filter(matches);
  return containers.sort((a, b) => b.createdAt - a.createdAt).slice(0, count);
}

function render(containers: readonly ContainerSummary[], options: PsOptions): string {
  const isFull = options['no-trunc'] === true;
  const now = Date.now();
  const isPlain = ['', 'table'].includes(options.format ?? '');
  if (options.quiet && isPlain) return lines(containers.map(container => shownId(container, isFull)));
  if (options.json) return `${JSON.stringify(containers.map(stableObject), null, 2)}\n`;
  if (options.format !== undefined && !isPlain) {
    const rows = containers.map(container => dockerObject(container, isFull, now));
    return formats().formatRows(options.format, rows, psFieldHeadings, psTable);
  }
  const rows = containers.map(container => psRow(container, isFull, now));
  return formatColumns(options.noheading ? rows : [psHeadings, ...rows]);
}

function lines(texts: readonly string[]): string {
  return texts.map(text => `${text}\n`).join('');
}
