/** Logs and journals written by hand, and commands that follow them. */
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {command, homeOf, keelbox, testUser} from './cli';
import {patience, type Who} from './lane';

/** The time of a record: so many seconds after the beginning of an hour. */
export const at = (second: number) => `2026-01-02T03:${pad(Math.floor(second / 60))}:${pad(second % 60)}.000000000Z`;

const pad = (number: number) => String(number).padStart(2, '0');

/** `records('stdout F one', 'stderr P two')`: one second apart. */
export function records(...texts: string[]): string {
  return texts.map((text, second) => `${at(second)} ${text}\n`).join('');
}

/** The data directory of a container. */
export function dataOf(who: Who, name: string): string {
  const {root} = homeOf(who.asUser);
  return path.join(root, 'containers', path.basename(readlinkSync(path.join(root, 'names', name))));
}

/** Readable for its owner, whoever runs the specs. */
export function writeLog(who: Who, name: string, text: string | Buffer, file = 'log'): string {
  const place = path.join(dataOf(who, name), file);
  writeFileSync(place, text, {mode: 0o644});
  return place;
}

/** What the engine does with a full log. */
export function rotate(who: Who, name: string, maxFiles = 3): void {
  const data = dataOf(who, name);
  for (let number = maxFiles - 1; number > 0; number -= 1) {
    const from = path.join(data, number === 1 ? 'log' : `log.${number - 1}`);
    if (existsSync(from)) renameSync(from, path.join(data, `log.${number}`));
  }
  writeLog(who, name, '');
}

/** Appends events to the journal; `{action: 'start', name: 'web'}` and what else is to be different. */
export function writeEvents(who: Who, events: readonly Record<string, unknown>[], file = 'events'): void {
  const folder = path.join(homeOf(who.asUser).root, 'journal');
  mkdirSync(folder, {recursive: true, mode: 0o755});
  for (const [second, {name = 'web', ...event}] of events.entries()) {
    const {attributes = {}, ...fields} = {
      time: at(second),
      type: 'container',
      action: 'start',
      id: 'f00d'.repeat(16),
      ...event,
    };
    const line = JSON.stringify({...fields, attributes: {name, ...(attributes as object)}});
    appendFileSync(path.join(folder, file), `${line}\n`, {mode: 0o644});
  }
  // The engine writes there too.
  if (who.asUser) for (const each of [folder, path.join(folder, file)]) chownSync(each, testUser().uid, testUser().gid);
}

/** A command that goes on until it is told otherwise. */
export class Following {
  readonly child: ChildProcess;
  readonly ended: Promise<{exitCode: number | null; signal: NodeJS.Signals | null}>;
  stdout = '';
  stderr = '';

  constructor(args: string[], who: Who) {
    const {file, args: all, options} = command(args, who);
    this.child = spawn(file, all, {...options, stdio: ['ignore', 'pipe', 'pipe']});
    this.child.stdout?.on('data', chunk => {
      this.stdout += chunk;
    });
    this.child.stderr?.on('data', chunk => {
      this.stderr += chunk;
    });
    this.ended = once(this.child, 'close').then(([exitCode, signal]) => ({exitCode, signal}));
  }

  /** Waits until stdout has this, or as much of it. */
  async says(wanted: string | number, milliseconds = 20_000): Promise<boolean> {
    const isThere = () => (typeof wanted === 'string' ? this.stdout.includes(wanted) : this.stdout.length >= wanted);
    return until(isThere, milliseconds);
  }
}

export async function until(isSo: () => boolean | Promise<boolean>, milliseconds = 20_000): Promise<boolean> {
  for (const end = Date.now() + patience(milliseconds); Date.now() < end; await sleep(20)) {
    if (await isSo()) return true;
  }
  return false;
}

/** A container that has ended, and has printed nothing. */
export async function endedContainer(who: Who, name: string): Promise<void> {
  const {exitCode, stderr} = await keelbox(['run', '--name', name, 'host', '--', 'true'], who);
  if (exitCode !== 0) throw new Error(stderr);
}

/** A container that runs, in the foreground of its own command. */
export async function liveContainer(who: Who, name: string, flags: string[] = []): Promise<Following> {
  const running = new Following(
    ['run', ...flags, '--name', name, 'host', '--', 'sh', '-c', 'echo up; exec sleep 300'],
    who,
  );
  if (!(await running.says('up'))) throw new Error(running.stderr);
  return running;
}

/** The supervisor of a container that runs. */
export function supervisorOf(who: Who, name: string): number {
  const state = path.join(homeOf(who.asUser).runRoot, 'containers', path.basename(dataOf(who, name)));
  return (JSON.parse(readFileSync(path.join(state, 'state.json'), 'utf8')) as {supervisor: number}).supervisor;
}
