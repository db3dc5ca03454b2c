import {KeelboxError} from '../errors/keelbox-error';
import {abortError} from './errors';

/** Calls back when the caller's signal aborts or the time is up. Answers how to call it off. */
export function watchDeadline(
  {signal, timeout}: {signal: AbortSignal | undefined; timeout: number | undefined},
  onEnd: (error: Error) => void,
  what = 'the container did not end',
): () => void {
  const onAbort = () => onEnd(abortError(signal?.reason));
  const onTimeout = () => onEnd(new KeelboxError('ERR_KEELBOX_TIMEOUT', `${what} within ${timeout} ms`));
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, {once: true});
  const timer = timeout === undefined ? undefined : setTimeout(onTimeout, timeout);
  return () => {
    signal?.removeEventListener('abort', onAbort);
    clearTimeout(timer);
  };
}
