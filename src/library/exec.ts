import {engine} from '../engine';
import type {ExecRequest} from '../native';
import {checkObject, checkText, rejectOthers} from './checks';
import {ContainerProc} from './container-proc';
import {invalid} from './errors';
import {Execution} from './execution';
import {COMMAND, checkWords, toPairs} from './request';
import {type Launch, readSettings, trySettings} from './settings';
import {toTerminal} from './terminal';
import type {ExecOptions, Proc} from './types';

/** Runs a command in the container `reference`. */
export function execIn(reference: string, argv: readonly string[], options: ExecOptions, site: {stack?: string}): Proc {
  const settings = trySettings(() => readSettings(launchOf(reference, argv, options), options));
  return new ContainerProc(new Execution(settings), settings.maxBuffer, site);
}

function launchOf(reference: string, argv: readonly string[], options: ExecOptions): Launch {
  const {env, cwd, user, tty} = checkObject(options, 'options') as ExecOptions;
  rejectOthers(options, [...COMMAND, 'env', 'cwd', 'user'], 'exec');
  const command = checkWords(argv, 'argv', 'Write box.exec(["ls", "-l"]).');
  if (command.length === 0) throw invalid('argv is empty', 'Write box.exec(["ls", "-l"]).');
  const request: ExecRequest = {
    reference,
    command,
    // The command goes with this process, as everything that is started here.
    tied: true,
    ...toTerminal(tty),
    ...(env !== undefined && {env: toPairs(env, 'env')}),
    ...(cwd !== undefined && {cwd: checkText(cwd, 'cwd')}),
    ...(user !== undefined && {user: checkText(user, 'user')}),
  };
  return {argv: command, start: (stdio, onEvent) => engine().execStart({...request, stdio}, onEvent)};
}
