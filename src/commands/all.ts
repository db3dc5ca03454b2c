import {commitCommand} from './commit';
import {completionCommand} from './completion';
import {containerCommands} from './container/all';
import {cpCommand} from './cp';
import type {CommandDefinition} from './definition';
import {diffCommand} from './diff';
import {eventsCommand} from './events';
import {explainCommand} from './explain';
import {exportCommand} from './export';
import {groupCommands} from './groups';
import {helpCommand} from './help';
import {hotCommands} from './hot';
import {imageCommands} from './image/all';
import {infoCommand} from './info';
import {laterCommands} from './later';
import {topCommand} from './top';
import {volumeCommands} from './volume/all';

export const allCommands: readonly CommandDefinition[] = [
  ...hotCommands,
  ...containerCommands,
  ...imageCommands,
  ...volumeCommands,
  commitCommand,
  cpCommand,
  diffCommand,
  eventsCommand,
  exportCommand,
  topCommand,
  infoCommand,
  explainCommand,
  completionCommand,
  helpCommand,
  ...groupCommands,
  ...laterCommands,
];
