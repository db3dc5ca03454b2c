import {resolve} from 'node:path';
import {KeelboxError} from '../../errors/keelbox-error';
import type {RootRequest, RunRequest} from '../../native';
import type {CommandContext, OptionValues} from '../definition';
import {splitCapabilities} from '../process-options';
import {readConfinement} from './confinement';
import {collectEnvironment} from './environment';
import {readLife} from './life';
import {collectMounts} from './mounts';
import {readNamespaces} from './namespaces';
import type {createOptions} from './options';
import {readStorage} from './storage';
import {readTerminal} from './terminal';

/** What `run` and `create` share. */
export type RunOptions = OptionValues<typeof createOptions>;

/** What the flags and words of one `run` or `create` ask of the engine. A key is absent where nothing was said. */
export function buildRequest(options: RunOptions, context: CommandContext, isForeground: boolean): RunRequest {
  const {root, command} = readRoot(options, context.positionals);
  return {
    root,
    command: withoutSeparator(options, root, command),
    ...present('name', options.name),
    ...present('hostname', options.hostname),
    ...present('cwd', options.workdir),
    ...present('user', options.user),
    ...present('cidfile', options.cidfile),
    ...present('pidfile', options.pidfile),
    ...present('readonlyRoot', options['read-only']),
    ...present('privileged', options.privileged),
    ...present('init', options.init),
    ...present('rm', options.rm),
    ...present('interactive', options.interactive),
    ...present('entrypoint', options.entrypoint === undefined ? undefined : readEntrypoint(options.entrypoint)),
    ...readNamespaces(options),
    ...readConfinement(options),
    ...readTerminal(options, context.environment, isForeground),
    env: [
      ...(options['env-host'] === true ? wholeEnvironment(context.environment) : []),
      ...collectEnvironment(options['env-file'], options.env, context.environment),
    ],
    mounts: collectMounts(options),
    ...readStorage(options),
    ...readLife(options),
    capAdd: options['cap-add'].flatMap(splitCapabilities),
    capDrop: options['cap-drop'].flatMap(splitCapabilities),
    stdio: {type: 'inherit'},
  };
}

function wholeEnvironment(caller: CommandContext['environment']): string[] {
  return Object.entries(caller).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]));
}

function present<K extends keyof RunRequest>(key: K, value: RunRequest[K] | undefined): Partial<Pick<RunRequest, K>> {
  return (value === undefined ? {} : {[key]: value}) as Partial<Pick<RunRequest, K>>;
}

/** With `--rootfs` and `--from-binary` there is no image and the words are the command. */
function readRoot(options: RunOptions, words: readonly string[]): {root: RootRequest; command: string[]} {
  const programs = options['from-binary'];
  if (programs.length > 0) {
    if (options.rootfs === undefined) return {root: readBinaries(programs), command: [...words]};
    throw new KeelboxError('ERR_KEELBOX_USAGE', '--rootfs and --from-binary are two roots for one container', {
      hint: 'give one of them; -v puts a directory into a root of programs',
    });
  }
  if (options.rootfs !== undefined) {
    return {root: readRootfs(options.rootfs), command: [...words]};
  }
  const [image, ...command] = words;
  if (!image) {
    throw new KeelboxError('ERR_KEELBOX_USAGE', 'keelbox run needs an IMAGE, --rootfs DIR or --from-binary PATH', {
      hint: 'keelbox run --rm -it host   runs a shell on a private copy of this machine, without any image',
    });
  }
  return {root: {type: 'image', name: image}, command};
}

function readRootfs(text: string): RootRequest {
  const overlay = text.endsWith(':O');
  const path = overlay ? text.slice(0, -':O'.length) : text;
  if (path === '') throw new KeelboxError('ERR_KEELBOX_INVALID_ARG', '--rootfs needs a directory');
  return {type: 'rootfs', path: resolve(path), overlay};
}

/** A name without a slash is for PATH; the engine looks it up. */
function readBinaries(programs: readonly string[]): RootRequest {
  return {type: 'binaries', programs: programs.map(program => (program.includes('/') ? resolve(program) : program))};
}

/**
 * `npx keelbox run host -- sh` hands the `--` on. Where no entry point could want it, it cannot be meant for the
 * guest; `host` and a bare directory have none of their own.
 */
function withoutSeparator(options: RunOptions, root: RootRequest, command: string[]): string[] {
  const hasEntrypoint = options.entrypoint ? true : root.type === 'image' && root.name !== 'host';
  return command[0] === '--' && !hasEntrypoint ? command.slice(1) : command;
}

/** Podman's form, a JSON list, beside docker's single word. */
function readEntrypoint(text: string): string[] {
  if (text === '') return [];
  if (!text.startsWith('[')) return [text];
  try {
    const words: unknown = JSON.parse(text);
    if (Array.isArray(words) && words.every(word => typeof word === 'string')) return words;
  } catch {
    // Not JSON: a program whose name begins with a bracket.
  }
  return [text];
}
