/** The log of a container, read from its files: what is there, whatever `logs` makes of it. */
import {existsSync, readdirSync, readFileSync, readlinkSync} from 'node:fs';
import path from 'node:path';
import {homeOf} from './cli';
import type {Who} from './lane';

const folderOf = (who: Who, name: string) => {
  const {root} = homeOf(who.asUser);
  const link = path.join(root, 'names', name);
  return path.join(root, 'containers', path.basename(readlinkSync(link)));
};

/** One record: when, which stream, whether the line goes on, and its text. */
const RECORD = /^(\S+) (stdout|stderr) ([FP]) (.*)$/s;

const age = (file: string) => Number(file.split('.')[1] ?? 0);

/** The files of a log, the oldest first. */
export function logFiles(who: Who, name: string): string[] {
  const folder = folderOf(who, name);
  const files = existsSync(folder) ? readdirSync(folder).filter(file => /^log(\.\d+)?$/.test(file)) : [];
  return files.sort((one, other) => age(other) - age(one)).map(file => path.join(folder, file));
}

/** A file that is renamed while they are read makes them be read again. */
function texts(who: Who, name: string): string[] {
  for (;;) {
    try {
      return logFiles(who, name).map(file => readFileSync(file, 'latin1'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

function records(who: Who, name: string): RegExpExecArray[] {
  const lines = texts(who, name).flatMap(text => text.split('\n').slice(0, -1));
  return lines.map(line => RECORD.exec(line)).filter(record => record !== null);
}

/** What the container has printed, byte for byte (latin1). */
export function logged(who: Who, name: string): string {
  return records(who, name)
    .map(([, , , mark, text]) => text + (mark === 'F' ? '\n' : ''))
    .join('');
}

/** When each line was printed, in milliseconds since the epoch. */
export function times(who: Who, name: string): number[] {
  return records(who, name).map(([, time]) => Date.parse(time ?? ''));
}
