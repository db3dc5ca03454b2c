/** Whose a container is, and how it ends. */
import {closeSync} from 'node:fs';
import {engine} from '../engine';
import type {RunRequest, Started} from '../native';
import {act, attempt, isMissing} from './attempt';
import {deferred} from './deferred';

const SIGKILL = 9;

/** A timer that never fires: while it is there, Node does not end for want of work. */
const FOREVER = 2 ** 31 - 1;

export interface Life {
  readonly id: string;
  readonly name: string;
  /** Ends and removes it. `force`: at once. One that is gone is no error. */
  remove(force: boolean): Promise<void>;
  /** After a `stop`: waits for what the engine does at its end. */
  stopped(): Promise<void>;
  /** What `Symbol.asyncDispose` does. */
  dispose(): Promise<void>;
}

/** A container that goes with this process: the addon holds the socket that it lives by. */
export class OwnedLife implements Life {
  readonly #started: Started;
  readonly #ended: Promise<void>;
  #isOver = false;

  private constructor(started: Started, ended: Promise<void>) {
    this.#started = started;
    this.#ended = ended.then(() => {
      this.#isOver = true;
    });
  }

  static async start(request: RunRequest): Promise<OwnedLife> {
    const ended = deferred<void>();
    const life = {stays: true, logDriver: 'json-file', attach: []};
    const owned: RunRequest = {...request, rm: true, life, stdio: {type: 'pipe', stdin: false}};
    const started = await attempt(() => engine().start(owned, () => ended.resolve()));
    // What it prints goes to its log, not to us.
    for (const fd of started.stdio) if (fd >= 0) closeSync(fd);
    return new OwnedLife(started, ended.promise);
  }

  get id(): string {
    return this.#started.id;
  }

  get name(): string {
    return this.#started.name;
  }

  async remove(force: boolean): Promise<void> {
    if (this.#isOver) return;
    if (force) await attempt(() => engine().signal(this.#started.handle, SIGKILL));
    else await unlessMissing(act({verb: 'stop', reference: this.id}));
    await this.stopped();
  }

  async stopped(): Promise<void> {
    const timer = setInterval(() => {}, FOREVER);
    try {
      await this.#ended;
    } finally {
      clearInterval(timer);
    }
  }

  dispose(): Promise<void> {
    return this.remove(true);
  }
}

/** A container that lives by itself. */
export class NamedLife implements Life {
  constructor(
    readonly id: string,
    readonly name: string,
    private readonly endsWithScope: boolean,
  ) {}

  static async start(request: RunRequest, endsWithScope: boolean): Promise<NamedLife> {
    const life = {detach: true, stays: true};
    const {id, name} = await act({verb: 'run', request: {...request, life}});
    return new NamedLife(id, name, endsWithScope);
  }

  async remove(force: boolean): Promise<void> {
    if (!force) await unlessMissing(act({verb: 'stop', reference: this.id}));
    await unlessMissing(attempt(() => engine().remove(this.id, {force})));
  }

  async stopped(): Promise<void> {}

  async dispose(): Promise<void> {
    if (this.endsWithScope) await this.remove(true);
  }
}

async function unlessMissing(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
