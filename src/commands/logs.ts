import {engine} from '../engine';
import type {LogOptions} from '../native';
import {moment} from '../output/moment';
import {defineCommand, type OptionTable, type OptionValues} from './definition';
import {isMoment, isTail} from './moments';

const options = {
  follow: {kind: 'boolean', short: 'f', group: 'Choice', help: 'Go on with what comes, until the container ends'},
  tail: {
    kind: 'value',
    short: 'n',
    value: 'N|all',
    group: 'Choice',
    help: 'Only the last N lines; default all',
    check: isTail,
  },
  since: {
    kind: 'value',
    value: 'TIME',
    group: 'Choice',
    help: 'Only what came then or later: 10m (ago), 2026-01-02T15:04:05, 2026-01-02, or seconds since 1970',
    check: isMoment,
  },
  until: {kind: 'value', value: 'TIME', group: 'Choice', help: 'Only what came then or before', check: isMoment},
  timestamps: {kind: 'boolean', short: 't', group: 'Output', help: 'The time before each line'},
  names: {kind: 'boolean', group: 'Output', help: "The container's name before each line"},
  color: {kind: 'boolean', group: 'Output', help: 'Names or ids before the lines in a colour for each container'},
  details: {kind: 'boolean', group: 'Output', help: 'Accepted; there are none'},
} as const satisfies OptionTable;

type LogsOptions = OptionValues<typeof options>;

export const logsCommand = defineCommand({
  path: ['logs'],
  aliases: [['container', 'logs']],
  summary: 'Show what containers have printed',
  description:
    'What came on stdout goes to stdout, what came on stderr to stderr. Of several containers the lines come by time, with the short id before each. Exit code 1: there is no such container.',
  examples: [
    {command: 'keelbox logs -f web', text: 'all of it, and what comes'},
    {command: 'keelbox logs -t --since 10m --tail 20 web', text: 'of the last 20 lines those of the last ten minutes'},
    {command: 'keelbox logs -f --names web db', text: 'two containers at once'},
  ],
  positionals: {usage: 'CONTAINER [CONTAINER...]', min: 1, max: Number.POSITIVE_INFINITY},
  options,
  later: {boolean: 'latest/l'},
  execute: (chosen, {positionals}) =>
    engine().showLogs({
      references: positionals,
      options: logOptions(chosen),
      timestamps: chosen.timestamps === true,
      names: chosen.names === true,
      color: chosen.color === true,
    }),
});

function logOptions({follow, tail = 'all', since, until}: LogsOptions): LogOptions {
  const isAll = tail === 'all' || tail.startsWith('-');
  const now = Date.now();
  return {
    follow: follow === true,
    ...(!isAll && {tail: Number(tail)}),
    ...(since !== undefined && {since: String(moment(since, now))}),
    ...(until !== undefined && {until: String(moment(until, now))}),
  };
}
