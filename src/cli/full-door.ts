/** The other door: every verb, routed by clipanion. */
import {allCommands} from '../commands/all';
import type {CommandDefinition} from '../commands/definition';
import {route} from './adapter';
import {commandHelp, groupHelp, showText} from './help';
import {type Door, invoke} from './invoke';
import {report} from './report';
import {unknownVerb} from './usage-errors';

export function enter(words: readonly string[]): number | Promise<number> {
  const door: Door = {commands: allCommands, report, showHelp};
  const routed = route(allCommands, words);
  if (routed === undefined) throw unknownVerb([], words[0] ?? '', topVerbs());
  return invoke(routed.definition, routed.words, door);
}

function topVerbs(): string[] {
  return allCommands.flatMap(({path, aliases = []}) =>
    [path, ...aliases].flatMap(words => (words.length === 1 ? [...words] : [])),
  );
}

function showHelp(definition: CommandDefinition): number {
  const [group = ''] = definition.path;
  return showText(definition.isGroup ? groupHelp(group, allCommands) : commandHelp(definition));
}
