import type {CommandDefinition} from '../definition';
import {volumeCreateCommand} from './create';
import {volumeExistsCommand} from './exists';
import {volumeExportCommand} from './export';
import {volumeImportCommand} from './import';
import {volumeInspectCommand} from './inspect';
import {volumeLsCommand} from './ls';
import {volumePruneCommand} from './prune';
import {volumeRmCommand} from './rm';

export const volumeCommands: readonly CommandDefinition[] = [
  volumeCreateCommand,
  volumeLsCommand,
  volumeInspectCommand,
  volumeRmCommand,
  volumePruneCommand,
  volumeExistsCommand,
  volumeExportCommand,
  volumeImportCommand,
];
