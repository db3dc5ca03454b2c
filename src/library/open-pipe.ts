import {closeSync} from 'node:fs';
import {Socket} from 'node:net';

/** A socket on our end of a container's pipe, which it owns; an end that cannot be used is closed. */
export function openPipe(fd: number, {readable = false, writable = false}): Socket {
  try {
    return new Socket({fd, readable, writable});
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
