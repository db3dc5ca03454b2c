/** A real pseudo terminal with somebody in front of it: keys, sizes, what the screen shows, the terminal's modes. */
import {type ChildProcess, spawn} from 'node:child_process';
import {constants} from 'node:os';
import {createInterface} from 'node:readline';
import type {Readable} from 'node:stream';
import {StringDecoder} from 'node:string_decoder';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import type {Command} from './cli';
import {patience} from './lane';
import source from './pty.py';
import {Screen} from './screen';

/** What a sane terminal has on and raw mode off. */
export interface Modes {
  echo: boolean;
  icanon: boolean;
  isig: boolean;
  iexten: boolean;
  icrnl: boolean;
  opost: boolean;
}

export interface TerminalExit {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
}

interface Event {
  pid?: number;
  modes?: Modes;
  exit?: number;
}

/** Needed by every test that uses a terminal: `test.needing(PYTHON)`. */
export const PYTHON = 'python3';

function signalName(number: number): NodeJS.Signals {
  const [name] = Object.entries(constants.signals).find(([, value]) => value === number) ?? [];
  if (!name) throw new Error(`no signal has the number ${number}`);
  return name as NodeJS.Signals;
}

export class Terminal {
  /** All that the terminal was ever sent. */
  output = '';
  readonly screen: Screen;
  /** The command's process; after `attach` it is the same one. */
  readonly pid: Promise<number>;
  readonly exited: Promise<TerminalExit>;
  #python: ChildProcess;
  #modes: ((modes: Modes) => void)[] = [];

  private constructor({file, args, options}: Command, rows: number, columns: number) {
    this.screen = new Screen(rows, columns);
    this.#python = spawn(PYTHON, ['-c', source, String(rows), String(columns), file, ...args], {
      ...options,
      env: {TERM: 'xterm', ...options.env},
      stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
    });
    this.#python.stdin?.on('error', () => {});
    const decoder = new StringDecoder('utf8');
    this.#python.stdout?.on('data', (chunk: Buffer) => this.#show(decoder.write(chunk)));
    const events = createInterface({input: this.#python.stdio[3] as Readable});
    const {promise: pid, resolve: started} = pending<number>();
    const {promise: exited, resolve: ended} = pending<TerminalExit>();
    this.pid = pid;
    this.exited = exited;
    events.on('line', line => this.#hear(JSON.parse(line) as Event, started, ended));
  }

  /** Starts a command (of `command(...)`, or any) on a new terminal, which is closed when the test is over. */
  static open(t: ExecutionContext, what: Command, {rows = 24, columns = 80} = {}): Terminal {
    const terminal = new Terminal(what, rows, columns);
    t.teardown(() => terminal.close());
    return terminal;
  }

  #show(text: string): void {
    this.output += text;
    this.screen.write(text);
  }

  #hear({pid, modes, exit}: Event, started: (pid: number) => void, ended: (exit: TerminalExit) => void): void {
    if (pid !== undefined) started(pid);
    if (modes !== undefined) this.#modes.shift()?.(modes);
    if (exit !== undefined)
      ended(exit < 0 ? {exitCode: null, signal: signalName(-exit)} : {exitCode: exit, signal: null});
  }

  #ask(request: object): void {
    this.#python.stdin?.write(`${JSON.stringify(request)}\n`);
  }

  /** Types keys: `\r` is Enter, `\x03` Ctrl-C. */
  send(keys: string): void {
    this.#ask({send: keys});
  }

  /** The window gets another size. */
  resize(rows: number, columns: number): void {
    this.screen.resize(rows, columns);
    this.#ask({resize: [rows, columns]});
  }

  /** A signal to the command itself, not through the terminal. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#ask({signal: constants.signals[signal]});
  }

  /** The terminal's modes now, also after the command has ended. */
  modes(): Promise<Modes> {
    const {promise, resolve} = pending<Modes>();
    this.#modes.push(resolve);
    this.#ask({modes: true});
    return promise;
  }

  /** Waits until the screen shows it. */
  async waitFor(pattern: string | RegExp, milliseconds = patience(20_000)): Promise<void> {
    const shows = () =>
      typeof pattern === 'string' ? this.screen.text().includes(pattern) : pattern.test(this.screen.text());
    const until = Date.now() + milliseconds;
    while (!shows()) {
      if (Date.now() > until) throw new Error(`the terminal never showed ${pattern}:\n${this.screen.text()}`);
      await sleep(20);
    }
  }

  /** Hangs up, as closing the window does, and ends the helper. */
  async close(): Promise<void> {
    if (this.#python.exitCode !== null || this.#python.signalCode !== null) return;
    const {promise, resolve} = pending<void>();
    this.#python.on('close', () => resolve());
    this.#python.stdin?.end();
    await promise;
  }
}

/** Node 20 lacks Promise.withResolvers. */
function pending<T>(): {promise: Promise<T>; resolve: (value: T) => void} {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>(settle => {
    resolve = settle;
  });
  return {promise, resolve};
}
