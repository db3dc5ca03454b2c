/** What stdout and stderr are, asked without touching Node's streams. */
import {fstatSync} from 'node:fs';
import {textWidth} from './columns';

export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
}

const narrowest = 40;
const widest = 120;

export function isTerminal(fd: number): boolean {
  return isDevice(fd) && (require('node:tty') as typeof import('node:tty')).isatty(fd);
}

/** Loading node:tty takes 4 ms, and an error that goes to a pipe or a file need not wait for it. */
function isDevice(fd: number): boolean {
  try {
    return fstatSync(fd).isCharacterDevice();
  } catch {
    return false;
  }
}

/** Colour on a terminal only, and not under NO_COLOR (https://no-color.org: any value but the empty one). */
export function paintFor(fd: number): Paint {
  const isPlain = Boolean(process.env.NO_COLOR) || process.env.TERM === 'dumb' || !isTerminal(fd);
  const paint = (on: number, off: number) => (text: string) => (isPlain ? text : `\u001b[${on}m${text}\u001b[${off}m`);
  return {bold: paint(1, 22), dim: paint(2, 22), red: paint(31, 39), green: paint(32, 39)};
}

/** Infinite where it is no terminal: programs that read the text want a line to stay a line. */
export function terminalWidth(fd: number): number {
  if (!isTerminal(fd)) return Number.POSITIVE_INFINITY;
  const {columns} = fd === 1 ? process.stdout : process.stderr;
  // 0 columns is what a pseudo-terminal says before anybody has set its size.
  return Math.min(widest, Math.max(narrowest, columns || 80));
}

/** Breaks at spaces; keeps line breaks that are there and words that are longer than the width. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap(line => wrapLine(line, width));
}

function wrapLine(line: string, width: number): string[] {
  if (textWidth(line) <= width) return [line];
  const lines: string[] = [];
  let current = '';
  for (const word of line.split(' ')) {
    const longer = current === '' ? word : `${current} ${word}`;
    if (textWidth(longer) > width && current !== '') {
      lines.push(current);
      current = word;
    } else {
      current = longer;
    }
  }
  return [...lines, current];
}
