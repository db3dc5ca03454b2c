import {engine} from '../engine';
import {KeelboxError} from '../errors/keelbox-error';
import type {ContainerEvent, TerminalSize} from '../native';
import {watchDeadline} from './deadline';
import {deferred} from './deferred';
import {ExitError, fromNative, invalid} from './errors';
import {Input} from './input';
import {makeOutputs, type Output} from './output';
import type {Launched, Settings} from './settings';
import {signalName, signalNumber} from './signals';
import {toSize} from './terminal';
import type {Result} from './types';

type Exit = Extract<ContainerEvent, {type: 'exit'}>;

const SIGKILL = 9;

/**
 * One command from its start to its end: of a container of its own, or in one that is there. The first failure (abort, timeout, too much output, a broken stream of the
 * caller's) ends the container, and is what `settled` rejects with once the container is gone.
 */
export class Execution {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly started: Promise<Launched>;
  readonly settled: Promise<Result>;
  readonly #exit = deferred<Exit>();
  readonly #failed = deferred<void>();
  readonly #unwatch: () => void;
  #failure: Error | undefined;
  #container: Launched | undefined;
  #over = false;
  #killTimer: NodeJS.Timeout | undefined;

  constructor(private readonly settings: Settings) {
    const onError = (error: Error) => this.fail(stdioError(error));
    this.stdin = new Input(settings.stdin, onError);
    [this.stdout, this.stderr] = makeOutputs(settings, onError, name => this.fail(overflowError(name, settings)));
    this.#failure = settings.invalid;
    this.#unwatch = watchDeadline(settings, error => this.fail(error));
    this.started = this.#start();
    this.settled = this.#settle();
    this.started.catch(() => {});
    this.settled.catch(() => {});
  }

  get container(): Launched | undefined {
    return this.#container;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Ends the container, or its start, for a reason; only the first one counts. */
  fail(error: Error): void {
    if (this.#failure || this.#over) return;
    this.#failure = error;
    this.#failed.resolve();
    this.stdout.discard();
    this.stderr.discard();
    if (!this.#container) return;
    this.#send(signalNumber(this.settings.killSignal));
    this.#killTimer = setTimeout(() => this.#send(SIGKILL), this.settings.killAfter);
  }

  /** Gives the terminal another size once there is one. */
  resize(size: TerminalSize): void {
    if (!this.settings.tty) throw invalid('resize: the command has no terminal', 'Start it with the option tty.');
    const {columns, rows} = toSize(size, 'size');
    const send = ({handle}: Launched) => void engine().resize(handle, {columns, rows});
    // In the order of the calls, also of those before the start.
    this.started.then(send, () => {});
  }

  /** Sends a signal once the container has started; a container that is gone needs none. */
  async kill(signal: NodeJS.Signals = this.settings.killSignal): Promise<void> {
    const number = signalNumber(signal);
    const container = await this.started.catch(() => undefined);
    if (container && !this.#over) this.#signal(container, number);
  }

  async #start(): Promise<Launched> {
    // The caller may ask for stdin in the tick of `run`, which decides whether there is a pipe for it.
    await null;
    if (this.#failure) throw this.#failure;
    const stdin = this.stdin.start();
    const container = await this.settings.launch.start({type: 'pipe', stdin}, event => this.#onEvent(event));
    this.#container = container;
    this.#attach(container.stdio);
    // Failed while starting: nothing of the command is worth the wait that `killAfter` allows.
    if (this.#failure) this.#send(SIGKILL);
    return container;
  }

  #attach([stdin, stdout, stderr]: Launched['stdio']): void {
    const merged = this.settings.stderr === 'stdout';
    this.#attachEnd(this.stdin, stdin);
    this.#attachEnd(this.stdout, stdout);
    this.#attachEnd(merged ? this.stdout : this.stderr, stderr);
  }

  #attachEnd(end: Input | Output, fd: number): void {
    try {
      if (fd >= 0) end.attach(fd);
    } catch (error) {
      this.fail(stdioError(error as Error));
    }
  }

  #onEvent(event: ContainerEvent): void {
    if (event.type === 'exit') this.#exit.resolve(event);
    else this.#exit.reject(new KeelboxError('ERR_KEELBOX_LOST', 'the supervisor of the container went away'));
  }

  /** A container that cannot be ended must not become a wait for ever, nor be taken for gone. */
  #send(signal: number): void {
    try {
      if (this.#container) this.#signal(this.#container, signal);
    } catch (error) {
      this.#failure = error as Error;
      this.#exit.reject(error);
    }
  }

  #signal(container: Launched, signal: number): void {
    try {
      engine().signal(container.handle, signal);
    } catch (error) {
      throw fromNative(error);
    }
  }

  async #settle(): Promise<Result> {
    try {
      await this.started;
      const exit = await this.#exit.promise;
      await this.#finishOutput();
      if (this.#failure) throw this.#failure;
      return this.#judge(exit);
    } catch (error) {
      throw this.#failure ?? fromNative(error);
    } finally {
      this.#close();
    }
  }

  /** After the exit only what the pipes still hold is to come. */
  async #finishOutput(): Promise<void> {
    const outputs = [this.stdout, this.stderr];
    for (const output of outputs) output.drain();
    await Promise.all(outputs.map(output => output.eof));
    await Promise.race([this.#failed.promise, Promise.all(outputs.map(output => output.written))]);
  }

  #judge({exitCode, signal, usage}: Exit): Result {
    const [stdout, stderr] = [this.stdout, this.stderr].map(output => output.bytes().toString());
    const name = signal === null ? null : signalName(signal);
    const result = {exitCode, signal: name, stdout: stdout ?? '', stderr: stderr ?? '', usage, ok: exitCode === 0};
    if (!result.ok && this.settings.reject) throw new ExitError(result, this.settings.launch.argv);
    return result;
  }

  #close(): void {
    this.#over = true;
    this.#unwatch();
    clearTimeout(this.#killTimer);
    this.stdin.close();
    for (const output of [this.stdout, this.stderr]) output.end();
  }
}

function stdioError(cause: Error): KeelboxError {
  return new KeelboxError('ERR_KEELBOX_STDIO', `a stream of the container failed: ${cause.message}`, {cause});
}

function overflowError(name: string, {maxBuffer}: Settings): KeelboxError {
  const hint = `Read proc.${name} as a stream or line by line, or raise maxBuffer.`;
  return new KeelboxError('ERR_KEELBOX_MAX_BUFFER', `${name} is longer than ${maxBuffer} bytes`, {hint});
}
