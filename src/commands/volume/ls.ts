import {engine} from '../../engine';
import type {VolumeSummary} from '../../native';
import {formatColumns} from '../../output/columns';
import {formats} from '../../output/formats';
import {hasLabel} from '../../output/labels';
import {writeOut} from '../../output/write';
import {defineCommand} from '../definition';
import {volumeRow} from './rows';

const headings = {Name: 'VOLUME NAME', Mountpoint: 'MOUNTPOINT'};

export const volumeLsCommand = defineCommand({
  path: ['volume', 'ls'],
  aliases: [['volume', 'list']],
  summary: 'List volumes',
  examples: [{command: 'keelbox volume ls -f dangling=true -q', text: 'the names of those that no container uses'}],
  positionals: {usage: '', min: 0, max: 0},
  options: {
    quiet: {kind: 'boolean', short: 'q', group: 'Output', help: 'Only names'},
    noheading: {kind: 'boolean', short: 'n', group: 'Output', help: 'No heading line'},
    filter: {
      kind: 'list',
      short: 'f',
      value: 'KEY=VALUE',
      group: 'Choice',
      help: 'dangling=BOOL, driver=, label=KEY[=VALUE], name=PART, anonymous=BOOL',
    },
    format: {
      kind: 'value',
      value: 'table|json|TEMPLATE',
      group: 'Output',
      help: "A table, docker's JSON, or a Go template",
    },
  },
  later: {boolean: 'cluster'},
  execute(options) {
    const all = engine().listVolumes();
    const wanted = options.filter.length > 0 ? formats().readFilters(filters, options.filter) : () => true;
    const volumes = all.filter(wanted);
    if (options.quiet) writeOut(volumes.map(({name}) => `${name}\n`).join(''));
    else writeOut(render(volumes, options.format ?? 'table', options.noheading === true));
    return 0;
  },
});

function render(volumes: readonly VolumeSummary[], format: string, isBare: boolean): string {
  const rows = volumes.map(volumeRow);
  if (format === 'table') {
    const cells = rows.map(({Driver = '', Name = ''}) => [Driver, Name]);
    return formatColumns(isBare ? cells : [['DRIVER', 'VOLUME NAME'], ...cells]);
  }
  return formats().formatRows(format, rows, headings, '{{.Driver}}\t{{.Name}}');
}

const truths: Readonly<Record<string, boolean>> = {true: true, '1': true, false: false, '0': false};
const booleans = Object.keys(truths);

const filters = {
  dangling: {
    values: booleans,
    matches: (volume: VolumeSummary, value: string) => (volume.containers.length === 0) === truths[value],
  },
  anonymous: {
    values: booleans,
    matches: (volume: VolumeSummary, value: string) => volume.anonymous === truths[value],
  },
  driver: {matches: (_: VolumeSummary, value: string) => value === 'local'},
  name: {matches: (volume: VolumeSummary, value: string) => volume.name.includes(value)},
  label: {
    needsAll: true,
    matches: (volume: VolumeSummary, value: string) => hasLabel(volume.settings.labels, value),
  },
};
