import {resolve} from 'node:path';
import {notYet} from '../errors/keelbox-error';
import type {RootRequest, RunRequest} from '../native';
import {checkFlag, checkObject, checkText, checkWord, rejectOthers} from './checks';
import {invalid} from './errors';
import {toMounts} from './mounts';
import type {RootImage, RunOptions, Security} from './types';

type Request = Omit<RunRequest, 'stdio'>;
type Given<K extends keyof RunOptions> = NonNullable<RunOptions[K]>;

/** Each option of the container to what it sets in the request. */
const SETTINGS = {
  name: (name: Given<'name'>) => ({name: checkText(name, 'name')}),
  env: (env: Given<'env'>) => ({env: toEnv(env)}),
  cwd: (cwd: Given<'cwd'>) => ({cwd: checkText(cwd, 'cwd')}),
  user: (user: Given<'user'>) => ({user: checkText(user, 'user')}),
  hostname: (hostname: Given<'hostname'>) => ({hostname: checkText(hostname, 'hostname')}),
  mounts: (mounts: Given<'mounts'>) => ({mounts: toMounts(mounts)}),
  network: (network: Given<'network'>) => ({network: toNetwork(network)}),
  readonly: (readonly: Given<'readonly'>) => ({readonlyRoot: checkFlag(readonly, 'readonly')}),
  security: (security: Given<'security'>) => toSecurity(security),
  lifetime: (lifetime: string) => toLifetime(lifetime),
} satisfies Record<string, (value: never) => Partial<Request>>;

/** Options of the command, which `settings.ts` reads. */
const COMMAND = ['signal', 'timeout', 'stdin', 'stdout', 'stderr', 'maxBuffer', 'killSignal', 'killAfter', 'reject'];

const LATER = ['limits', 'ports', 'pull', 'platform', 'labels', 'onProgress', 'tty'];

/** What `run` was told in the words of the engine; throws `ERR_KEELBOX_INVALID_ARG`. */
export function toRequest(image: RootImage, argv: readonly string[], options: RunOptions): Request {
  if (!Array.isArray(argv)) throw invalid('argv must be an array of strings', 'Write run("host", ["ls", "-l"]).');
  const command = argv.map((word, index) => checkText(word, `argv[${index}]`));
  const request: Request = {root: toRoot(image), command, rm: true};
  for (const [key, value] of Object.entries(checkObject(options, 'options'))) {
    if (value === undefined || (key === 'tty' && value === false) || COMMAND.includes(key)) continue;
    if (LATER.includes(key)) throw notYet(key);
    rejectOthers({[key]: value}, [...Object.keys(SETTINGS), ...COMMAND], 'run');
    Object.assign(request, SETTINGS[key as keyof typeof SETTINGS](value as never));
  }
  return request;
}

function toRoot(image: RootImage): RootRequest {
  if (typeof image === 'string') {
    if (checkText(image, 'image') === '') throw invalid('image is empty', 'Give "host" or {rootfs: "DIRECTORY"}.');
    return {type: 'image', name: image};
  }
  const {rootfs, overlay = false} = checkObject(image, 'image') as Exclude<RootImage, string>;
  rejectOthers(image, ['rootfs', 'overlay'], 'image');
  if (checkText(rootfs, 'image.rootfs') === '') throw invalid('image.rootfs is empty');
  return {type: 'rootfs', path: resolve(rootfs), overlay: checkFlag(overlay, 'image.overlay')};
}

function toEnv(env: Given<'env'>): string[] {
  return Object.entries(checkObject(env, 'env')).map(([key, value]) => {
    if (key === '' || key.includes('=')) throw invalid(`env: ${JSON.stringify(key)} is not the name of a variable`);
    return `${checkText(key, 'env')}=${checkText(value, `env.${key}`)}`;
  });
}

function toNetwork(network: unknown): 'none' | 'host' {
  if (network === 'private' || typeof network === 'object') throw notYet(`network ${JSON.stringify(network)}`);
  return checkWord(network, ['none', 'host'], 'network');
}

function toSecurity(security: Security): Partial<Request> {
  rejectOthers(checkObject(security, 'security'), ['caps', 'seccomp', 'userns'], 'security');
  const {caps, seccomp, userns} = security;
  if (caps !== undefined && !Array.isArray(caps)) throw invalid('security.caps must be an array of names');
  if ((seccomp as unknown) === 'strict' || typeof seccomp === 'object')
    throw notYet(`security.seccomp ${JSON.stringify(seccomp)}`);
  return {
    ...(caps && {capDrop: ['ALL'], capAdd: caps.map((cap, index) => checkText(cap, `security.caps[${index}]`))}),
    ...(seccomp && {
      seccomp: checkWord(seccomp, ['default', 'off'], 'security.seccomp') === 'off' ? 'unconfined' : 'default',
    }),
    ...(userns && {userns: checkWord(userns, ['auto', 'host'], 'security.userns')}),
  };
}

/** The engine's own default. */
function toLifetime(lifetime: string): Partial<Request> {
  if (lifetime === 'scope' || lifetime === 'detached') throw notYet(`lifetime "${lifetime}"`);
  checkWord(lifetime, ['process'], 'lifetime');
  return {};
}
