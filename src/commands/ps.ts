import {engine} from '../engine';
import {notYet} from '../errors/keelbox-error';
import type {ContainerSummary} from '../native';
import {formatColumns} from '../output/columns';
import {writeOut} from '../output/write';
import {isWholeNumber} from './checks';
import {defineCommand, type OptionTable, type OptionValues} from './definition';
import {dockerObject, psHeadings, psRow, shownId, stableObject} from './ps/rows';

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
  quiet: {kind: 'boolean', short: 'q', group: 'Output', help: 'Only ids'},
  'no-trunc': {kind: 'boolean', group: 'Output', help: 'Do not shorten ids and commands'},
  noheading: {kind: 'boolean', group: 'Output', help: 'No heading line'},
  format: {
    kind: 'value',
    value: 'table|json',
    group: 'Output',
    help: "A table, or docker's JSON: one object per line",
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
    {command: 'keelbox rm -f $(keelbox ps -aq)', text: 'remove every one'},
  ],
  positionals: {usage: '', min: 0, max: 0},
  options,
  later: {
    boolean: 'size/s external sync pod/p namespace ns',
    list: 'filter/f',
    value: 'sort watch/w',
  },
  execute(options) {
    refuseTemplate(options.format);
    writeOut(render(choose(options), options));
    return 0;
  },
});

function refuseTemplate(format: string | undefined): void {
  if (format !== undefined && !['table', 'json'].includes(format)) throw notYet(`keelbox ps --format '${format}'`);
}

/** Newest first, as docker has them. */
function choose(options: PsOptions): ContainerSummary[] {
  const limit = options.last === undefined ? undefined : Number(options.last);
  const count = options.latest ? 1 : limit;
  const containers = engine().list({all: options.all === true || count !== undefined});
  return containers.sort((a, b) => b.createdAt - a.createdAt).slice(0, count);
}

function render(containers: readonly ContainerSummary[], options: PsOptions): string {
  const isFull = options['no-trunc'] === true;
  const now = Date.now();
  if (options.quiet) return lines(containers.map(container => shownId(container, isFull)));
  if (options.json) return `${JSON.stringify(containers.map(stableObject), null, 2)}\n`;
  if (options.format === 'json') {
    return lines(containers.map(container => JSON.stringify(dockerObject(container, isFull, now))));
  }
  const rows = containers.map(container => psRow(container, isFull, now));
  return formatColumns(options.noheading ? rows : [psHeadings, ...rows]);
}

function lines(texts: readonly string[]): string {
  return texts.map(text => `${text}\n`).join('');
}
