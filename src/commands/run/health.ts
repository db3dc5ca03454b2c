/** `--health-*`: docker's words, turned into docker's `Healthcheck`. What is not said comes from the image. */
import {KeelboxError} from '../../errors/keelbox-error';
import type {LifeRequest} from '../../native';
import {parseDuration} from '../durations';
import type {RunOptions} from './request';

type Health = NonNullable<LifeRequest['health']>;

export function readHealth(options: RunOptions): Pick<LifeRequest, 'health'> {
  const health: Health = {
    ...test(options['health-cmd']),
    ...time('interval', options['health-interval']),
    ...time('timeout', options['health-timeout']),
    ...time('startPeriod', options['health-start-period']),
    ...time('startInterval', options['health-start-interval']),
    ...positive('retries', Number(options['health-retries'] ?? 0)),
    ...(options['health-on-failure'] !== undefined && {onFailure: options['health-on-failure']}),
  };
  const isAsked = Object.keys(health).length > 0;
  if (options['no-healthcheck'] !== true) return isAsked ? {health} : {};
  if (isAsked) {
    throw new KeelboxError('ERR_KEELBOX_USAGE', '--no-healthcheck conflicts with --health-* options', {
      hint: 'leave one of them out',
    });
  }
  return {health: {test: ['NONE']}};
}

/** Docker's line for the shell, podman's JSON list of words, and `none`. */
function test(command: string | undefined): Health {
  if (!command) return {};
  if (command === 'none') return {test: ['NONE']};
  const words = command.startsWith('[') ? listOf(command) : undefined;
  if (words === undefined) return {test: ['CMD-SHELL', command]};
  const [first = ''] = words;
  return {test: ['CMD', 'CMD-SHELL', 'NONE'].includes(first) ? words : ['CMD', ...words]};
}

function listOf(text: string): string[] | undefined {
  try {
    const words: unknown = JSON.parse(text);
    if (Array.isArray(words) && words.length > 0 && words.every(word => typeof word === 'string')) return words;
  } catch {
    // Not JSON: a line for the shell that begins with a bracket, such as [ -e /ready ].
  }
  return undefined;
}

function time<K extends keyof Health>(key: K, text: string | undefined): Pick<Health, K> {
  return positive(key, Math.ceil(parseDuration(text ?? '0') ?? 0));
}

/** Zero stands for the image's own number, as docker has it. */
function positive<K extends keyof Health>(key: K, number: number): Pick<Health, K> {
  return (number > 0 ? {[key]: number} : {}) as Pick<Health, K>;
}
