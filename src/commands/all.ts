import {completionCommand} from './completion';
import {containerCommands} from './container/all';
import type {CommandDefinition} from './definition';
import {eventsCommand} from './events';
import {explainCommand} from './explain';
import {exportCommand} from './export';
import {groupCommands} from './groups';
import {helpCommand} from './help';
import {hotCommands} from './hot';
import {imageCommands} from './image/all';
import {infoCommand} from './info';
import {laterCommands} from './later';
import {volumeCommands} from './volume/all';

export const allCommands: readonly CommandDefinition[] = [
  ...hotCommands,
  ...containerCommands,
  ...imageCommands,
  ...volumeCommands,
  eventsCommand,
  exportCommand,
  infoCommand,
  explainCommand,
  completionCommand,
  helpCommand,
  ...groupCommands,
  ...laterCommands,
];
