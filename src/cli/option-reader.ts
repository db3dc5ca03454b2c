import {as} from 'typanion';
import {laterTable, type OptionDefinition, type OptionTable} from '../commands/definition';
import {invalidArgument} from '../errors/keelbox-error';
import type {Grammar, ParsedValue} from './parser';
import {ambiguousDash, missingValue, unknownFlag} from './usage-errors';

interface NamedOption {
  name: string;
  option: OptionDefinition;
  isLater: boolean;
}

/** Reads one option at a time off the words, and keeps what has been read. */
export class OptionReader {
  readonly values: Record<string, ParsedValue> = {};
  readonly later: string[] = [];
  help = false;
  private position = 0;

  constructor(
    private readonly grammar: Grammar,
    private readonly words: readonly string[],
  ) {}

  next(): string | undefined {
    return this.words[this.position++];
  }

  rest(): readonly string[] {
    const left = this.words.slice(this.position);
    this.position = this.words.length;
    return left;
  }

  /** `--name`, `--name value`, `--name=value`. */
  readLong(word: string): void {
    const equals = word.indexOf('=');
    const flag = equals < 0 ? word : word.slice(0, equals);
    if (flag === '--') throw ambiguousDash(this.grammar, word);
    const found = this.findLong(flag.slice(2));
    if (found === undefined) {
      if (flag !== '--help') throw unknownFlag(this.grammar, flag);
      this.help = true;
      return;
    }
    const attached = equals < 0 ? undefined : word.slice(equals + 1);
    this.store(found, flag, attached ?? this.valueFor(found.option, flag));
  }

  /** `-it`, `-dp 80:80`, `-eX=1`, `-e=X=1`, `-it=false`: the first letter that takes a value takes the rest. */
  readCluster(word: string): void {
    for (let at = 1; at < word.length && !this.help; at++) {
      const letter = word.charAt(at);
      const flag = `-${letter}`;
      const found = this.findShort(letter);
      if (found === undefined) {
        if (letter !== 'h') throw unknownFlag(this.grammar, flag, word);
        this.help = true;
        return;
      }
      const rest = word.slice(at + 1);
      const attached = rest.startsWith('=') ? rest.slice(1) : rest;
      if (rest.startsWith('=') || (rest !== '' && takesValue(found.option))) {
        this.store(found, flag, attached);
        return;
      }
      this.store(found, flag, this.valueFor(found.option, flag));
    }
  }

  private valueFor(option: OptionDefinition, flag: string): string {
    if (!takesValue(option)) return option.implied ?? 'true';
    const value = this.next();
    if (value === undefined) throw missingValue(this.grammar, flag, option);
    return value;
  }

  private store({name, option, isLater}: NamedOption, flag: string, value: string): void {
    if (isLater) {
      this.later.push(flag);
      return;
    }
    const before = this.values[name];
    switch (option.kind) {
      case 'boolean':
        this.values[name] = goBoolean(flag, value);
        break;
      case 'count':
        this.values[name] = ((before as number | undefined) ?? 0) + (goBoolean(flag, value) ? 1 : 0);
        break;
      case 'list':
        this.values[name] = [...((before as readonly string[] | undefined) ?? []), checked(option, flag, value)];
        break;
      default:
        this.values[name] = checked(option, flag, value);
    }
  }

  private findLong(name: string): NamedOption | undefined {
    return this.find(table =>
      Object.hasOwn(table, name) ? name : nameWhere(table, option => option.aliases?.includes(name) === true),
    );
  }

  private findShort(letter: string): NamedOption | undefined {
    return this.find(table => nameWhere(table, option => option.short === letter));
  }

  private find(nameIn: (table: OptionTable) => string | undefined): NamedOption | undefined {
    return lookUp(this.grammar.options, nameIn, false) ?? lookUp(laterTable(this.grammar.later), nameIn, true);
  }
}

function lookUp(
  table: OptionTable,
  nameIn: (table: OptionTable) => string | undefined,
  isLater: boolean,
): NamedOption | undefined {
  const name = nameIn(table);
  const option = name === undefined ? undefined : table[name];
  return name === undefined || option === undefined ? undefined : {name, option, isLater};
}

function nameWhere(table: OptionTable, matches: (option: OptionDefinition) => boolean): string | undefined {
  for (const name in table) {
    const option = table[name];
    if (option !== undefined && matches(option)) return name;
  }
  return undefined;
}

function takesValue(option: OptionDefinition): boolean {
  return option.kind === 'value' || option.kind === 'list';
}

/** What Go's `strconv.ParseBool` accepts, and nothing else. */
function goBoolean(flag: string, value: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw invalidArgument(`invalid value "${value}" for ${flag}`, {why: 'expected true or false'});
}

function checked(option: OptionDefinition, flag: string, value: string): string {
  if (option.check === undefined) return value;
  const result = as(value, option.check, {errors: true});
  if (result.errors === undefined) return result.value;
  throw invalidArgument(`invalid value "${value}" for ${flag}`, {why: result.errors.join('; ')});
}
