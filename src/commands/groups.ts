/** `keelbox container`, `keelbox image`, ...: the longer names that docker has for everything. */
import {groupHelp, showText} from '../cli/help';
import {unknownVerb} from '../cli/usage-errors';
import type {CommandContext, CommandDefinition} from './definition';

const groups: Readonly<Record<string, string>> = {
  container: 'Commands for containers',
  image: 'Commands for images',
  network: 'Commands for networks',
  volume: 'Commands for volumes',
  system: 'Commands for the machine and the state of keelbox',
  secret: 'Commands for secrets',
  kube: 'Commands for Kubernetes files',
  play: 'Commands for Kubernetes files',
  generate: 'Commands that write files for other systems',
  healthcheck: 'Commands for health checks',
  builder: 'Commands for building images',
  buildx: 'Commands for building images',
};

export const groupCommands: readonly CommandDefinition[] = Object.entries(groups).map(([name, summary]) => ({
  path: [name],
  summary,
  positionals: {usage: 'COMMAND', min: 0, max: Number.POSITIVE_INFINITY},
  guestArguments: true,
  isGroup: true,
  options: {},
  execute: (_options: unknown, context: CommandContext) => answerGroup(name, context),
}));

/** Only reached when the word after the group is none of its commands. */
function answerGroup(name: string, {positionals, commands}: CommandContext): number {
  const [verb] = positionals;
  if (verb !== undefined) throw unknownVerb([name], verb, namesIn(name, commands));
  return showText(groupHelp(name, commands));
}

function namesIn(group: string, commands: readonly CommandDefinition[]): string[] {
  return commands
    .flatMap(({path, aliases = []}) => [path, ...aliases])
    .flatMap(([first, second]) => (first === group && second !== undefined ? [second] : []));
}
