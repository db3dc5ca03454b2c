/** What `run` and `create` say about the time after the start. */
import {engine} from '../../engine';
import {invalidArgument, KeelboxError} from '../../errors/keelbox-error';
import type {ClientOptions, LifeRequest} from '../../native';
import {readHealth} from './health';
import type {RunOptions} from './request';

/** The key `life` of a request; no key where nothing was said. */
export function readLife(options: RunOptions): {life?: LifeRequest} {
  const {restart, timeout} = options;
  const stopTimeout = options['stop-timeout'];
  const stopSignal = options['stop-signal'];
  const logDriver = options['log-driver'];
  if (restart !== undefined) checkRestart(restart, options.rm === true);
  const life: LifeRequest = {
    ...(restart !== undefined && {restart}),
    ...(stopSignal !== undefined && {stopSignal}),
    ...(stopTimeout !== undefined && {stopTimeout: Number(stopTimeout)}),
    ...(timeout !== undefined && {timeout: Number(timeout)}),
    ...(logDriver !== undefined && {logDriver}),
    ...(options['log-opt'].length > 0 && {logOpts: options['log-opt'].map(readLogOption)}),
    ...readHealth(options),
    ...(options.attach.length > 0 && {attach: options.attach.map(readStream)}),
    ...(options.expose.length > 0 && {expose: options.expose.flatMap(readPort)}),
  };
  return Object.keys(life).length > 0 ? {life} : {};
}

/** Throws for a policy that there is not, and for one that `--rm` makes no sense with. */
function checkRestart(policy: string, isRemoved: boolean): void {
  checkPolicy(policy);
  if (isRemoved && policy !== 'no' && policy !== '') {
    throw new KeelboxError('ERR_KEELBOX_USAGE', 'conflicting options: cannot specify both --restart and --rm', {
      hint: 'leave one out: a container that is removed at its end cannot be started again',
    });
  }
}

/** The words of `--restart`, as `update` has them too. */
export function checkPolicy(policy: string): void {
  const [, name, count] = /^(no|always|unless-stopped|on-failure|)(:\d{1,9})?$/.exec(policy) ?? [];
  if (name === undefined) {
    throw invalidArgument(`invalid value "${policy}" for --restart`, {
      why: 'expected no, on-failure[:N], always or unless-stopped',
    });
  }
  if (count !== undefined && name !== 'on-failure') {
    throw invalidArgument(`invalid value "${policy}" for --restart`, {
      why: 'only on-failure can have a number of tries',
    });
  }
}

function readLogOption(text: string): string {
  if (text.indexOf('=') > 0) return text;
  throw invalidArgument(`invalid value "${text}" for --log-opt`, {why: 'expected KEY=VALUE'});
}

const streams = ['stdin', 'stdout', 'stderr'] as const;

function readStream(text: string): (typeof streams)[number] {
  const stream = streams.find(name => name === text.toLowerCase());
  if (stream === undefined) {
    throw invalidArgument(`invalid value "${text}" for --attach`, {why: 'expected stdin, stdout or stderr'});
  }
  return stream;
}

/** `80`, `53/udp`, `8000-8002`: one word for each port. */
function readPort(text: string): string[] {
  const [, first, last = first, protocol = 'tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (!(from >= 1 && from <= to && to <= 65_535)) {
    throw invalidArgument(`invalid value "${text}" for --expose`, {why: 'expected PORT[-PORT][/tcp|udp|sctp]'});
  }
  return Array.from({length: to - from + 1}, (_, index) => `${from + index}/${protocol}`);
}

interface ClientFlags {
  'detach-keys'?: string | undefined;
  'sig-proxy'?: boolean | undefined;
}

/** Throws for what means nothing: to be called before anything is made or started. */
export function readClient(flags: ClientFlags): ClientOptions {
  const detachKeys = flags['detach-keys'];
  const sigProxy = flags['sig-proxy'];
  const client = {
    ...(detachKeys !== undefined && {detachKeys}),
    ...(sigProxy !== undefined && {sigProxy}),
  };
  if (detachKeys !== undefined) engine().checkClient(client);
  return client;
}
