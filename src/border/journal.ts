/** What has happened: logs of containers, and events. Mirrors `crates/engine/src/logs.rs` and `journal.rs`. */

/** Which part of a log. Times are nanoseconds since the epoch as digits: a number does not hold them. */
export interface LogOptions {
  /** Go on with what comes, until the container does not run any more. */
  follow?: boolean;
  /** Only so many of the last lines. */
  tail?: number;
  /** Only what came then or later. */
  since?: string;
  /** Only what came then or before; following ends when that time has passed. */
  until?: string;
}

/** What `logs` was told. */
export interface LogsRequest {
  /** Names, ids, or beginnings of ids. */
  references: readonly string[];
  options: LogOptions;
  /** The time before each line. */
  timestamps?: boolean;
  /** The names before the lines; of several containers it is their short ids otherwise. */
  names?: boolean;
  /** A colour for each container. */
  color?: boolean;
}

/** A line that a container has printed, or a piece of one: those of more than 16 KiB come in pieces. */
export interface LogLine {
  stream: 'stdout' | 'stderr';
  /** When it came: RFC 3339 with nanoseconds, always in UTC and of the same length. */
  time: string;
  /** The bytes, without the newline. */
  text: Uint8Array;
  /** The line goes on in the next entry of this stream. */
  partial: boolean;
}

/** Which events. Times as in `LogOptions`. */
export interface EventsOptions {
  /** What was recorded then or later; without it what comes from now on. */
  since?: string;
  /** What was recorded then or before; following ends when that time has passed. */
  until?: string;
  /** Go on with what comes. Without an `until` it never ends by itself. */
  follow?: boolean;
}

/** One event, as the journal has it: what `eventsNext` answers, once it is parsed. */
export interface JournalEvent {
  /** RFC 3339 with nanoseconds, always in UTC and of the same length. */
  time: string;
  /** `container`, `image`, `volume`. */
  type: string;
  /** Docker's words: `create`, `start`, `die`, `health_status: healthy`. */
  action: string;
  /** Of a volume it is the name. */
  id: string;
  /** `name`, `image`, `exitCode`, a container's labels. */
  attributes: Record<string, string>;
}

export interface JournalNative {
  /** Replaces this process by one that shows logs. Never returns on success. */
  showLogs(request: LogsRequest): never;
  /**
   * Opens the log of a container; answers a handle. `ERR_KEELBOX_NOT_FOUND`: there is no such container;
   * `ERR_KEELBOX_STATE`: it was made without a log that can be read here.
   */
  logsOpen(reference: string, options: LogOptions): number;
  /**
   * The next entries, as soon as there are some; null after the last one, and when it was closed meanwhile. The wait is on
   * a thread of its own and keeps Node's event loop alive. One call at a time.
   */
  logsNext(handle: number): Promise<LogLine[] | null>;
  /** To be called for every handle, also after the last entry. */
  logsClose(handle: number): void;
  /** Opens the journal of events; answers a handle. */
  eventsOpen(options: EventsOptions): number;
  /** The next events as JSON, each a `JournalEvent`; otherwise as `logsNext`. */
  eventsNext(handle: number): Promise<string[] | null>;
  /** To be called for every handle. */
  eventsClose(handle: number): void;
}
