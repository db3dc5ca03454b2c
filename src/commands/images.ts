import type {ImageSummary} from '../border/images';
import {engine} from '../engine';
import {formatColumns} from '../output/columns';
import {formats} from '../output/formats';
import {writeOut} from '../output/write';
import {defineCommand, type OptionTable, type OptionValues} from './definition';
import {imageFilters, matchesName} from './images/filters';
import {
  headings,
  type ImageRow,
  imageCells,
  imageFieldHeadings,
  imageObject,
  imageRows,
  imageTable,
  shownImageId,
} from './images/rows';

const options = {
  all: {kind: 'boolean', short: 'a', group: 'Choice', help: 'All images; there are no others, so this changes nothing'},
  filter: {
    kind: 'list',
    short: 'f',
    value: 'KEY=VALUE',
    group: 'Choice',
    help: 'reference=PATTERN, dangling=BOOL, label=KEY[=VALUE], before=IMAGE, since=IMAGE',
  },
  quiet: {kind: 'boolean', short: 'q', group: 'Output', help: 'Only ids'},
  digests: {kind: 'boolean', group: 'Output', help: 'Also the digests of the manifests'},
  'no-trunc': {kind: 'boolean', group: 'Output', help: 'Do not shorten ids'},
  noheading: {kind: 'boolean', short: 'n', group: 'Output', help: 'No heading line'},
  format: {
    kind: 'value',
    value: 'table|json|TEMPLATE',
    group: 'Output',
    help: "A table, docker's JSON (one object per line), or a Go template: '{{.ID}} {{.Repository}}'",
  },
  json: {kind: 'boolean', group: 'Output', help: 'One JSON array in the schema of keelbox, which only ever grows'},
} as const satisfies OptionTable;

type ImagesOptions = OptionValues<typeof options>;

export const imagesCommand = defineCommand({
  path: ['images'],
  aliases: [
    ['image', 'ls'],
    ['image', 'list'],
  ],
  summary: 'List images',
  examples: [
    {command: 'keelbox images', text: 'all images, the newest first'},
    {command: 'keelbox images -q --filter dangling=true', text: 'the ids of those without a name'},
  ],
  positionals: {usage: '[NAME[:TAG]]', min: 0, max: 1},
  options,
  later: {boolean: 'tree history', value: 'sort'},
  execute(options, {positionals}) {
    const images = engine().imageList();
    writeOut(render(images, choose(images, options.filter, positionals[0]), options));
    return 0;
  },
});

function choose(images: ImageSummary[], filters: readonly string[], pattern: string | undefined): ImageRow[] {
  const rows = imageRows(images);
  const named = pattern === undefined ? rows : rows.filter(matchesName(pattern));
  return filters.length === 0 ? named : named.filter(formats().readFilters(imageFilters(rows), filters));
}

function render(images: readonly ImageSummary[], rows: readonly ImageRow[], options: ImagesOptions): string {
  const isFull = options['no-trunc'] === true;
  const now = Date.now();
  const {format = ''} = options;
  const isPlain = ['', 'table'].includes(format);
  if (options.quiet && isPlain) return lines([...new Set(rows.map(row => shownImageId(row.image.id, isFull)))]);
  if (options.json) {
    const chosen = new Set(rows.map(row => row.image));
    return `${JSON.stringify(
      images.filter(image => chosen.has(image)),
      null,
      2,
    )}\n`;
  }
  if (!isPlain) {
    const objects = rows.map(row => imageObject(row, isFull, now));
    return formats().formatRows(format, objects, imageFieldHeadings, imageTable);
  }
  const cells = rows.map(row => imageCells(row, {isFull, now, digests: options.digests === true}));
  return formatColumns(options.noheading ? cells : [headings(options.digests === true), ...cells]);
}

function lines(texts: readonly string[]): string {
  return texts.map(text => `${text}\n`).join('');
}
