/** The addon's calls with the library's errors. */

import {engine} from '../engine';
import type {Action, Answers} from '../native';
import {watchDeadline} from './deadline';
import {deferred} from './deferred';
import {fromNative} from './errors';
import {readCommon} from './settings';
import type {Common} from './types';

/** Does one thing with a container, off the JavaScript thread. */
export function act<A extends Action>(action: A): Promise<Answers[A['verb']]> {
  return attempt(() => engine().actLater(action));
}

export async function attempt<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw fromNative(error);
  }
}

export function isMissing(error: unknown): boolean {
  return (error as {code?: unknown} | null)?.code === 'ERR_KEELBOX_NOT_FOUND';
}

/** The caller waits no longer than told. What has begun in the engine is finished all the same. */
export async function within<T>(options: Common, what: string, work: () => Promise<T>): Promise<T> {
  const ended = deferred<never>();
  const stop = watchDeadline(readCommon(options), error => ended.reject(error), what);
  try {
    if (options.signal?.aborted) return await ended.promise;
    return await Promise.race([work(), ended.promise]);
  } finally {
    stop();
  }
}
