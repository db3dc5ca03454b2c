/** The verbs in the entry's bundle: each that is here makes the start of all others a little later. */
import type {CommandDefinition} from './definition';
import {execCommand} from './exec';
import {psCommand} from './ps';
import {runCommand} from './run';

export const hottestCommands: readonly CommandDefinition[] = [runCommand, execCommand, psCommand];
