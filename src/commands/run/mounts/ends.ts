/** The two ends of a mount. */
import {invalidArgument} from '../../../errors/keelbox-error';

export function absoluteTarget(flag: string, text: string, target: string): string {
  if (target.startsWith('/')) return target;
  throw invalidArgument(`invalid ${flag} "${text}"`, {
    why: target === '' ? 'the path inside is missing' : `the path inside, "${target}", is not absolute`,
  });
}

/** Docker's rule: what starts like a path is one, everything else names a volume. */
export function isHostPath(source: string): boolean {
  return source.startsWith('/') || /^\.{1,2}(\/|$)/.test(source);
}

/** Docker's grammar of a volume's name. */
export function volumeName(flag: string, text: string, name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{1,254}$/.test(name)) return name;
  throw invalidArgument(`invalid ${flag} "${text}"`, {
    why: `"${name}" is no name for a volume: 2 to 255 letters, digits, "_", "." and "-", the first a letter or digit`,
    hint: `write ./${name} if you mean a directory`,
  });
}
