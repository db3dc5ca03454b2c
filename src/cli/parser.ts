/**
 * Docker's grammar (pflag's, to the letter where people have it in their fingers) over an option table; the table of
 * cases is in `cli.md` and, one by one, in `__test__/cli-parser.spec.ts`.
 */
import type {CommandDefinition, OptionDefinition, OptionTable} from '../commands/definition';
import {OptionReader} from './option-reader';

export type ParsedValue = boolean | number | string | readonly string[] | undefined;

export interface Parsed {
  options: Record<string, ParsedValue>;
  positionals: string[];
  /** `--help` was there; nothing after it has been looked at. */
  help: boolean;
  /** Known options of a later issue that were used, as written. */
  later: string[];
}

/** What the parser needs of a definition; the global flags have no more than this. */
export type Grammar = Pick<CommandDefinition, 'path' | 'options' | 'later' | 'guestArguments'>;

export function parse(grammar: Grammar, words: readonly string[]): Parsed {
  const reader = new OptionReader(grammar, words);
  const positionals: string[] = [];
  for (let word = reader.next(); word !== undefined && !reader.help; word = reader.next()) {
    if (word === '--') {
      positionals.push(...reader.rest());
    } else if (word.startsWith('--')) {
      reader.readLong(word);
    } else if (word.length > 1 && word.startsWith('-')) {
      reader.readCluster(word);
    } else {
      positionals.push(word);
      if (grammar.guestArguments) positionals.push(...reader.rest());
    }
  }
  return {options: withDefaults(grammar.options, reader.values), positionals, help: reader.help, later: reader.later};
}

/** Lists and counts are there even when no option was given, as the types of `execute` promise. */
function withDefaults(table: OptionTable, values: Record<string, ParsedValue>): Record<string, ParsedValue> {
  for (const [name, option] of Object.entries(table)) values[name] ??= emptyValue(option);
  return values;
}

function emptyValue(option: OptionDefinition): ParsedValue {
  if (option.kind === 'list') return [];
  return option.kind === 'count' ? 0 : undefined;
}
