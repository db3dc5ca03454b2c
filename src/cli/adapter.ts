/**
 * The only importer of clipanion. It routes: nested paths, aliases, groups. Every command takes its words unread
 * (`Option.Proxy`), because clipanion's own parsing of options is not docker's (`cli.md` lists the differences), and its
 * start-up cost grows with each option it knows.
 */
import {Cli, Command, type CommandClass, Option} from 'clipanion';
import type {CommandDefinition} from '../commands/definition';

export interface Routed {
  definition: CommandDefinition;
  words: readonly string[];
}

abstract class ProxyCommand extends Command {
  words = Option.Proxy();
  abstract readonly definition: CommandDefinition;

  /** Never called: the words go to `invoke`, which the fast door uses too. */
  override execute(): Promise<number> {
    return Promise.resolve(125);
  }
}

/** Which verb the words name, and what is left of them. Undefined: none. */
export function route(definitions: readonly CommandDefinition[], words: readonly string[]): Routed | undefined {
  const cli = new Cli({binaryName: 'keelbox'});
  for (const definition of definitions) {
    if (mayBeMeant(definition, words)) cli.register(commandClass(definition));
  }
  try {
    const command = cli.process([...words], {}) as ProxyCommand;
    return {definition: command.definition, words: command.words};
  } catch (error) {
    if (error instanceof Error && error.name === 'UnknownSyntaxError') return undefined;
    throw error;
  }
}

/** clipanion builds a state machine of each registered command on every run: 1 ms each. */
function mayBeMeant({path, aliases = []}: CommandDefinition, words: readonly string[]): boolean {
  return [path, ...aliases].some(candidate => candidate[0] === words[0]);
}

function commandClass(definition: CommandDefinition): CommandClass {
  return class extends ProxyCommand {
    static override paths = [definition.path, ...(definition.aliases ?? [])].map(path => [...path]);
    readonly definition = definition;
  };
}
