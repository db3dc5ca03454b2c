/** The bundle that is loaded when something has to be said: errors and the help page of one verb. */
export {showCommandHelp} from './help';
export {report} from './report';
