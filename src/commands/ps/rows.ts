/** One container as `ps` shows it. */
import type {ContainerSummary} from '../../native';
import {ago, humanDuration, since} from '../../output/time';

const shortIdLength = 12;
const commandLength = 20;

export const psHeadings = ['CONTAINER ID', 'IMAGE', 'COMMAND', 'CREATED', 'STATUS', 'PORTS', 'NAMES'] as const;

export function psRow(container: ContainerSummary, isFull: boolean, now: number): string[] {
  return [
    shownId(container, isFull),
    container.image,
    commandText(container.command, isFull),
    ago(container.createdAt, now),
    statusText(container, now),
    '',
    container.name,
  ];
}

export function shownId(container: ContainerSummary, isFull: boolean): string {
  return isFull ? container.id : container.id.slice(0, shortIdLength);
}

function commandText(command: readonly string[], isFull: boolean): string {
  const text = command.join(' ');
  const isShort = isFull || [...text].length <= commandLength;
  // Quoting also keeps a command's control characters out of the terminal.
  return JSON.stringify(isShort ? text : `${[...text].slice(0, commandLength - 1).join('')}…`);
}

export function statusText(container: ContainerSummary, now: number): string {
  if (container.status === 'running')
    return `Up ${humanDuration(since(container.startedAt ?? container.createdAt, now))}`;
  if (container.status === 'created') return 'Created';
  const ended = container.finishedAt === undefined ? '' : ` ${ago(container.finishedAt, now)}`;
  return `Exited (${container.exitCode ?? '?'})${ended}`;
}

/** What `--format table` prints, as a template. */
export const psTable = '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}';

/** The headings of `table` templates that are not their field's name. */
export const psFieldHeadings = {ID: 'CONTAINER ID', RunningFor: 'CREATED'};

/** Docker's fields, for `--format json` and templates: docker prints one such object per line for the former. */
export function dockerObject(container: ContainerSummary, isFull: boolean, now: number): Record<string, unknown> {
  const [id = '', image = '', command = '', created = '', status = ''] = psRow(container, isFull, now);
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
    Size: '0B',
    State: container.status,
    Status: status,
  };
}

/** Our own schema, for `--json`: keys are only ever added. */
export function stableObject(container: ContainerSummary): Record<string, unknown> {
  const {id, name, image, command, status, pid, exitCode, createdAt, startedAt, finishedAt} = container;
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
  };
}

function isoTime(time: number | undefined): string | null {
  return time === undefined ? null : new Date(time).toISOString();
}
