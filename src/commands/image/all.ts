/** The verbs for images that nobody waits for by the millisecond. */
import type {CommandDefinition} from '../definition';
import {imageDiffCommand} from '../diff';
import {imageExistsCommand} from './exists';
import {historyCommand} from './history';
import {importCommand} from './import';
import {imageInspectCommand} from './inspect';
import {loadCommand} from './load';
import {imagePruneCommand} from './prune';
import {rmiCommand} from './rmi';
import {saveCommand} from './save';
import {systemCheckCommand} from './system-check';
import {tagCommand, untagCommand} from './tag';

export const imageCommands: readonly CommandDefinition[] = [
  loadCommand,
  saveCommand,
  importCommand,
  rmiCommand,
  tagCommand,
  untagCommand,
  historyCommand,
  imageDiffCommand,
  imagePruneCommand,
  imageExistsCommand,
  imageInspectCommand,
  systemCheckCommand,
];
