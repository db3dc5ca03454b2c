import type {TerminalSize} from '../native';
import {checkObject, rejectOthers} from './checks';
import {invalid} from './errors';
import type {CommandOptions} from './types';

/** What a terminal has that nobody has given a size; programs hang or crash on 0 by 0. */
const USUAL: TerminalSize = {columns: 80, rows: 24};

/** The most that a terminal can have (ioctl_tty(2), `struct winsize`). */
const MOST = 65_535;

/** The keys of a request for a command with a terminal; none where there is none. */
export function toTerminal(tty: CommandOptions['tty']): {tty?: true; terminalSize?: TerminalSize} {
  if (tty === undefined || tty === false) return {};
  return {tty: true, terminalSize: tty === true ? USUAL : toSize(tty, 'tty')};
}

export function toSize(size: TerminalSize, what: string): TerminalSize {
  const {columns, rows} = checkObject(size, what) as TerminalSize;
  rejectOthers(size, ['columns', 'rows'], what);
  for (const [name, side] of Object.entries({columns, rows})) {
    if (!Number.isInteger(side) || side < 1 || side > MOST)
      throw invalid(`${what}.${name} must be a whole number from 1 to ${MOST}`);
  }
  return {columns, rows};
}
