import {engine} from '../engine';
import {attempt} from './attempt';
import {checkFlag} from './checks';
import {abortError, invalid} from './errors';
import type {LogLine, LogOptions} from './types';

/** The lines that a container has printed, and with `follow` those to come. */
export async function* readLogs(id: string, options: LogOptions): AsyncGenerator<LogLine> {
  const {follow = false, since, signal} = options;
  if (since !== undefined && !(since instanceof Date)) throw invalid('since must be a Date');
  if (signal?.aborted) throw abortError(signal.reason);
  const nanoseconds = since === undefined ? undefined : String(BigInt(since.getTime()) * 1_000_000n);
  const range = {follow: checkFlag(follow, 'follow'), ...(nanoseconds !== undefined && {since: nanoseconds})};
  const handle = await attempt(() => engine().logsOpen(id, range));
  const close = () => engine().logsClose(handle);
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
  const begun: Partial<Record<LogLine['stream'], Buffer>> = {};
  for (;;) {
    const entries = await attempt(() => engine().logsNext(handle));
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
