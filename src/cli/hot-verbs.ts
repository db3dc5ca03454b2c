/** The bundle of the verbs that people wait for, but for the few in the entry. */
export {hotCommands} from '../commands/hot';
