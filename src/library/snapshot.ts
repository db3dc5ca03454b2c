import {engine} from '../engine';
import {fromNative} from './errors';

/** The files of a container at one moment, as an image that other containers can be made of. */
export class Snapshot {
  /** `sha256:` and 64 hex digits. */
  readonly id: string;
  /** What the container had changed, in bytes. */
  readonly bytes: number;

  /** @internal */
  constructor(id: string, bytes: number) {
    this.id = id;
    this.bytes = bytes;
  }

  /** Containers that were made of it keep what they need. */
  async remove(): Promise<void> {
    try {
      engine().imageRemove(this.id, {force: true});
    } catch (error) {
      throw fromNative(error);
    }
  }
}
