import {resolve} from 'node:path';
import {notYet} from '../errors/keelbox-error';
import type {RootRequest, RunRequest} from '../native';
import {checkFlag, checkObject, checkText, checkWord, rejectOthers} from './checks';
import {invalid} from './errors';
import {toMounts} from './mounts';
import {Snapshot} from './snapshot';
import {toTerminal} from './terminal';
import type {ContainerOptions, CreateOptions, RootImage, RunOptions, Security} from './types';

type Request = Omit<RunRequest, 'stdio'>;
type Given<K extends keyof ContainerOptions> = NonNullable<ContainerOptions[K]>;

/** Each option of the container to what it sets in the request. */
const SETTINGS = {
  name: (name: Given<'name'>) => ({name: checkText(name, 'name')}),
  env: (env: Given<'env'>) => ({env: toPairs(env, 'env')}),
  cwd: (cwd: Given<'cwd'>) => ({cwd: checkText(cwd, 'cwd')}),
  user: (user: Given<'user'>) => ({user: checkText(user, 'user')}),
  hostname: (hostname: Given<'hostname'>) => ({hostname: checkText(hostname, 'hostname')}),
  mounts: (mounts: Given<'mounts'>) => ({mounts: toMounts(mounts)}),
  network: (network: Given<'network'>) => ({network: toNetwork(network)}),
  readonly: (readonly: Given<'readonly'>) => ({readonlyRoot: checkFlag(readonly, 'readonly')}),
  security: (security: Given<'security'>) => toSecurity(security),
  labels: (labels: Given<'labels'>) => ({confinement: {labels: toPairs(labels, 'labels')}}),
} satisfies Record<string, (value: never) => Partial<Request>>;

/** Options of the command, which `settings.ts` reads. */
export const COMMAND = [
  'signal',
  'timeout',
  'stdin',
  'stdout',
  'stderr',
  'maxBuffer',
  'killSignal',
  'killAfter',
  'reject',
  'tty',
];

/** Options of a container that stays, which `container.ts` reads. */
const CONTAINER = ['signal', 'timeout', 'lifetime', 'command'];

const LATER = ['limits', 'ports', 'pull', 'platform', 'onProgress'];

/** What `run` was told in the words of the engine; throws `ERR_KEELBOX_INVALID_ARG`. */
export function toRunRequest(image: RootImage, argv: readonly string[], options: RunOptions): Request {
  const command = checkWords(argv, 'argv', 'Write run("host", ["ls", "-l"]).');
  const {lifetime = 'process', tty, ...rest} = checkObject(options, 'options') as RunOptions;
  if ((lifetime as string) !== 'process') throw notYet(`lifetime "${lifetime}" of run`);
  const settings = toSettings(rest, COMMAND, 'run');
  const terminal = toTerminal(tty);
  // The supervisor moves a terminal's bytes, from and to pipes of ours; nobody else is to have them.
  const relayed = terminal.tty && {life: {logDriver: 'none'}};
  return {root: toRoot(image), command, ...settings, ...terminal, ...relayed};
}

/** What `Container.create` was told. */
export function toCreateRequest(image: RootImage, options: CreateOptions): Request {
  const {command} = checkObject(options, 'options') as CreateOptions;
  return {
    root: toRoot(image),
    command: command === undefined ? [] : checkWords(command, 'command', 'Write {command: ["httpd", "-f"]}.'),
    ...toSettings(options, CONTAINER, 'Container.create'),
  };
}

function toSettings(options: object, others: readonly string[], what: string): Partial<Request> {
  const request: Partial<Request> = {};
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined || others.includes(key)) continue;
    if (LATER.includes(key)) throw notYet(key);
    rejectOthers({[key]: value}, [...Object.keys(SETTINGS), ...others], what);
    Object.assign(request, SETTINGS[key as keyof typeof SETTINGS](value as never));
  }
  return request;
}

/** Program and arguments. */
export function checkWords(words: readonly string[], what: string, hint: string): string[] {
  if (!Array.isArray(words)) throw invalid(`${what} must be an array of strings`, hint);
  return words.map((word, index) => checkText(word, `${what}[${index}]`));
}

function toRoot(image: RootImage): RootRequest {
  if (typeof image === 'string') {
    if (checkText(image, 'image') === '') throw invalid('image is empty', 'Give "host" or {rootfs: "DIRECTORY"}.');
    return {type: 'image', name: image};
  }
  if (image instanceof Snapshot) return {type: 'image', name: image.id};
  const {rootfs, overlay = false} = checkObject(image, 'image') as {rootfs: string; overlay?: boolean};
  rejectOthers(image, ['rootfs', 'overlay'], 'image');
  if (checkText(rootfs, 'image.rootfs') === '') throw invalid('image.rootfs is empty');
  return {type: 'rootfs', path: resolve(rootfs), overlay: checkFlag(overlay, 'image.overlay')};
}

/** `KEY=value` words. */
export function toPairs(pairs: Readonly<Record<string, string>>, what: string): string[] {
  return Object.entries(checkObject(pairs, what)).map(([key, value]) => {
    if (key === '' || key.includes('=')) throw invalid(`${what}: ${JSON.stringify(key)} is not a name`);
    return `${checkText(key, what)}=${checkText(value, `${what}.${key}`)}`;
  });
}

function toNetwork(network: Given<'network'>): string {
  if (typeof network !== 'object' || network === null)
    return checkWord(network, ['none', 'private', 'host'], 'network');
  // By its shape: `Container` needs this file, and two versions of keelbox may meet.
  const id = (network.join as {id?: unknown} | undefined)?.id;
  if (typeof id !== 'string') throw notYet(`network ${JSON.stringify(network)}`);
  return `container:${id}`;
}

function toSecurity(security: Security): Partial<Request> {
  rejectOthers(checkObject(security, 'security'), ['caps', 'seccomp', 'userns'], 'security');
  const {caps, seccomp, userns} = security;
  if (caps !== undefined && !Array.isArray(caps)) throw invalid('security.caps must be an array of names');
  if ((seccomp as unknown) === 'strict') throw notYet('security.seccomp "strict"');
  return {
    ...(caps && {capDrop: ['ALL'], capAdd: caps.map((cap, index) => checkText(cap, `security.caps[${index}]`))}),
    ...(seccomp && {seccomp: toSeccomp(seccomp)}),
    ...(userns !== undefined && {userns: checkText(userns, 'security.userns')}),
  };
}

function toSeccomp(seccomp: NonNullable<Security['seccomp']>): NonNullable<Request['seccomp']> {
  if (typeof seccomp === 'object') return {profile: resolve(checkText(seccomp.file, 'security.seccomp.file'))};
  return checkWord(seccomp, ['default', 'off'], 'security.seccomp') === 'off' ? 'unconfined' : 'default';
}
