import {loadNative} from './loader';
import type {Native} from './native';

let native: Native | undefined;

/** The addon. Loaded at first use: `--help` and usage errors need none, and `--root` must be in the environment first. */
export function engine(): Native {
  native ??= loadNative();
  return native;
}
