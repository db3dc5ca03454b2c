import {engine} from '../engine';
import type {ExecRequest, TerminalSize} from '../native';
import {checkObject, checkText, rejectOthers} from './checks';
import {ContainerProc} from './container-proc';
import {invalid} from './errors';
import {Execution} from './execution';
import {COMMAND, checkWords, toPairs} from './request';
import {type Launch, readSettings, trySettings} from './settings';
import type {ExecOptions, Proc} from './types';

const defaultSize: TerminalSize = {columns: 80, rows: 24};

/** Runs a command in the container `reference`. */
export function execIn(reference: string, argv: readonly string[], options: ExecOptions, site: {stack?: string}): Proc {
  const settings = trySettings(() => readSettings(launchOf(reference, argv, options), options));
  return new ContainerProc(new Execution(settings), settings.maxBuffer, site);
}

function launchOf(reference: string, argv: readonly string[], options: ExecOptions): Launch {
  rejectOthers(checkObject(options, 'options'), [...COMMAND, 'env', 'cwd', 'user', 'tty'], 'exec');
  const command = checkWords(argv, 'argv', 'Write box.exec(["ls", "-l"]).');
  if (command.length === 0) throw invalid('argv is empty', 'Write box.exec(["ls", "-l"]).');
  const {env, cwd, user, tty = false} = options;
  const request: ExecRequest = {
    reference,
    command,
    // The command goes with this process, as everything that is started here.
    tied: true,
    ...(env !== undefined && {env: toPairs(env, 'env')}),
    ...(cwd !== undefined && {cwd: checkText(cwd, 'cwd')}),
    ...(user !== undefined && {user: checkText(user, 'user')}),
    ...(tty !== false && {tty: true, interactive: true, terminalSize: tty === true ? defaultSize : checkSize(tty)}),
  };
  return {argv: command, start: (stdio, onEvent) => engine().execStart({...request, stdio}, onEvent)};
}

function checkSize({columns, rows}: TerminalSize): TerminalSize {
  const isSize = (number: unknown) => Number.isInteger(number) && Number(number) > 0 && Number(number) < 65_536;
  if (!isSize(columns) || !isSize(rows))
    throw invalid('tty must be true or {columns, rows}, both whole numbers above 0');
  return {columns, rows};
}
