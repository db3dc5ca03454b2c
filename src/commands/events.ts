import {engine} from '../engine';
import type {EventsOptions, JournalEvent} from '../native';
import {formats} from '../output/formats';
import {moment} from '../output/moment';
import {canWriteOut} from '../output/write';
import {defineCommand, type OptionTable, type OptionValues} from './definition';
import {eventFilters} from './events/filters';
import {dockerEvent, eventLine, exactNumbers, sampleEvent} from './events/rows';
import {isMoment} from './moments';

const options = {
  since: {
    kind: 'value',
    value: 'TIME',
    group: 'Choice',
    help: 'What has happened since: 10m (ago), 2026-01-02T15:04:05, 2026-01-02, or seconds since 1970; default now',
    check: isMoment,
  },
  until: {kind: 'value', value: 'TIME', group: 'Choice', help: 'End when that time has passed', check: isMoment},
  filter: {
    kind: 'list',
    short: 'f',
    value: 'KEY=VALUE',
    group: 'Choice',
    help: 'container, event, image, label, name, type, volume: of one key any value, of several keys all',
  },
  stream: {
    kind: 'boolean',
    group: 'Choice',
    help: 'Go on with what comes (the default); --stream=false: only what was',
  },
  format: {
    kind: 'value',
    value: 'json|TEMPLATE',
    group: 'Output',
    help: "docker's JSON (one object per line), or a Go template: '{{.Time}} {{.Action}} {{.Actor.Attributes.name}}'",
  },
  json: {
    kind: 'boolean',
    group: 'Output',
    help: 'One JSON object per line in the schema of keelbox, which only ever grows',
  },
} as const satisfies OptionTable;

type Options = OptionValues<typeof options>;

export const eventsCommand = defineCommand({
  path: ['events'],
  aliases: [['system', 'events']],
  summary: 'Follow what happens to containers, images and volumes',
  description:
    'One line for each event, until Ctrl-C or --until. The journal keeps the last 1 to 2 MB of them, which is some thousands.',
  examples: [
    {command: 'keelbox events --filter container=web', text: 'what happens to one container from now on'},
    {command: 'keelbox events --since 1h --until 0s --filter event=die', text: 'what has ended in the last hour'},
  ],
  positionals: {usage: '', min: 0, max: 0},
  options,
  later: {boolean: 'no-trunc'},
  async execute(chosen) {
    const wanted = chosen.filter.length > 0 ? formats().readFilters(eventFilters, chosen.filter) : () => true;
    const line = lineOf(chosen);
    const native = engine();
    const handle = native.eventsOpen(eventsOptions(chosen));
    try {
      for (let found = await native.eventsNext(handle); found; found = await native.eventsNext(handle)) {
        const events = found.map(text => JSON.parse(text) as JournalEvent).filter(wanted);
        if (!canWriteOut(events.map(line).join(''))) return 0;
      }
    } finally {
      native.eventsClose(handle);
    }
    return 0;
  },
});

/** Without a beginning, what is asked for has no end in the past: then the whole journal is meant, as docker has it. */
function eventsOptions({since, until, stream}: Options): EventsOptions {
  const now = Date.now();
  const isPast = until !== undefined || stream === false;
  const begin = since === undefined ? (isPast ? 0n : undefined) : moment(since, now);
  return {
    follow: stream !== false,
    ...(begin !== undefined && {since: String(begin)}),
    ...(until !== undefined && {until: String(moment(until, now))}),
  };
}

function lineOf({format, json}: Options): (event: JournalEvent) => string {
  if (json) return event => `${JSON.stringify(event)}\n`;
  if (format === undefined || format === '') return eventLine;
  const line = (event: JournalEvent) =>
    exactNumbers(formats().formatRows(format, [dockerEvent(event)], {}, '{{json .}}'));
  // A template that is wrong says so now, and not at the first event.
  line(sampleEvent);
  return line;
}
