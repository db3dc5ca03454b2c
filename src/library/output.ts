import {Writable} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {WritableStream} from 'node:stream/web';
import {invalid} from './errors';
import {PipeReader} from './pipe-reader';
import type {OutputSetting, Settings} from './settings';

/** Who reads an output: all of it for the result, a stream of the caller's (as often as asked), or a loop, once. */
export type Reader = 'buffer' | 'stream' | 'lines' | 'events';

export interface OutputOptions {
  name: 'stdout' | 'stderr';
  setting: OutputSetting;
  /** How many of the container's pipes lead here. */
  pipes: number;
  maxBuffer: number;
  onOverflow: () => void;
  /** The stream that the caller gave failed. */
  onError: (error: Error) => void;
}

/** The way from one of the container's outputs to what the option of its name says. */
export class Output {
  readonly #reader: PipeReader;
  readonly #name: string;
  readonly #setting: OutputSetting;
  #claim: Reader | undefined;
  /** Settles when the stream that the caller gave has taken everything. */
  readonly written: Promise<void>;

  constructor({name, setting, pipes, maxBuffer, onOverflow, onError}: OutputOptions) {
    this.#name = name;
    this.#setting = setting;
    this.#reader = new PipeReader(pipes, maxBuffer, onOverflow);
    this.written = setting === 'pipe' || setting === 'stdout' ? Promise.resolve() : this.#send(setting).catch(onError);
  }

  get eof(): Promise<void> {
    return this.#reader.eof;
  }

  get isPipe(): boolean {
    return this.#setting === 'pipe';
  }

  /** Takes over a reading end. */
  attach(fd: number): void {
    this.#reader.attach(fd);
  }

  /** The stream for a reader; throws `ERR_KEELBOX_INVALID_ARG` when there is no pipe or somebody else reads it. */
  claim(reader: Exclude<Reader, 'buffer'>): PipeReader {
    this.#claimFor(reader);
    this.#reader.release();
    return this.#reader;
  }

  /** All bytes, for `text()` and its like; call `keep` before the command ends. */
  keep(): void {
    this.#claimFor('buffer');
  }

  /** What was kept: everything, or nothing when there is another reader. */
  bytes(): Buffer {
    return this.#reader.bytes();
  }

  discard(): void {
    this.#reader.discard();
  }

  drain(): void {
    this.#reader.drain();
  }

  /** There will be no output: the container did not start. */
  end(): void {
    this.#reader.end();
  }

  #claimFor(reader: Reader): void {
    if (!this.isPipe)
      throw invalid(`${this.#name} is not a pipe`, `Leave the option ${this.#name} out to read it here.`);
    const shared = reader === 'stream' || reader === 'buffer';
    if (this.#claim && !(shared && this.#claim === reader))
      throw invalid(`${this.#name} is read already (${this.#claim})`, 'Read each output in one way only.');
    this.#claim = reader;
  }

  async #send(setting: Exclude<OutputSetting, 'pipe' | 'stdout'>): Promise<void> {
    this.#reader.release();
    if (setting === 'ignore') this.#reader.resume();
    else await this.#pipe(setting === 'inherit' ? process[this.#name as 'stdout'] : setting);
  }

  async #pipe(target: Writable | WritableStream): Promise<void> {
    const writable = target instanceof WritableStream ? Writable.fromWeb(target) : target;
    // Node's own outputs outlive the container.
    await pipeline(this.#reader, writable, {end: writable !== process.stdout && writable !== process.stderr});
  }
}

/** Both outputs of a container; merged, both of its pipes lead to the first. */
export function makeOutputs(
  {stdout, stderr, tty, maxBuffer}: Settings,
  onError: (error: Error) => void,
  onOverflow: (name: string) => void,
): [Output, Output] {
  const merged = stderr === 'stdout';
  const make = (name: OutputOptions['name'], setting: OutputSetting, pipes: number) =>
    new Output({name, setting, pipes, maxBuffer, onOverflow: () => onOverflow(name), onError});
  const isOne = merged || tty;
  return [make('stdout', stdout, merged && !tty ? 2 : 1), make('stderr', stderr, isOne ? 0 : 1)];
}
