/** One event as `events` shows it. */
import type {JournalEvent} from '../../native';
import type {Row} from '../../output/template';

/** Docker's line, with the time in UTC: `TIME container start ID (image=alpine, name=web)`. */
export function eventLine({time, type, action, id, attributes}: JournalEvent): string {
  const pairs = Object.entries(attributes)
    .map(([key, value]) => `${key}=${value}`)
    .sort();
  return printable(`${time} ${type} ${action} ${id} (${pairs.join(', ')})`);
}

/** Labels are a stranger's: what a terminal would obey is shown, not sent, and a line stays a line. */
function printable(line: string): string {
  const code = (character: string) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  return `${line.replace(/\p{Cc}/gu, code)}\n`;
}

/** The fields that docker's templates have. As JSON it is what docker prints, whose keys have other names. */
export function dockerEvent(event: JournalEvent): Row {
  const {type, action, id, attributes} = event;
  const [seconds, nanos] = times(event);
  const from = attributes.image ?? '';
  const Actor = {ID: id, Attributes: attributes};
  const row = {
    Action: action,
    Actor,
    From: from,
    ID: id,
    Scope: 'local',
    Status: action,
    Time: seconds,
    TimeNano: nanos,
    Type: type,
  };
  const json = {
    status: action,
    id,
    from,
    Type: type,
    Action: action,
    Actor,
    scope: 'local',
    time: seconds,
    timeNano: nanos,
  };
  return Object.defineProperty(row, 'toJSON', {value: () => json, enumerable: false});
}

/** Seconds, and nanoseconds as digits, which a number does not hold. */
function times({time}: JournalEvent): [number, string] {
  const seconds = Date.parse(`${time.slice(0, 19)}Z`) / 1000;
  return [seconds, `${seconds}${time.slice(20, 29)}`];
}

/** Docker's `timeNano` is a number. It is the last key; the same text in an attribute has another brace after it. */
export function exactNumbers(json: string): string {
  return json.replace(/"timeNano":"(\d+)"\}(?!\})/g, '"timeNano":$1}');
}

export const sampleEvent: JournalEvent = {
  time: '2026-11-22T23:00:00.000000000Z',
  type: 'container',
  action: 'start',
  id: '0'.repeat(64),
  attributes: {image: 'host', name: 'web'},
};
