import {commitCommand} from './commit';
import {completionCommand} from './completion';
import {cpCommand} from './cp';
import type {CommandDefinition} from './definition';
import {diffCommand} from './diff';
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
  ...imageCommands,
  ...volumeCommands,
  commitCommand,
  cpCommand,
  diffCommand,
  exportCommand,
  topCommand,
  infoCommand,
  explainCommand,
  completionCommand,
  helpCommand,
  ...groupCommands,
  ...laterCommands,
];
