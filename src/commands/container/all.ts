/** The verbs for containers that nobody waits for by the millisecond. */
import {attachCommand} from '../attach';
import {createCommand} from '../create';
import type {CommandDefinition} from '../definition';
import {generateSystemdCommand} from '../generate/systemd';
import {containerInspectCommand} from '../inspect';
import {pauseCommand, unpauseCommand} from '../pause';
import {renameCommand} from '../rename';
import {restartCommand} from '../restart';
import {systemPruneCommand} from '../system-prune';
import {updateCommand} from '../update';
import {waitCommand} from '../wait';
import {containerExistsCommand} from './exists';
import {healthcheckRunCommand} from './healthcheck';
import {containerPruneCommand} from './prune';

export const containerCommands: readonly CommandDefinition[] = [
  createCommand,
  restartCommand,
  attachCommand,
  waitCommand,
  pauseCommand,
  unpauseCommand,
  renameCommand,
  updateCommand,
  containerInspectCommand,
  containerExistsCommand,
  healthcheckRunCommand,
  containerPruneCommand,
  systemPruneCommand,
  generateSystemdCommand,
];
