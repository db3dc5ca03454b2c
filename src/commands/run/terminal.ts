import {closeSync, openSync} from 'node:fs';
import {KeelboxError} from '../../errors/keelbox-error';
import type {RunRequest, TerminalSize} from '../../native';

type TerminalRequest = Pick<RunRequest, 'tty' | 'term' | 'terminalSize'>;

interface TerminalFlags {
  tty: boolean | undefined;
  interactive: boolean | undefined;
}

export function readTerminal(
  flags: TerminalFlags,
  environment: Readonly<Record<string, string | undefined>>,
  isForeground: boolean,
): TerminalRequest {
  if (!flags.tty) return {};
  // Loaded here because it costs more than a millisecond, and only -t needs it.
  const tty = require('node:tty') as typeof import('node:tty');
  if (flags.interactive && isForeground && !tty.isatty(0)) throw noTerminal();
  const fd = [0, 1, 2].find(tty.isatty);
  const terminalSize = fd === undefined ? undefined : sizeOf(fd, tty);
  const {TERM: term} = environment;
  return {tty: true, ...(term && {term}), ...(terminalSize && {terminalSize})};
}

function noTerminal(): KeelboxError {
  return new KeelboxError('ERR_KEELBOX_INVALID_ARG', 'cannot give the container this terminal: stdin is not one', {
    why: '-i -t connects stdin as a terminal, and here it is a pipe or a file',
    hint: 'leave out -t (keelbox run -i ...), or start it from a terminal',
  });
}

/** Asked on an fd of our own: Node's stream would make the caller's close-on-exec and non-blocking. */
function sizeOf(fd: number, tty: typeof import('node:tty')): TerminalSize | undefined {
  const own = openAgain(fd);
  try {
    // Whom the terminal does not belong to (after su, say) cannot open it again, and Node cannot either: then it leaves
    // the fd as it is, and closes none of the first three.
    const stream = new tty.WriteStream(own ?? fd);
    const [columns, rows] = stream.getWindowSize();
    stream.destroy();
    // A pseudo-terminal whose size nobody has set says 0 by 0, and programs hang or crash on that.
    return columns > 0 && rows > 0 ? {columns, rows} : undefined;
  } catch {
    if (own !== undefined) closeSync(own);
    return undefined;
  }
}

function openAgain(fd: number): number | undefined {
  try {
    return openSync(`/proc/self/fd/${fd}`, 'r+');
  } catch {
    return undefined;
  }
}
