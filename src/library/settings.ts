import type {Readable, Writable} from 'node:stream';
import {ReadableStream, WritableStream} from 'node:stream/web';
import type {RunRequest} from '../native';
import {checkFlag, checkWord} from './checks';
import {invalid} from './errors';
import {parseBytes, parseMillis} from './quantities';
import {toRequest} from './request';
import {signalNumber} from './signals';
import type {ExecOptions, RootImage, RunOptions} from './types';

export type StdinSetting = NonNullable<ExecOptions['stdin']>;
export type OutputSetting = NonNullable<ExecOptions['stderr']>;

/** All that `run` was told, checked, each default filled in. */
export interface Settings {
  request: Omit<RunRequest, 'stdio'>;
  stdin: StdinSetting;
  stdout: OutputSetting;
  stderr: OutputSetting;
  signal: AbortSignal | undefined;
  timeout: number | undefined;
  maxBuffer: number;
  killSignal: NodeJS.Signals;
  killAfter: number;
  reject: boolean;
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
} satisfies Partial<Settings>;

/** Throws `ERR_KEELBOX_INVALID_ARG` for anything that cannot be done as told. */
export function readSettings(image: RootImage, argv: readonly string[], options: RunOptions): Settings {
  const request = toRequest(image, argv, options);
  const {signal, timeout, maxBuffer, killSignal = DEFAULTS.killSignal, killAfter = DEFAULTS.killAfter} = options;
  signalNumber(killSignal);
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalid('signal must be an AbortSignal');
  return {
    request,
    stdin: checkStdin(options.stdin ?? DEFAULTS.stdin),
    stdout: checkOutput(options.stdout ?? DEFAULTS.stdout, 'stdout', ['pipe', 'inherit', 'ignore']),
    stderr: toStderr(options),
    signal,
    timeout: timeout === undefined || timeout === Infinity ? undefined : parseMillis(timeout, 'timeout'),
    maxBuffer: maxBuffer === undefined ? DEFAULTS.maxBuffer : parseBytes(maxBuffer, 'maxBuffer'),
    killSignal,
    killAfter: parseMillis(killAfter, 'killAfter'),
    reject: checkFlag(options.reject ?? DEFAULTS.reject, 'reject'),
  };
}

function checkStdin(stdin: StdinSetting): StdinSetting {
  if (typeof stdin === 'string' || stdin instanceof Uint8Array) return stdin;
  const free = stdin instanceof ReadableStream ? !stdin.locked : (stdin as Readable | null)?.readable === true;
  if (free) return stdin;
  throw invalid('stdin must be a word, a string, bytes or a stream that can still be read');
}

/** One stream for both is one output: it must not be ended by the first of the two. */
function toStderr({stdout, stderr = DEFAULTS.stderr}: ExecOptions): OutputSetting {
  if (typeof stderr === 'object' && stderr === stdout) return 'stdout';
  return checkOutput(stderr, 'stderr', ['pipe', 'inherit', 'ignore', 'stdout']);
}

function checkOutput(output: OutputSetting, what: string, words: readonly string[]): OutputSetting {
  if (typeof output === 'string') return checkWord(output, words, what) as OutputSetting;
  const free = output instanceof WritableStream ? !output.locked : (output as Writable | null)?.writable === true;
  if (free) return output;
  throw invalid(`${what} must be a word or a stream that can still be written`);
}
