/**
 * What a verb is: one plain value that the parser, the help pages, completion and the tests read. Nothing here knows
 * a command-line framework (`cli.md`).
 */
import type {StrictValidator} from 'typanion';

export type OptionKind =
  /** `--rm`, `--rm=false`: Go's booleans. */
  | 'boolean'
  /** Each occurrence adds one. */
  | 'count'
  /** `--name web`, `--name=web`: takes the next word whatever it is. The last one wins. */
  | 'value'
  /** A value that may be given many times. */
  | 'list'
  /** `--dry-run`, `--dry-run=json`: takes a value only after `=`. */
  | 'optional';

export type OptionCheck = StrictValidator<unknown, string>;

export interface OptionDefinition {
  kind: OptionKind;
  short?: string;
  /** Other long names, without the dashes. */
  aliases?: readonly string[];
  /** What the help page calls the value. */
  value?: string;
  /** What an `optional` one means without a value. */
  implied?: string;
  /** The heading of the help page it stands under. */
  group: string;
  help: string;
  check?: OptionCheck;
}

/** Long name, without the dashes, to option. */
export type OptionTable = Readonly<Record<string, OptionDefinition>>;

type OptionValue<T extends OptionDefinition> = T['kind'] extends 'boolean'
  ? boolean | undefined
  : T['kind'] extends 'count'
    ? number
    : T['kind'] extends 'list'
      ? readonly string[]
      : string | undefined;

export type OptionValues<T extends OptionTable> = {readonly [K in keyof T]: OptionValue<T[K]>};

export interface Example {
  command: string;
  text: string;
}

export interface Positionals {
  /** As the usage line shows them, e.g. `IMAGE [COMMAND] [ARG...]`. */
  usage: string;
  min: number;
  max: number;
}

export interface CommandContext {
  /** The words that are not options, in order. */
  positionals: readonly string[];
  environment: Readonly<Record<string, string | undefined>>;
  /** Every verb that the door in use knows. */
  commands: readonly CommandDefinition[];
  /** Prints an error at once, for a verb that goes on after it; answers the exit code that the error asks for. */
  report(error: unknown): number;
}

export interface CommandDefinition<T extends OptionTable = OptionTable> {
  path: readonly string[];
  aliases?: readonly (readonly string[])[];
  summary: string;
  description?: string;
  examples?: readonly Example[];
  positionals: Positionals;
  /** Everything after the first bare word belongs to the guest, dashes or not. */
  guestArguments?: boolean;
  options: T;
  /** Docker's and podman's flags that are known but answer "not yet". */
  later?: LaterOptions;
  /** The verb itself answers "not yet". */
  isLater?: boolean;
  /** Has no verb of its own: `container`, `image`, ... */
  isGroup?: boolean;
  execute(options: OptionValues<T>, context: CommandContext): number | Promise<number>;
}

/** Keeps the option table's literal types for `execute`, and forgets them for everybody else. */
export function defineCommand<const T extends OptionTable>(definition: CommandDefinition<T>): CommandDefinition {
  return definition;
}

/**
 * The options of a later issue, by kind, as words: `publish/p` is `--publish` with the short form `-p`. They must parse
 * like the real ones (a value is skipped, a cluster understood), so that the first line of the answer is the right one.
 */
export type LaterOptions = Readonly<Partial<Record<OptionKind, string>>>;

/** Made only when a flag is not among the working ones: `run` has 150 of these, and every start would pay for them. */
export function laterTable(later: LaterOptions = {}): OptionTable {
  const table: Record<string, OptionDefinition> = {};
  for (const [kind, names] of Object.entries(later)) {
    for (const word of names.trim().split(/\s+/)) {
      const [long = word, short] = word.split('/');
      table[long] = {kind: kind as OptionKind, group: 'later', help: '', ...(short !== undefined && {short})};
    }
  }
  return table;
}

/** `keelbox container ls`, as messages and help pages name a verb. */
export function commandName(definition: CommandDefinition): string {
  return ['keelbox', ...definition.path].join(' ');
}
