/** The verbs for images that nobody waits for by the millisecond. */
import type {CommandDefinition} from '../definition';
import {loadCommand} from './load';

export const imageCommands: readonly CommandDefinition[] = [loadCommand];
