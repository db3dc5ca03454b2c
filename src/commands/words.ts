/** Checks of words that are no options. */
import {as} from 'typanion';
import {invalidArgument} from '../errors/keelbox-error';
import type {OptionCheck} from './definition';

export function checkWord(value: string, what: string, check: OptionCheck): string {
  const result = as(value, check, {errors: true});
  if (result.errors === undefined) return result.value;
  throw invalidArgument(`invalid value "${value}" for ${what}`, {why: result.errors.join('; ')});
}
