/** What `run -d` and `create` share. */
import {engine} from '../../engine';
import {KeelboxError} from '../../errors/keelbox-error';
import type {Created} from '../../native';
import {writeErr, writeOut} from '../../output/write';
import {isNotFound} from './missing';

export function printCreated(created: Created, isQuiet: boolean): number {
  if (!isQuiet) printNotices(created);
  writeOut(`${created.id}\n`);
  return 0;
}

export function printNotices({notices}: {notices: readonly string[]}): void {
  for (const notice of notices) writeErr(`notice: ${notice}\n`);
}

/** `--replace`: the container of that name goes first, running or not. */
export function replace(name: string | undefined): void {
  if (name === undefined) {
    throw new KeelboxError('ERR_KEELBOX_USAGE', 'cannot replace a container without --name being set', {
      hint: 'add --name NAME, or leave --replace out',
    });
  }
  try {
    engine().remove(name, {force: true});
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
