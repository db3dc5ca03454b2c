/** What `ps --filter` can ask. */
import type {ContainerSummary} from '../../native';
import type {FilterTable} from '../../output/filters';
import {hasLabel} from '../../output/labels';

/** Docker's words, so that a script's filter is understood; a container of keelbox is in three of these states. */
const statuses = ['created', 'running', 'exited', 'paused', 'restarting', 'removing', 'dead'];

export const psFilters: FilterTable<ContainerSummary> = {
  ancestor: {matches: ({image}, value) => isSameImage(image, value)},
  exited: {matches: ({exitCode}, value) => exitCode !== undefined && String(exitCode) === value},
  id: {matches: ({id}, value) => id.startsWith(value)},
  label: {matches: ({labels = {}}, value) => hasLabel(labels, value), needsAll: true},
  name: {matches: ({name}, value) => name.includes(value.replace(/^\//, ''))},
  status: {matches: ({status}, value) => status === value, values: statuses},
};

/** These ask for containers that have ended, which a list leaves out otherwise. */
export function impliesAll(words: readonly string[]): boolean {
  return words.some(word => /^\s*(status|exited)\s*!?=/i.test(word));
}

/** `alpine` is every tag of it, and `alpine:3` that one. */
function isSameImage(image: string, wanted: string): boolean {
  return image === wanted || image.startsWith(`${wanted}:`) || image.startsWith(`${wanted}@`);
}
