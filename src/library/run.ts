import {engine} from '../engine';
import {ContainerProc} from './container-proc';
import {Execution} from './execution';
import {toRunRequest} from './request';
import {type Launch, readSettings, trySettings} from './settings';
import type {Proc, RootImage, RunOptions} from './types';

/**
 * Runs a command in a new container that is removed when it ends, and starts at once.
 *
 * The answer is a promise of the {@link Result}, and at the same time the process: iterate it for the lines of stdout,
 * or ask for its streams. Whatever is wrong, arguments too, rejects the promise; nothing is thrown here.
 *
 * - `ExitError` (`ERR_KEELBOX_EXIT`): another exit code than 0, or a signal; not with `reject: false`
 * - `AbortError` (`ABORT_ERR`): `signal` aborted, or the `await using` block was left
 * - `ERR_KEELBOX_TIMEOUT`: `timeout` milliseconds have passed
 * - `ERR_KEELBOX_MAX_BUFFER`: more output than `maxBuffer`, and no stream was asked for
 * - `ERR_KEELBOX_STDIO`: a stream given as stdin, stdout or stderr failed; `cause` has its error
 * - `ERR_KEELBOX_LOST`: the container's supervisor was killed; the container went with it
 * - `ERR_KEELBOX_INVALID_ARG`: an argument is wrong, or an option is not there yet
 * - other `ERR_KEELBOX_*`: the engine could not start the container
 *
 * When it rejects, the container is gone.
 *
 * @param image `host`, another image's name, or `{rootfs: DIRECTORY}`
 * @param argv the command and its arguments; empty: the image's own command
 */
export function run(image: RootImage, argv: readonly string[], options: RunOptions = {}): Proc {
  const site: {stack?: string} = {};
  Error.captureStackTrace(site, run);
  const settings = trySettings(() => readSettings(launchOf(image, argv, options), options));
  return new ContainerProc(new Execution(settings), settings.maxBuffer, site);
}

function launchOf(image: RootImage, argv: readonly string[], options: RunOptions): Launch {
  const request = {...toRunRequest(image, argv, options), rm: true};
  const {tty} = request;
  return {
    argv: request.command,
    start: (stdio, onEvent) => engine().start({...request, stdio, ...(tty && {interactive: stdio.stdin})}, onEvent),
  };
}
