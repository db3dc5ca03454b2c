/** Containers that run while a test does. */

import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {chmodSync, mkdtempSync, readFileSync} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {command, keelbox, type Result, specFolder} from './cli';
import {patience, type Who} from './lane';

export interface Container {
  name: string;
  /** Its first process, as the host counts. */
  pid: number;
  /** Runs `keelbox exec FLAGS NAME WORDS`. */
  exec(words: string[], flags?: string[], input?: string | Buffer): Promise<Result>;
  /** Resolves when its client has ended. */
  ended: Promise<unknown>;
}

let count = 0;

/** A container of the image `host` that sleeps until the test is over. `script` runs in it first. */
export async function running(t: ExecutionContext, who: Who, flags: string[] = [], script = ':'): Promise<Container> {
  return runningOf(t, who, [...flags, 'host'], script);
}

/** The same, of other flags and another image. */
export async function runningOf(t: ExecutionContext, who: Who, words: string[], script = ':'): Promise<Container> {
  count += 1;
  const name = `running-${process.pid}-${count}`;
  const pidfile = path.join(mkdtempSync(path.join(specFolder(), 'pid-')), 'pid');
  chmodSync(path.dirname(pidfile), 0o777);
  const all = ['run', '--rm', '-q', '--name', name, '--pidfile', pidfile, ...words];
  const {file, args, options} = command([...all, 'sh', '-c', `${script}\necho up\nexec sleep 600`], who);
  const child = spawn(file, args, {...options, stdio: ['ignore', 'pipe', 'pipe']});
  let said = '';
  child.stderr?.on('data', data => (said += data));
  const ended = once(child, 'exit');
  t.teardown(async () => {
    await keelbox(['rm', '-f', name], who);
    await ended;
  });
  const up = await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), ended]);
  t.is(String(up[0]), 'up\n', said);
  const pid = Number(readFileSync(pidfile, 'utf8'));
  const exec = (command: string[], more: string[] = [], input?: string | Buffer) =>
    keelbox(['exec', ...more, name, ...command], {
      ...who,
      timeout: patience(60_000),
      ...(input !== undefined && {input}),
    });
  return {name, pid, exec, ended};
}
