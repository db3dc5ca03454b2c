import {commandHelp, groupHelp, overview, showText} from '../cli/help';
import {unknownVerb} from '../cli/usage-errors';
import {type CommandDefinition, defineCommand} from './definition';

export const helpCommand = defineCommand({
  path: ['help'],
  summary: 'Show the help page of a command',
  positionals: {usage: '[COMMAND...]', min: 0, max: Number.POSITIVE_INFINITY},
  options: {},
  execute(_options, {positionals, commands}) {
    return showText(pageFor(positionals, commands));
  },
});

function pageFor(words: readonly string[], commands: readonly CommandDefinition[]): string {
  if (words.length === 0) return overview(commands);
  const definition = find(words.slice(0, 2), commands) ?? find(words.slice(0, 1), commands);
  if (definition === undefined || (definition.isGroup && words.length > 1)) {
    throw unknownVerb(
      words.slice(0, -1),
      words.at(-1) ?? '',
      commands.map(({path}) => path.at(-1) ?? ''),
    );
  }
  return definition.isGroup ? groupHelp(definition.path[0] ?? '', commands) : commandHelp(definition);
}

function find(words: readonly string[], commands: readonly CommandDefinition[]): CommandDefinition | undefined {
  const wanted = words.join(' ');
  return commands.find(({path, aliases = []}) => [path, ...aliases].some(name => name.join(' ') === wanted));
}
