/** What `ps --filter` can ask, as can the other verbs that choose containers. */
import {KeelboxError} from '../../errors/keelbox-error';
import type {ContainerSummary} from '../../native';
import type {FilterTable} from '../../output/filters';
import {hasLabel} from '../../output/labels';
import {detailsOf} from '../container/details';

export const filterHelp = 'ancestor, before, exited, health, id, label, name, since, status, volume';

/** Docker's words, so that a script's filter is understood; a broken container is docker's dead one. */
const statuses = ['created', 'running', 'exited', 'paused', 'restarting', 'removing', 'dead', 'broken'];

const healths = ['starting', 'healthy', 'unhealthy', 'none'];

/** `all` is where `before` and `since` look their containers up. */
export function psFilters(all: readonly ContainerSummary[]): FilterTable<ContainerSummary> {
  return {
    ancestor: {matches: (container, value) => isMadeOf(container, value)},
    before: {matches: ({createdAt}, value) => createdAt < named(all, value).createdAt},
    exited: {matches: ({exitCode}, value) => exitCode !== undefined && String(exitCode) === value},
    health: {matches: ({health = 'none'}, value) => health === value, values: healths},
    id: {matches: ({id}, value) => id.startsWith(value)},
    label: {matches: ({labels = {}}, value) => hasLabel(labels, value), needsAll: true},
    name: {matches: ({name}, value) => isNamed(name, value)},
    since: {matches: ({createdAt}, value) => createdAt > named(all, value).createdAt},
    status: {
      matches: ({status}, value) => status === value || (status === 'broken' && value === 'dead'),
      values: statuses,
    },
    volume: {matches: ({id}, value) => mountsIt(id, value)},
  };
}

/** These ask for containers that have ended, which a list leaves out otherwise. */
export function impliesAll(words: readonly string[]): boolean {
  return words.some(word => /^\s*(status|exited)\s*!?=/i.test(word));
}

/** `alpine` is every tag of it, and `alpine:3` that one; an id or its beginning is that image. */
function isMadeOf({image, imageId}: ContainerSummary, wanted: string): boolean {
  if (image === wanted || image.startsWith(`${wanted}:`) || image.startsWith(`${wanted}@`)) return true;
  const id = imageId?.replace(/^sha256:/, '');
  return id !== undefined && /^(sha256:)?[0-9a-f]{6,64}$/.test(wanted) && id.startsWith(wanted.replace(/^sha256:/, ''));
}

/** Docker's name filter is a regular expression, which a plain part of a name is too: `^web$` is `web` alone. */
function isNamed(name: string, wanted: string): boolean {
  try {
    const pattern = new RegExp(wanted);
    return pattern.test(name) || pattern.test(`/${name}`);
  } catch {
    return name.includes(wanted);
  }
}

function named(all: readonly ContainerSummary[], reference: string): ContainerSummary {
  const isId = /^[0-9a-f]+$/.test(reference);
  const found = all.find(({name}) => name === reference) ?? all.find(({id}) => isId && id.startsWith(reference));
  if (found !== undefined) return found;
  throw new KeelboxError('ERR_KEELBOX_NOT_FOUND', `there is no container ${reference}, which a --filter names`, {
    hint: 'keelbox ps -a lists containers',
  });
}

/** By the name of the volume, or by either end of the mount. */
function mountsIt(id: string, wanted: string): boolean {
  const {mounts} = detailsOf(id);
  return mounts.some(({name, source, destination}) => [name, source, destination].includes(wanted));
}
