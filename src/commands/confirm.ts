/** The question before something that cannot be undone. */
import {readSync} from 'node:fs';
import {KeelboxError} from '../errors/keelbox-error';
import {isTerminal} from '../output/terminal';
import {writeErr} from '../output/write';

const stdinFd = 0;

/** `-f` answers it; nobody can where stdin is no terminal, and then it is an error. */
export function confirm(warning: string, isForced: boolean, verb: string): boolean {
  if (isForced) return true;
  if (!isTerminal(stdinFd)) {
    throw new KeelboxError('ERR_KEELBOX_USAGE', `keelbox ${verb} removes things for good, and nobody can be asked`, {
      why: 'stdin is no terminal',
      hint: `if you mean it: keelbox ${verb} -f`,
    });
  }
  writeErr(`WARNING! ${warning}\nAre you sure you want to continue? [y/N] `);
  const isMeant = /^\s*y(es)?\s*$/i.test(readLine());
  if (!isMeant) writeErr('nothing has been removed\n');
  return isMeant;
}

/** A terminal in its usual mode hands out one line at a time. */
function readLine(): string {
  const buffer = Buffer.alloc(1024);
  try {
    return buffer.toString('utf8', 0, readSync(stdinFd, buffer));
  } catch {
    return '';
  }
}
