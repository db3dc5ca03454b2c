/**
 * What a terminal shows: enough of xterm to read `vi`, `top` and a shell by. Colours, titles, modes and wide
 * characters are left out.
 */

/** One piece of output: CSI, OSC, another escape, or a character. */
const TOKEN = new RegExp(
  [
    String.raw`\x1b\[([?>=!]?)([\d;]*)([@-~])`,
    String.raw`\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)`,
    String.raw`\x1b[()*+][A-Z0-9]`,
    String.raw`\x1b([78DEMc=>])`,
    String.raw`[^\x1b]`,
  ].join('|'),
  'gy',
);

export class Screen {
  #rows: number;
  #columns: number;
  #lines: string[][] = [];
  #row = 0;
  #column = 0;
  #saved = [0, 0];
  #top = 0;
  #bottom: number;
  #rest = '';

  constructor(rows: number, columns: number) {
    this.#rows = rows;
    this.#columns = columns;
    this.#bottom = rows - 1;
    this.#clear(0, rows);
  }

  /** The lines as a reader sees them, without blanks at their ends. */
  text(): string {
    return this.#lines
      .map(line => line.join('').trimEnd())
      .join('\n')
      .trimEnd();
  }

  /** Where the cursor is, from 0. */
  get cursor(): {row: number; column: number} {
    return {row: this.#row, column: this.#column};
  }

  resize(rows: number, columns: number): void {
    this.#rows = rows;
    this.#columns = columns;
    this.#top = 0;
    this.#bottom = rows - 1;
    while (this.#lines.length < rows) this.#lines.push(this.#blank());
    this.#lines = this.#lines.slice(-rows).map(line => Array.from({length: columns}, (_, at) => line[at] ?? ' '));
    this.#move(this.#row, this.#column);
  }

  write(text: string): void {
    const input = this.#rest + text;
    TOKEN.lastIndex = 0;
    let end = 0;
    for (let match = TOKEN.exec(input); match; match = TOKEN.exec(input)) {
      end = TOKEN.lastIndex;
      this.#obey(match);
    }
    // The end of the chunk may have cut an escape sequence; a long rest is none that we know.
    this.#rest = input.length - end < 256 ? input.slice(end) : '';
  }

  #blank(): string[] {
    return Array.from({length: this.#columns}, () => ' ');
  }

  #clear(from: number, to: number): void {
    for (let row = from; row < to; row += 1) this.#lines[row] = this.#blank();
  }

  #move(row: number, column: number): void {
    this.#row = Math.max(0, Math.min(this.#rows - 1, row));
    this.#column = Math.max(0, Math.min(this.#columns - 1, column));
  }

  #obey([token, mark, numbers, final, letter]: RegExpExecArray): void {
    if (final !== undefined) {
      // Private modes (`?`) change nothing that can be read, except the other screen, which starts out empty.
      if (mark === '') this.#control(final, (numbers ?? '').split(';').map(Number));
      else if (mark === '?' && numbers === '1049') this.#clear(0, this.#rows);
    } else if (letter !== undefined) {
      this.#escape(letter);
    } else if (token.length === 1) {
      this.#character(token);
    }
  }

  #escape(letter: string): void {
    if (letter === '7') this.#saved = [this.#row, this.#column];
    else if (letter === '8') this.#move(this.#saved[0] ?? 0, this.#saved[1] ?? 0);
    else if (letter === 'M') this.#up();
    else if (letter === 'D') this.#down();
  }

  #character(character: string): void {
    if (character === '\r') this.#column = 0;
    else if (character === '\n') this.#down();
    else if (character === '\b') this.#move(this.#row, this.#column - 1);
    else if (character === '\t') this.#move(this.#row, (this.#column | 7) + 1);
    else if (character >= ' ') this.#put(character);
  }

  #put(character: string): void {
    // A line wraps when the next character comes, not when it is full.
    if (this.#column >= this.#columns) {
      this.#column = 0;
      this.#down();
    }
    const line = this.#lines[this.#row];
    if (line) line[this.#column] = character;
    this.#column += 1;
  }

  #down(): void {
    if (this.#row === this.#bottom) this.#scroll(1, this.#top);
    else this.#row = Math.min(this.#rows - 1, this.#row + 1);
  }

  #up(): void {
    if (this.#row === this.#top) this.#scroll(-1, this.#top);
    else this.#row = Math.max(0, this.#row - 1);
  }

  /** Moves the lines from `top` to the end of the region up by `count`, down when it is negative. */
  #scroll(count: number, top: number): void {
    const region = this.#lines.slice(top, this.#bottom + 1);
    const blanks = Array.from({length: Math.min(Math.abs(count), region.length)}, () => this.#blank());
    const kept = count > 0 ? region.slice(count) : region.slice(0, Math.max(0, region.length + count));
    this.#lines.splice(top, region.length, ...(count > 0 ? [...kept, ...blanks] : [...blanks, ...kept]));
  }

  #control(final: string, numbers: number[]): void {
    const first = numbers[0] ?? 0;
    const count = Math.max(1, first);
    const actions: Record<string, () => void> = {
      A: () => this.#move(this.#row - count, this.#column),
      B: () => this.#move(this.#row + count, this.#column),
      C: () => this.#move(this.#row, this.#column + count),
      D: () => this.#move(this.#row, this.#column - count),
      G: () => this.#move(this.#row, count - 1),
      d: () => this.#move(count - 1, this.#column),
      H: () => this.#move(count - 1, Math.max(1, numbers[1] ?? 1) - 1),
      f: () => this.#move(count - 1, Math.max(1, numbers[1] ?? 1) - 1),
      J: () => this.#eraseScreen(first),
      K: () => this.#eraseLine(first),
      L: () => this.#scroll(-count, this.#row),
      M: () => this.#scroll(count, this.#row),
      S: () => this.#scroll(count, this.#top),
      T: () => this.#scroll(-count, this.#top),
      P: () => this.#shift(count, 0),
      '@': () => this.#shift(0, count),
      X: () => this.#fill(this.#column, this.#column + count),
      r: () => this.#region(count - 1, (numbers[1] || this.#rows) - 1),
    };
    actions[final]?.();
  }

  #region(top: number, bottom: number): void {
    this.#top = Math.min(top, this.#rows - 1);
    this.#bottom = Math.min(bottom, this.#rows - 1);
    this.#move(0, 0);
  }

  #fill(from: number, to: number): void {
    this.#lines[this.#row]?.fill(' ', from, Math.min(to, this.#columns));
  }

  #eraseLine(which: number): void {
    if (which === 0) this.#fill(this.#column, this.#columns);
    else this.#fill(0, which === 1 ? this.#column + 1 : this.#columns);
  }

  #eraseScreen(which: number): void {
    if (which === 0) this.#clear(this.#row + 1, this.#rows);
    else this.#clear(0, which === 1 ? this.#row : this.#rows);
    if (which < 2) this.#eraseLine(which);
  }

  /** Takes characters out of the line at the cursor, or puts blanks in. */
  #shift(out: number, blanks: number): void {
    const line = this.#lines[this.#row];
    if (!line) return;
    line.splice(this.#column, out, ...Array.from({length: blanks}, () => ' '));
    this.#lines[this.#row] = Array.from({length: this.#columns}, (_, at) => line[at] ?? ' ');
  }
}
