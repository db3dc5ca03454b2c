/** The verbs that people wait for: no framework is loaded for them. */
import type {CommandDefinition} from './definition';
import {hottestCommands} from './hottest';
import {imagesCommand} from './images';
import {inspectCommand} from './inspect';
import {killCommand} from './kill';
import {logsCommand} from './logs';
import {rmCommand} from './rm';
import {startCommand} from './start';
import {stopCommand} from './stop';
import {versionCommand} from './version';

export const hotCommands: readonly CommandDefinition[] = [
  ...hottestCommands,
  imagesCommand,
  inspectCommand,
  logsCommand,
  rmCommand,
  startCommand,
  stopCommand,
  killCommand,
  versionCommand,
];
