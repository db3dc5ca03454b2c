import {resolve} from 'node:path';
import {engine} from '../engine';
import type {ContainerSummary, Plan} from '../native';
import {act, attempt, within} from './attempt';
import {checkObject, checkText, checkWord, rejectOthers} from './checks';
import {containerFs} from './container-fs';
import {type Life, NamedLife, OwnedLife} from './container-life';
import {readLogs} from './container-logs';
import {waitUntilReady} from './container-ready';
import {watchDeadline} from './deadline';
import {execIn} from './exec';
import {parseMillis} from './quantities';
import {toCreateRequest} from './request';
import {readCommon} from './settings';
import {shellLine} from './shell-words';
import {signalNumber} from './signals';
import {Snapshot} from './snapshot';
import type {
  Common,
  ContainerFs,
  CreateOptions,
  ExecOptions,
  LogLine,
  LogOptions,
  Millis,
  Proc,
  ReadyCheck,
  RootImage,
} from './types';

/**
 * A container that stays, for as many commands as you like: its first process is a small init of keelbox's, which runs the
 * image's own command (or `command`) and stays when that has ended.
 *
 *     await using box = await Container.create('alpine');
 *     console.log(await box.exec(['cat', '/etc/os-release']).text());
 */
export class Container implements AsyncDisposable {
  /** 64 hex digits. */
  readonly id: string;
  readonly name: string;
  readonly fs: ContainerFs;
  readonly #life: Life;

  private constructor(life: Life) {
    this.id = life.id;
    this.name = life.name;
    this.fs = containerFs(life.id);
    this.#life = life;
  }

  /** Makes and starts one. When it rejects, there is none. */
  static async create(image: RootImage, options: CreateOptions = {}): Promise<Container> {
    const request = toCreateRequest(image, options);
    const lifetime = checkWord(options.lifetime ?? 'process', ['scope', 'process', 'detached'], 'lifetime');
    const common = readCommon(options);
    let failure: Error | undefined;
    const unwatch = watchDeadline(
      common,
      error => {
        failure = error;
      },
      'the container did not start',
    );
    try {
      if (failure) throw failure;
      const life = await (lifetime === 'process'
        ? OwnedLife.start(request)
        : NamedLife.start(request, lifetime === 'scope'));
      // Called off meanwhile: a start cannot be left half-way.
      if (failure) await life.remove(true);
      if (failure) throw failure;
      return new Container(life);
    } finally {
      unwatch();
    }
  }

  /** One that is there, by its name, its id, or the beginning of one id alone. Leaving a scope leaves it alone. */
  static async get(idOrName: string): Promise<Container> {
    const {id, name} = await act({verb: 'find', reference: checkText(idOrName, 'idOrName')});
    return new Container(new NamedLife(id, name, false));
  }

  /** Those that run; with `all` the others too. Of `label`, all must fit. */
  static async *list(
    options: {all?: boolean; label?: Readonly<Record<string, string>>} = {},
  ): AsyncIterableIterator<Container> {
    rejectOthers(checkObject(options, 'options'), ['all', 'label'], 'Container.list');
    const {all = false, label = {}} = options;
    const wanted = Object.entries(checkObject(label, 'label'));
    const fits = ({labels = {}}: ContainerSummary) => wanted.every(([key, value]) => labels[key] === value);
    for (const container of await attempt(() => engine().list({all})))
      if (fits(container)) yield new Container(new NamedLife(container.id, container.name, false));
  }

  /** Runs a command in it; see {@link run} for the answer and its errors. */
  exec(argv: readonly string[], options: ExecOptions = {}): Proc {
    const site: {stack?: string} = {};
    Error.captureStackTrace(site, this.exec);
    return execIn(this.id, argv, options, site);
  }

  /** A line for its shell, in which each value is one word: `` box.$`grep ${pattern} ${file} | wc -l` ``. */
  $(parts: TemplateStringsArray, ...values: unknown[]): Proc {
    const site: {stack?: string} = {};
    Error.captureStackTrace(site, this.$);
    return execIn(this.id, ['sh', '-c', shellLine(parts, values)], {}, site);
  }

  /**
   * Waits until a check succeeds: a line that matches in what its own command prints, a command in it that exits with 0;
   * a port or a page for one that has this machine's network. Default timeout: a minute.
   */
  ready(check: ReadyCheck, options: Common = {}): Promise<void> {
    return waitUntilReady(this, check, options);
  }

  /** Copies a file or directory of this machine into it, as `keelbox cp` does. */
  copyIn(from: string, to: string, options: Common = {}): Promise<void> {
    return this.#copy('in', from, to, options);
  }

  /** Copies a file or directory of its to this machine. */
  copyOut(from: string, to: string, options: Common = {}): Promise<void> {
    return this.#copy('out', to, from, options);
  }

  /** What its own command has printed; commands of `exec` are not in it. */
  logs(options: LogOptions = {}): AsyncIterableIterator<LogLine> {
    return readLogs(this.id, options);
  }

  /** Freezes every process of it. */
  async pause(): Promise<void> {
    await act({verb: 'pause', reference: this.id});
  }

  async resume(): Promise<void> {
    await act({verb: 'unpause', reference: this.id});
  }

  /** Its files as they are now, for other containers to be made of. It is frozen meanwhile. */
  snapshot(options: {name?: string} & Common = {}): Promise<Snapshot> {
    const {name} = options;
    const image = name === undefined ? {} : {image: checkText(name, 'name')};
    return within(options, 'the snapshot was not made', () =>
      attempt(async () => {
        const {imageId} = await engine().commitContainer({reference: this.id, ...image});
        const {layers} = engine().imageDescribe(imageId);
        return new Snapshot(imageId, layers.at(-1)?.size ?? 0);
      }),
    );
  }

  /**
   * Ends it: its stop signal, then SIGKILL after `timeout` milliseconds (rounded up to seconds; default 10,000). One of
   * lifetime `process` is gone then.
   */
  async stop({timeout}: {timeout?: Millis} = {}): Promise<void> {
    const seconds = timeout === undefined ? undefined : Math.ceil(parseMillis(timeout, 'timeout') / 1000);
    await act({verb: 'stop', reference: this.id, ...(seconds !== undefined && {timeout: seconds})});
    await this.#life.stopped();
  }

  /** Sends a signal to its own command; SIGKILL, the default, ends every process of it. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    signalNumber(signal);
    await act({verb: 'kill', reference: this.id, signal});
    if (signal === 'SIGKILL') await this.#life.stopped();
  }

  /** Ends it as `stop` does, and removes it with what it has written. `force`: at once. One that is gone is no error. */
  remove({force = false}: {force?: boolean} = {}): Promise<void> {
    return this.#life.remove(force);
  }

  /** What was done to make it: every step, and why. */
  async plan(): Promise<Plan> {
    const {request} = await act({verb: 'inspect', reference: this.id});
    return attempt(() => engine().plan(request));
  }

  /** Removes it at once, unless its lifetime is `detached` or it comes from `get` or `list`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#life.dispose();
  }

  #copy(direction: 'in' | 'out', host: string, container: string, options: Common): Promise<void> {
    const request = {
      reference: this.id,
      direction,
      host: resolve(checkText(host, 'the path on this machine')),
      container: checkText(container, 'the path in the container'),
    };
    return within(options, 'the copy was not made', () => attempt(() => engine().copy(request)));
  }
}
