/** One container as `ps` shows it. */
import type {ContainerSummary} from '../../native';
import {humanSize} from '../../output/size';
import {ago, humanDuration, since} from '../../output/time';
import type {Sizes} from '../container/sizes';

const shortIdLength = 12;
const commandLength = 20;

/** How rows are shown. */
export interface Shown {
  /** Ids and commands whole. */
  isFull: boolean;
  now: number;
  /** Only where sizes were asked for: finding them takes time. */
  sizeOf?: (id: string) => Sizes;
}

export function psHeadings({sizeOf}: Shown): string[] {
  const size = sizeOf === undefined ? [] : ['SIZE'];
  return ['CONTAINER ID', 'IMAGE', 'COMMAND', 'CREATED', 'STATUS', 'PORTS', 'NAMES', ...size];
}

export function psRow(container: ContainerSummary, shown: Shown): string[] {
  return [
    shownId(container, shown),
    container.image,
    commandText(container.command, shown),
    ago(container.createdAt, shown.now),
    statusText(container, shown.now),
    '',
    container.name,
    ...(shown.sizeOf === undefined ? [] : [sizeText(container, shown.sizeOf)]),
  ];
}

export function shownId({id}: ContainerSummary, {isFull}: Shown): string {
  return isFull ? id : id.slice(0, shortIdLength);
}

function commandText(command: readonly string[], {isFull}: Shown): string {
  const text = command.join(' ');
  const isShort = isFull || [...text].length <= commandLength;
  // Quoting also keeps a command's control characters out of the terminal.
  return JSON.stringify(isShort ? text : `${[...text].slice(0, commandLength - 1).join('')}…`);
}

function sizeText({id, status}: ContainerSummary, sizeOf: (id: string) => Sizes): string {
  if (status === 'broken') return '0B';
  const {rw, rootFs} = sizeOf(id);
  return `${humanSize(rw)} (virtual ${humanSize(rootFs)})`;
}

/** Docker's words (moby's `State.String`), which people and scripts look for. */
export function statusText(container: ContainerSummary, now: number): string {
  const {status, health, exitCode = '?', createdAt, startedAt = createdAt, finishedAt} = container;
  const ended = finishedAt === undefined ? '' : ` ${ago(finishedAt, now)}`;
  const up = `Up ${humanDuration(since(startedAt, now))}`;
  switch (status) {
    case 'running':
      return health === undefined || health === 'none'
        ? up
        : `${up} (${health === 'starting' ? 'health: ' : ''}${health})`;
    case 'paused':
      return `${up} (Paused)`;
    case 'restarting':
      return `Restarting (${exitCode})${ended}`;
    case 'created':
      return 'Created';
    case 'broken':
      return `Broken: ${printable(container.error ?? 'its records cannot be read')}`;
    default:
      return `Exited (${exitCode})${ended}`;
  }
}

/** What is in a broken file must not move the terminal's cursor, nor end the line. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ');
}

/** What `--format table` prints, as a template. */
export const psTable = '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}';

/** The headings of `table` templates that are not their field's name. */
export const psFieldHeadings = {ID: 'CONTAINER ID', RunningFor: 'CREATED'};

/** Docker's fields, for `--format json` and templates: docker prints one such object per line for the former. */
export function dockerObject(container: ContainerSummary, shown: Shown): Record<string, unknown> {
  const [id = '', image = '', command = '', created = '', status = '', , , size = '0B'] = psRow(container, shown);
  return {
    Command: command,
    CreatedAt: new Date(container.createdAt)
      .toISOString()
      .replace('T', ' ')
      .replace(/\.\d+Z$/, ' +0000 UTC'),
    ID: id,
    Image: image,
    Label: (key: string) => container.labels?.[key] ?? '',
    Labels: Object.entries(container.labels ?? {})
      .map(label => label.join('='))
      .join(','),
    LocalVolumes: '0',
    Mounts: '',
    Names: container.name,
    Networks: '',
    Ports: '',
    RunningFor: created,
    Size: size,
    State: dockerStatus(container.status),
    Status: status,
  };
}

/** Docker has no broken ones: those that it cannot use any more are dead. */
export function dockerStatus(status: ContainerSummary['status']): string {
  return status === 'broken' ? 'dead' : status;
}

/** Our own schema, for `--json`: keys are only ever added. */
export function stableObject(container: ContainerSummary): Record<string, unknown> {
  const {id, name, image, imageId, command, status, pid, exitCode, createdAt, startedAt, finishedAt} = container;
  const {health, restartCount, labels, error} = container;
  return {
    id,
    name,
    image,
    command,
    status,
    pid: pid ?? null,
    exitCode: exitCode ?? null,
    createdAt: isoTime(createdAt),
    startedAt: isoTime(startedAt),
    finishedAt: isoTime(finishedAt),
    imageId: imageId ?? null,
    health: health ?? null,
    restartCount: restartCount ?? 0,
    labels: labels ?? {},
    error: error ?? null,
  };
}

function isoTime(time: number | undefined): string | null {
  return time === undefined ? null : new Date(time).toISOString();
}
