import {writeSync} from 'node:fs';
import {KeelboxError} from '../errors/keelbox-error';

const stdoutFd = 1;
const stderrFd = 2;

/**
 * Writes to stdout. `fs.writeSync` and not `process.stdout`: touching the stream costs 3 ms and marks the fd
 * close-on-exec, and the fd is the container's later.
 */
export function writeOut(text: string): void {
  canWriteOut(text);
}

/** The same, for what goes on without end. False: nobody reads it any more. */
export function canWriteOut(text: string): boolean {
  try {
    return writeAll(stdoutFd, Buffer.from(text));
  } catch (cause) {
    const {code} = cause as NodeJS.ErrnoException;
    const why = code === 'ENOSPC' ? 'the disk that it leads to is full (ENOSPC)' : String(cause);
    throw new KeelboxError('ERR_KEELBOX_STDIO', 'cannot write to stdout', {why, cause});
  }
}

/** Writes to stderr; a diagnostic that cannot be written is not worth failing for. */
export function writeErr(text: string): void {
  try {
    writeAll(stderrFd, Buffer.from(text));
  } catch {
    // stderr closed or full: nobody is left to tell.
  }
}

/** False: the reader has gone. */
function writeAll(fd: number, bytes: Buffer): boolean {
  let written = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      // The reader has what it wanted (`keelbox ps | head -1`).
      if (code === 'EPIPE') return false;
      if (code !== 'EAGAIN') throw error;
      pause();
    }
  }
  return true;
}

/** The pipe is non-blocking (another process made it so) and full: wait a moment without an event loop. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
}
