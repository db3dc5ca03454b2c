/** One verb from its words to its exit code: the part that both doors share. */
import {type CommandDefinition, commandName, type OptionValues} from '../commands/definition';
import {KeelboxError, notYet} from '../errors/keelbox-error';
import {type Parsed, parse} from './parser';

/** What a door lends to the verb. */
export interface Door {
  commands: readonly CommandDefinition[];
  report(error: unknown): number;
  showHelp(definition: CommandDefinition): number;
}

export function invoke(definition: CommandDefinition, words: readonly string[], door: Door): number | Promise<number> {
  if (definition.isLater) return answerLater(definition, words, door);
  const parsed = parse(definition, words);
  if (parsed.help) return door.showHelp(definition);
  const [later] = parsed.later;
  if (later !== undefined) throw notYet(`${commandName(definition)} ${later}`);
  checkCount(definition, parsed);
  return definition.execute(parsed.options as OptionValues<CommandDefinition['options']>, {
    positionals: parsed.positionals,
    environment: process.env,
    commands: door.commands,
    report: door.report,
  });
}

/** Its flags are not written down yet, so only a plain `--help` can be told from the rest. */
function answerLater(definition: CommandDefinition, words: readonly string[], door: Door): number {
  if (words[0] === '--help') return door.showHelp(definition);
  throw notYet(commandName(definition));
}

function checkCount(definition: CommandDefinition, {positionals}: Parsed): void {
  const {usage, min, max} = definition.positionals;
  if (positionals.length >= min && positionals.length <= max) return;
  const name = commandName(definition);
  const problem =
    positionals.length < min
      ? `${name} needs ${min === 1 ? 'an argument' : `${min} arguments`}: ${usage}`
      : `${name} takes ${max === 0 ? 'no arguments' : `at most ${max}`}, and "${positionals[max]}" is one too many`;
  throw new KeelboxError('ERR_KEELBOX_USAGE', problem, {
    hint: `usage: ${[name, '[OPTIONS]', usage].filter(Boolean).join(' ')}`,
  });
}
