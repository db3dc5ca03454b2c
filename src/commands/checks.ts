/** Checks of option values. Each says what it expects; the parser puts the flag's name and the code around it. */
import {makeValidator} from 'typanion';
import type {OptionCheck} from './definition';
import {parseDuration} from './durations';

/** A check that takes the values that `accepts` takes, and says `what` it expects of others. */
export function expected(what: string, accepts: (value: string) => boolean): OptionCheck {
  return makeValidator<unknown, string>({
    test: (value, state): value is string => {
      if (typeof value === 'string' && accepts(value)) return true;
      state?.errors?.push(`expected ${what}`);
      return false;
    },
  });
}

export const isAbsolutePath = expected('an absolute path, such as /work', value => value.startsWith('/'));

export const isFilePath = expected('a path', value => value !== '' && !value.includes('\0'));

export const isContainerName = expected('letters, digits, "_", "." and "-", the first a letter or digit', value =>
  /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(value),
);

export const isHostname = expected('letters, digits, "-", "_" and ".", at most 64 of them', value =>
  /^(?=.{1,64}$)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$/.test(value),
);

export const isUser = expected('NAME|UID[:GROUP|GID]', value => /^[^:\s]+(:[^:\s]+)?$/.test(value));

export const isOctalMode = expected('an octal number from 0 to 0777', value => /^0*[0-7]{1,3}$/.test(value));

export const isInteger = expected('a whole number, perhaps negative', value => /^[+-]?\d{1,9}$/.test(value));

export const isWholeNumber = expected('a whole number', value => /^\d+$/.test(value));

export const isPositiveNumber = expected(
  'a number above 0',
  value => /^\d{0,6}(\.\d{1,3})?$/.test(value) && Number(value) > 0,
);

export const isDuration = expected(
  'a duration, such as 30s, 1m30s or 500ms',
  value => parseDuration(value) !== undefined,
);

export const isSignal = expected('a signal, by name or number', value =>
  /^(\d{1,2}|[A-Za-z][A-Za-z0-9]*([+-]\d{1,2})?)$/.test(value),
);

/** One of a few words. */
export function isOneOf(...words: readonly string[]): OptionCheck {
  return expected(`one of ${words.join(', ')}`, value => words.includes(value));
}
