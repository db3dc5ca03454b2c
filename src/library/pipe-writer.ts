import type {Socket} from 'node:net';
import {Writable} from 'node:stream';

/**
 * What goes into a container's stdin. It exists before the pipe does, and holds writes until then. When the command
 * stops reading, which is its right, the stream closes without an error.
 */
export class PipeWriter extends Writable {
  /** The container's side ended it, not the writer. */
  #stopped = false;
  #socket: Socket | undefined;
  /** The one write or end that Writable lets begin before the pipe is there. */
  #waiting: ((socket: Socket) => void) | undefined;

  constructor(private readonly onError: (error: Error) => void) {
    super();
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes over the writing end. */
  attach(socket: Socket): void {
    if (this.destroyed) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    socket.on('error', error => this.#fail(error));
    socket.on('close', () => this.stop());
    this.#waiting?.(socket);
    this.#waiting = undefined;
  }

  /** Nobody reads any more: what waits to be written is dropped. */
  stop(): void {
    if (!this.destroyed) this.#stopped = true;
    this.destroy();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    // An error comes as the socket's event too, and destroying this stream settles the write.
    this.#withSocket(socket => socket.write(chunk, error => error ?? callback()));
  }

  override _final(callback: () => void): void {
    this.#withSocket(socket => socket.end(callback));
  }

  override _destroy(_error: Error | null, callback: () => void): void {
    this.#socket?.destroy();
    callback();
  }

  #withSocket(action: (socket: Socket) => void): void {
    if (this.#socket) action(this.#socket);
    else this.#waiting = action;
  }

  #fail(error: NodeJS.ErrnoException): void {
    if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') this.onError(error);
    this.stop();
  }
}
