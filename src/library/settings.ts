import type {Readable, Writable} from 'node:stream';
import {ReadableStream, WritableStream} from 'node:stream/web';
import type {ContainerEvent, StdioRequest} from '../native';
import {checkFlag, checkWord} from './checks';
import {invalid} from './errors';
import {parseBytes, parseMillis} from './quantities';
import {signalNumber} from './signals';
import type {CommandOptions} from './types';

export type StdinSetting = NonNullable<CommandOptions['stdin']>;
export type OutputSetting = NonNullable<CommandOptions['stderr']>;

/** A command that has been started. */
export interface Launched {
  pid: number;
  /** Our ends of its pipes; -1 where there is none. */
  stdio: [number, number, number];
  handle: number;
  notices?: readonly string[];
}

/** How the command is started. */
export interface Launch {
  /** For messages. */
  argv: readonly string[];
  start(stdio: Extract<StdioRequest, {type: 'pipe'}>, onEvent: (event: ContainerEvent) => void): Promise<Launched>;
}

/** All that a command was told, checked, each default filled in. */
export interface Settings {
  launch: Launch;
  stdin: StdinSetting;
  stdout: OutputSetting;
  stderr: OutputSetting;
  signal: AbortSignal | undefined;
  timeout: number | undefined;
  maxBuffer: number;
  killSignal: NodeJS.Signals;
  killAfter: number;
  reject: boolean;
  /** The command has a terminal. */
  tty: boolean;
  /** Why none of the above can be used. */
  invalid?: Error;
}

export const DEFAULTS = {
  stdin: 'ignore',
  stdout: 'pipe',
  stderr: 'pipe',
  signal: undefined,
  timeout: undefined,
  maxBuffer: 16 * 1024 ** 2,
  killSignal: 'SIGTERM',
  killAfter: 2000,
  reject: true,
  tty: false,
} satisfies Partial<Settings>;

/** Wrong arguments make a command that fails before it starts, so that every error comes the same way. */
export function trySettings(read: () => Settings): Settings {
  try {
    return read();
  } catch (invalid) {
    const launch: Launch = {argv: [], start: () => Promise.reject(invalid)};
    return {...DEFAULTS, launch, invalid: invalid as Error};
  }
}

/** Throws `ERR_KEELBOX_INVALID_ARG` for anything that cannot be done as told. */
export function readSettings(launch: Launch, options: CommandOptions): Settings {
  const {signal, timeout, maxBuffer, killSignal = DEFAULTS.killSignal, killAfter = DEFAULTS.killAfter} = options;
  signalNumber(killSignal);
  return {
    launch,
    stdin: checkStdin(options.stdin ?? DEFAULTS.stdin),
    stdout: checkOutput(options.stdout ?? DEFAULTS.stdout, 'stdout', ['pipe', 'inherit', 'ignore']),
    stderr: toStderr(options),
    ...readCommon({signal, timeout}),
    maxBuffer: maxBuffer === undefined ? DEFAULTS.maxBuffer : parseBytes(maxBuffer, 'maxBuffer'),
    killSignal,
    killAfter: parseMillis(killAfter, 'killAfter'),
    reject: checkFlag(options.reject ?? DEFAULTS.reject, 'reject'),
    tty: options.tty !== undefined && options.tty !== false,
  };
}

export function readCommon({signal, timeout}: {signal?: AbortSignal | undefined; timeout?: number | undefined}) {
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalid('signal must be an AbortSignal');
  const isLimited = timeout !== undefined && timeout !== Infinity;
  return {signal, timeout: isLimited ? parseMillis(timeout, 'timeout') : undefined};
}

function checkStdin(stdin: StdinSetting): StdinSetting {
  if (typeof stdin === 'string' || stdin instanceof Uint8Array) return stdin;
  const free = stdin instanceof ReadableStream ? !stdin.locked : (stdin as Readable | null)?.readable === true;
  if (free) return stdin;
  throw invalid('stdin must be a word, a string, bytes or a stream that can still be read');
}

/** One stream for both is one output: it must not be ended by the first of the two. */
function toStderr({stdout, stderr = DEFAULTS.stderr, tty = false}: CommandOptions): OutputSetting {
  if (tty !== false && stderr !== DEFAULTS.stderr && stderr !== 'stdout')
    throw invalid('stderr: what a command with a terminal prints comes as stdout', 'Leave the option stderr out.');
  if (typeof stderr === 'object' && stderr === stdout) return 'stdout';
  return checkOutput(stderr, 'stderr', ['pipe', 'inherit', 'ignore', 'stdout']);
}

function checkOutput(output: OutputSetting, what: string, words: readonly string[]): OutputSetting {
  if (typeof output === 'string') return checkWord(output, words, what) as OutputSetting;
  const free = output instanceof WritableStream ? !output.locked : (output as Writable | null)?.writable === true;
  if (free) return output;
  throw invalid(`${what} must be a word or a stream that can still be written`);
}
