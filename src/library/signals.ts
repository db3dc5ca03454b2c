import {constants} from 'node:os';
import {invalid} from './errors';

const SIGRTMIN = 34;

/** `SIGTERM` to 15; throws `ERR_KEELBOX_INVALID_ARG` for an unknown name. */
export function signalNumber(name: NodeJS.Signals): number {
  const number = Object.hasOwn(constants.signals, name) ? constants.signals[name] : undefined;
  if (number === undefined) throw invalid(`unknown signal ${JSON.stringify(name)}`, 'Give a name like "SIGTERM".');
  return number;
}

/** 15 to `SIGTERM`. Real-time signals, which Node has no names for, become `SIGRTMIN+n`. */
export function signalName(number: number): NodeJS.Signals {
  for (const [name, value] of Object.entries(constants.signals)) if (value === number) return name as NodeJS.Signals;
  return (number < SIGRTMIN ? `SIG${number}` : `SIGRTMIN+${number - SIGRTMIN}`) as NodeJS.Signals;
}
