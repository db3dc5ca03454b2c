import {connect} from 'node:net';
import {setTimeout as sleep} from 'node:timers/promises';
import {KeelboxError, notYet} from '../errors/keelbox-error';
import {act, within} from './attempt';
import {rejectOthers} from './checks';
import type {Container} from './container';
import {invalid} from './errors';
import type {Common, ReadyCheck} from './types';

const defaultTimeout = 60_000;

/** Between two tries of what can only be tried. */
const pause = 100;

/** Waits until a check succeeds; one that cannot succeed any more, because the container has ended, rejects. */
export async function waitUntilReady(container: Container, check: ReadyCheck, options: Common): Promise<void> {
  const over = new AbortController();
  const {timeout = defaultTimeout} = options;
  try {
    await within({...options, timeout}, 'the container was not ready', () => wait(container, check, over.signal));
  } finally {
    over.abort();
  }
}

async function wait(container: Container, check: ReadyCheck, over: AbortSignal): Promise<void> {
  rejectOthers(check, ['log', 'exec', 'port', 'http'], 'ready');
  if ('log' in check) return waitForLine(container, check.log, over);
  if ('exec' in check) return retry(() => succeeds(container, check.exec, over), over);
  await needsHostNetwork(container, check);
  if ('port' in check) return retry(() => accepts(check.port), over);
  return retry(() => answers(check.http, over), over);
}

async function waitForLine(container: Container, pattern: RegExp, over: AbortSignal): Promise<void> {
  if (!(pattern instanceof RegExp)) throw invalid('ready({log}) needs a regular expression');
  // One with the flag g or y would begin each line where the last match ended.
  const stateless = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
  for await (const {line} of container.logs({follow: true, signal: over})) if (stateless.test(line)) return;
  throw new KeelboxError('ERR_KEELBOX_STATE', `${container.name} ended before it printed ${pattern}`, {
    hint: `keelbox logs ${container.name} shows what it printed`,
  });
}

async function retry(isReady: () => Promise<boolean>, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    if (await isReady()) return;
    await sleep(pause, undefined, {signal: over}).catch(() => {});
  }
}

async function succeeds(container: Container, argv: readonly string[], signal: AbortSignal): Promise<boolean> {
  return (await container.exec(argv, {reject: false, stdout: 'ignore', stderr: 'ignore', signal})).ok;
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({port, host: '127.0.0.1'});
    const answer = (is: boolean) => () => {
      socket.destroy();
      resolve(is);
    };
    socket.on('connect', answer(true)).on('error', answer(false));
  });
}

async function answers(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(url, {signal});
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** A container with a network of its own cannot be reached from here yet. */
async function needsHostNetwork({id}: Container, check: ReadyCheck): Promise<void> {
  const {request} = await act({verb: 'inspect', reference: id});
  if (request.network !== 'host') throw notYet(`ready(${JSON.stringify(check)}) without network: 'host'`);
}
