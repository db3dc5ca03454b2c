import type {Socket} from 'node:net';
import {Readable} from 'node:stream';
import {ByteStore} from './byte-store';
import {type Deferred, deferred} from './deferred';
import {openPipe} from './open-pipe';

const HIGH_WATER_MARK = 64 * 1024;

/**
 * What comes out of a container's pipe (of two for merged output). It exists before the pipe does. First it keeps all
 * bytes up to a limit; after `release` it is an ordinary stream that begins with what was kept.
 */
export class PipeReader extends Readable {
  /** All pipes have ended or been closed. */
  readonly #eof: Deferred<void> = deferred();
  readonly #sockets = new Set<Socket>();
  #awaited: number;
  #kept: ByteStore | undefined = new ByteStore();
  #discarding = false;
  #draining = false;

  constructor(
    pipes: number,
    private readonly limit: number,
    private readonly onOverflow: () => void,
  ) {
    super({highWaterMark: HIGH_WATER_MARK});
    this.#awaited = pipes;
    if (pipes === 0) this.#finish();
  }

  get eof(): Promise<void> {
    return this.#eof.promise;
  }

  /** Takes over a pipe's reading end, also when it throws. */
  attach(fd: number): void {
    const socket = this.#open(fd);
    if (this.destroyed) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.on('data', chunk => this.#take(chunk));
    // A failing read ends the output as its end does; the exit status tells how the command fared.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#closed();
    });
  }

  /** One of the pipes that were expected will not come. */
  skip(): void {
    this.#closed();
  }

  /** The bytes kept so far. */
  bytes(): Buffer {
    return this.#kept?.bytes() ?? Buffer.alloc(0);
  }

  /** From keeping to streaming. */
  release(): void {
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept && kept.length > 0) this.#take(kept.bytes());
    if (this.#awaited <= 0) this.push(null);
  }

  /** Forgets what was kept, and all that still comes unless it is a stream by now. */
  discard(): void {
    if (!this.#kept) return;
    this.#kept = new ByteStore();
    this.#discarding = true;
  }

  /** To the end without waiting for a reader: once the writers are gone, what is left is at most a pipe's size. */
  drain(): void {
    this.#draining = true;
    this._read();
  }

  /** Nothing more will come, even if a pipe is still open. */
  end(): void {
    this.#awaited = 0;
    for (const socket of this.#sockets) socket.destroy();
    this.#finish();
  }

  override _read(): void {
    for (const socket of this.#sockets) socket.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#sockets.size === 0) this.#eof.resolve();
    callback(error);
  }

  #open(fd: number): Socket {
    try {
      return openPipe(fd, {readable: true});
    } catch (error) {
      this.#closed();
      throw error;
    }
  }

  #take(chunk: Buffer): void {
    if (this.#kept) this.#keep(this.#kept, chunk);
    else if (!this.destroyed && !this.push(chunk) && !this.#draining) this.#pause();
  }

  #keep(kept: ByteStore, chunk: Buffer): void {
    if (this.#discarding) return;
    if (kept.length + chunk.length <= this.limit) {
      kept.append(chunk);
      return;
    }
    this.discard();
    this.onOverflow();
  }

  #pause(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  #closed(): void {
    this.#awaited -= 1;
    if (this.#awaited <= 0) this.#finish();
  }

  #finish(): void {
    this.#eof.resolve();
    if (!this.#kept && !this.destroyed) this.push(null);
  }
}
