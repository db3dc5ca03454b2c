import {Readable, Writable} from 'node:stream';
import {KeelboxError} from '../errors/keelbox-error';
import {abortError, ExitError, setCallSite} from './errors';
import {mergeOutputs} from './events';
import type {Execution} from './execution';
import {readLines} from './lines';
import type {Proc, ProcEvent, Result, TerminalSize} from './types';

const noop = () => {};

/** The readings of one execution. */
export class ContainerProc extends Promise<Result> implements Proc {
  readonly #execution: Execution;
  readonly #maxLine: number;
  readonly web: Proc['web'];

  /** `then` and its like answer ordinary promises. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  constructor(execution: Execution, maxLine: number, site: {stack?: string}) {
    super((resolve, reject) => {
      execution.settled.then(resolve, error => {
        setCallSite(error, site);
        reject(error);
      });
    });
    this.#execution = execution;
    this.#maxLine = maxLine;
    this.web = makeWeb(this);
  }

  get pid(): number | undefined {
    return this.#execution.container?.pid;
  }

  get notices(): readonly string[] {
    return this.#execution.container?.notices ?? [];
  }

  get stdin(): Writable {
    return this.#execution.stdin.stream();
  }

  get stdout(): Readable {
    return this.#execution.stdout.claim('stream');
  }

  get stderr(): Readable {
    return this.#execution.stderr.claim('stream');
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<string> {
    const stdout = this.#execution.stdout.claim('lines');
    this.catch(noop);
    return this.#lines(stdout);
  }

  events(): AsyncIterableIterator<ProcEvent> {
    const {stdout, stderr} = this.#execution;
    const piped = (
      [
        ['stdout', stdout],
        ['stderr', stderr],
      ] as const
    ).filter(([, output]) => output.isPipe);
    const outputs = mergeOutputs(piped.map(([type, output]) => [type, output.claim('events')]));
    this.catch(noop);
    return this.#events(outputs);
  }

  async text(): Promise<string> {
    return (await this.#all()).toString();
  }

  async json<T = unknown>(): Promise<T> {
    return JSON.parse(await this.text()) as T;
  }

  async bytes(): Promise<Uint8Array> {
    const {buffer, byteOffset, byteLength} = await this.#all();
    return new Uint8Array(buffer, byteOffset, byteLength);
  }

  resize(size: TerminalSize): void {
    this.#execution.resize(size);
  }

  kill(signal?: NodeJS.Signals): Promise<void> {
    return this.#execution.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#execution.over) return;
    this.catch(noop);
    this.#execution.fail(abortError(new Error('disposed')));
    await this.#execution.settled.catch(noop);
  }

  async #all(): Promise<Buffer> {
    const {stdout} = this.#execution;
    stdout.keep();
    await this;
    return stdout.bytes();
  }

  async *#lines(stdout: Readable): AsyncGenerator<string> {
    const tooLong = () =>
      new KeelboxError('ERR_KEELBOX_MAX_BUFFER', `a line is longer than ${this.#maxLine} characters`);
    yield* readLines(stdout, this.#maxLine, () => {
      const error = tooLong();
      this.#execution.fail(error);
      return error;
    });
    await this;
  }

  async *#events(data: Readable): AsyncGenerator<ProcEvent> {
    const {pid} = await this.#execution.started.catch(async error => {
      await this;
      throw error;
    });
    yield {type: 'start', pid};
    yield* data as AsyncIterable<ProcEvent>;
    const {exitCode, signal, usage} = await this.catch(error => {
      if (error instanceof ExitError) return error.result;
      throw error;
    });
    if (usage.oomKilled) yield {type: 'oom'};
    yield {type: 'exit', exitCode, signal, usage};
  }
}

/** Made when asked for: a Web stream locks and reads the Node stream below it at once. */
function makeWeb(proc: ContainerProc): Proc['web'] {
  let stdin: WritableStream<Uint8Array> | undefined;
  let stdout: ReadableStream<Uint8Array> | undefined;
  let stderr: ReadableStream<Uint8Array> | undefined;
  return {
    get stdin() {
      stdin ??= Writable.toWeb(proc.stdin) as WritableStream<Uint8Array>;
      return stdin;
    },
    get stdout() {
      stdout ??= toWeb(proc.stdout);
      return stdout;
    },
    get stderr() {
      stderr ??= toWeb(proc.stderr);
      return stderr;
    },
  };
}

function toWeb(readable: Readable): ReadableStream<Uint8Array> {
  const strategy = new ByteLengthQueuingStrategy({highWaterMark: readable.readableHighWaterMark});
  return Readable.toWeb(readable, {strategy}) as ReadableStream<Uint8Array>;
}
