/** How a container is ended: `stop`, `restart`, `rm`. */
import type {StopOptions} from '../../native';
import {isInteger, isSignal} from '../checks';
import type {OptionTable} from '../definition';

export const timeOption = {
  kind: 'value',
  short: 't',
  aliases: ['timeout'],
  value: 'SECONDS',
  group: 'Options',
  help: 'Time to end by itself before it is killed; -1: for ever; default: what it was made with, else 10',
  check: isInteger,
} as const satisfies OptionTable[string];

export const stopOptions = {
  time: timeOption,
  signal: {
    kind: 'value',
    short: 's',
    value: 'SIGNAL',
    group: 'Options',
    help: "The signal to begin with; default: the container's own, else SIGTERM",
    check: isSignal,
  },
} as const satisfies OptionTable;

export function readStop({time, signal}: {time?: string | undefined; signal?: string | undefined}): StopOptions {
  return {...(signal !== undefined && {signal}), ...(time !== undefined && {timeout: Number(time)})};
}
