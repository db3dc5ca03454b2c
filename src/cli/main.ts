/**
 * The entry, and the fast door: the verbs that people wait for go from here to `execute` without a framework. A few
 * are in this bundle; the others, all other verbs, help pages and error reports are in bundles of their own, loaded
 * when needed.
 */
import type {CommandDefinition} from '../commands/definition';
import {hottestCommands} from '../commands/hottest';
import {packageVersion} from '../commands/package-version';
import {writeOut} from '../output/write';
import {readGlobalOptions} from './global-options';
import {type Door, invoke} from './invoke';

const loadReports = (): typeof import('./reports') => require('./cli-reports.cjs');
const loadHotVerbs = (): typeof import('./hot-verbs') => require('./cli-verbs.cjs');
const loadFullDoor = (): typeof import('./full-door') => require('./cli-full.cjs');

const fastDoor: Door = {
  commands: hottestCommands,
  report: error => loadReports().report(error),
  showHelp: definition => loadReports().showCommandHelp(definition),
};

function main(argv: readonly string[]): number | Promise<number> {
  const {words, help, version} = readGlobalOptions(argv);
  if (version) {
    writeOut(`keelbox version ${packageVersion}\n`);
    return 0;
  }
  const [verb, ...rest] = words;
  if (help || verb === undefined) return loadFullDoor().enter(['help']);
  const hot = findHot(verb);
  return hot === undefined ? loadFullDoor().enter(words) : invoke(hot, rest, fastDoor);
}

function findHot(verb: string): CommandDefinition | undefined {
  // Lets the tests send the same line through the other door.
  if (process.env.KEELBOX_DOOR === 'full') return undefined;
  const isMeant = ({path}: CommandDefinition) => path.length === 1 && path[0] === verb;
  return hottestCommands.find(isMeant) ?? loadHotVerbs().hotCommands.find(isMeant);
}

async function finish(code: Promise<number>): Promise<void> {
  try {
    process.exitCode = await code;
  } catch (error) {
    process.exitCode = fastDoor.report(error);
  }
}

// An event loop that dries up before the verb has answered must not look like success.
process.exitCode = 125;
try {
  const code = main(process.argv.slice(2));
  if (typeof code === 'number') process.exitCode = code;
  else void finish(code);
} catch (error) {
  process.exitCode = fastDoor.report(error);
}
