import {pipeline, Readable, type Writable} from 'node:stream';
import {ReadableStream} from 'node:stream/web';
import {invalid} from './errors';
import {openPipe} from './open-pipe';
import {PipeWriter} from './pipe-writer';
import type {StdinSetting} from './settings';

/** The way from what `stdin` was told to the container's pipe. */
export class Input {
  readonly #writer: PipeWriter;
  #started = false;
  #asked = false;

  constructor(
    private readonly setting: StdinSetting,
    private readonly onError: (error: Error) => void,
  ) {
    this.#writer = new PipeWriter(onError);
    if (setting instanceof Uint8Array) this.#writer.end(setting);
    else if (setting === 'inherit' || setting === process.stdin) this.#inherit();
    else if (typeof setting !== 'string') this.#follow(setting);
    else if (setting !== 'ignore' && setting !== 'pipe') this.#writer.end(setting);
  }

  /** Whether the container gets a pipe as stdin; asked once, when it is started. */
  start(): boolean {
    this.#started = true;
    return this.setting !== 'ignore' || this.#asked;
  }

  /** Takes over the writing end. */
  attach(fd: number): void {
    this.#writer.attach(openPipe(fd, {writable: true}));
  }

  /** There is no writing end. */
  skip(): void {
    this.#writer.stop();
  }

  /** The stream that the caller writes to. */
  stream(): Writable {
    if (this.setting !== 'pipe' && this.setting !== 'ignore')
      throw invalid('stdin is fed from what the option stdin says', 'Leave the option out to write to proc.stdin.');
    if (this.#started && this.setting === 'ignore' && !this.#asked)
      throw invalid('stdin was asked for after the start', 'Ask in the tick of run(), or pass stdin: "pipe".');
    this.#asked = true;
    return this.#writer;
  }

  /** The container is over. */
  close(): void {
    this.#writer.stop();
  }

  /** Node's own stdin outlives the container: it is neither ended nor destroyed. */
  #inherit(): void {
    process.stdin.pipe(this.#writer);
    this.#writer.on('close', () => process.stdin.unpipe(this.#writer));
  }

  /** A source that fails must not look like the end of the input. */
  #follow(source: Exclude<StdinSetting, string | Uint8Array>): void {
    const readable =
      source instanceof ReadableStream ? Readable.fromWeb(source as ReadableStream) : (source as Readable);
    pipeline(readable, this.#writer, error => {
      if (error && !this.#writer.stopped) this.onError(error);
    });
  }
}
