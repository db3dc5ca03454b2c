/** The verbs that people wait for; they are in the entry's bundle. */
import type {CommandDefinition} from './definition';
import {execCommand} from './exec';
import {inspectCommand} from './image/inspect';
import {imagesCommand} from './images';
import {logsCommand} from './logs';
import {psCommand} from './ps';
import {rmCommand} from './rm';
import {runCommand} from './run';
import {versionCommand} from './version';

export const hotCommands: readonly CommandDefinition[] = [
  runCommand,
  execCommand,
  psCommand,
  imagesCommand,
  inspectCommand,
  logsCommand,
  rmCommand,
  versionCommand,
];
