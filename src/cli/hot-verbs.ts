/** The bundle of the verbs that people wait for, but for the two in the entry. */
export {hotCommands} from '../commands/hot';
