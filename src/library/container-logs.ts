import {engine} from '../engine';
import {attempt} from './attempt';
import {checkFlag} from './checks';
import {abortError, invalid} from './errors';
import type {LogLine, LogOptions} from './types';

/** The journal's part of the addon. */
interface LogsNative {
  logsOpen(reference: string, options: {follow?: boolean; since?: string}): number;
  /** Null after the last, and when it was closed. */
  logsNext(handle: number): Promise<LogEntry[] | null>;
  logsClose(handle: number): void;
}

interface LogEntry {
  stream: 'stdout' | 'stderr';
  /** RFC 3339 with nanoseconds. */
  time: string;
  text: Uint8Array;
  /** The line goes on in the next entry of this stream. */
  partial: boolean;
}

const native = () => engine() as unknown as LogsNative;

/** The lines that a container has printed, and with `follow` those to come. */
export async function* readLogs(id: string, options: LogOptions): AsyncGenerator<LogLine> {
  const {follow = false, since, signal} = options;
  if (since !== undefined && !(since instanceof Date)) throw invalid('since must be a Date');
  if (signal?.aborted) throw abortError(signal.reason);
  const nanoseconds = since === undefined ? undefined : String(BigInt(since.getTime()) * 1_000_000n);
  const range = {follow: checkFlag(follow, 'follow'), ...(nanoseconds !== undefined && {since: nanoseconds})};
  const handle = await attempt(() => native().logsOpen(id, range));
  const close = () => native().logsClose(handle);
  signal?.addEventListener('abort', close, {once: true});
  try {
    yield* lines(handle);
    if (signal?.aborted) throw abortError(signal.reason);
  } finally {
    signal?.removeEventListener('abort', close);
    close();
  }
}

async function* lines(handle: number): AsyncGenerator<LogLine> {
  const begun: Partial<Record<LogEntry['stream'], Buffer>> = {};
  for (;;) {
    const entries = await attempt(() => native().logsNext(handle));
    if (entries === null) break;
    for (const {stream, time, text, partial} of entries) {
      const bytes = Buffer.concat([begun[stream] ?? Buffer.alloc(0), text]);
      if (partial) {
        begun[stream] = bytes;
        continue;
      }
      delete begun[stream];
      yield {stream, time: new Date(time), line: bytes.toString()};
    }
  }
}
