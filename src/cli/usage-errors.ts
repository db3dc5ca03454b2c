/** Every way to use the command line wrongly, said with the nearest right way. */
import {laterTable, type OptionDefinition} from '../commands/definition';
import {KeelboxError} from '../errors/keelbox-error';
import {nearest} from './nearest';
import type {Grammar} from './parser';

function usageError(message: string, hint: string, why?: string): KeelboxError {
  return new KeelboxError('ERR_KEELBOX_USAGE', message, {hint, ...(why !== undefined && {why})});
}

function nameOf(grammar: Grammar): string {
  return ['keelbox', ...grammar.path].join(' ');
}

export function unknownFlag(grammar: Grammar, flag: string, cluster = flag): KeelboxError {
  const where = cluster === flag ? flag : `${flag} in ${cluster}`;
  const seeHelp = `${nameOf(grammar)} --help lists the flags`;
  const near = nearest(flag, longFlags(grammar));
  const hint = near === undefined ? seeHelp : `did you mean ${near}?   ${seeHelp}`;
  return usageError(`unknown flag ${where} for ${nameOf(grammar)}`, hint);
}

function longFlags(grammar: Grammar): string[] {
  const tables = [grammar.options, laterTable(grammar.later)];
  return tables.flatMap(table =>
    Object.entries(table).flatMap(([name, option]) => [name, ...(option.aliases ?? [])].map(long => `--${long}`)),
  );
}

export function ambiguousDash(grammar: Grammar, word: string): KeelboxError {
  return usageError(`bad flag "${word}" for ${nameOf(grammar)}`, 'write --NAME=VALUE, or -- alone to end the flags');
}

export function missingValue(grammar: Grammar, flag: string, option: OptionDefinition): KeelboxError {
  const value = option.value ?? 'VALUE';
  // Docker's `run -h` is the host name, and many a beginner means help.
  const help = flag === '-h' ? `; the help page is ${nameOf(grammar)} --help` : '';
  return usageError(`${nameOf(grammar)} ${flag} needs a value`, `write ${flag} ${value}${help}`);
}

/** `keelbox rum`, `keelbox container lss`: `parent` is the group, empty at the top. */
export function unknownVerb(parent: readonly string[], verb: string, known: readonly string[]): KeelboxError {
  const prefix = ['keelbox', ...parent].join(' ');
  const near = nearest(verb, known);
  const seeHelp = `${prefix} --help lists the commands`;
  const hint = near === undefined ? seeHelp : `did you mean ${prefix} ${near}?   ${seeHelp}`;
  return usageError(`unknown command "${verb}" for ${prefix}`, hint);
}
