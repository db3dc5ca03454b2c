/** What `events --filter` can ask, with docker's meaning of each key. */
import type {JournalEvent} from '../../native';
import type {Filter, FilterTable} from '../../output/filters';
import {hasLabel} from '../../output/labels';

/** The beginning of the id or of the name of what it happened to. */
function isOf(type: string): Filter<JournalEvent> {
  return {
    matches: (event, value) =>
      event.type === type && (event.id.startsWith(value) || nameOf(event).startsWith(value.replace(/^\//, ''))),
  };
}

const nameOf = ({attributes}: JournalEvent) => attributes.name ?? '';

/** Podman's words for docker's. */
const PODMANS: Readonly<Record<string, string>> = {
  died: 'die',
  exec: 'exec_start',
  exec_died: 'exec_die',
  remove: 'destroy',
};

/** `health_status` is every one of them, and `health_status: healthy` that one. */
function isAction({action, type}: JournalEvent, value: string): boolean {
  // Podman removes images and volumes by the same word.
  const word = value === 'remove' && type === 'image' ? 'delete' : (PODMANS[value] ?? value);
  return action === word || action.startsWith(`${word}:`);
}

export const eventFilters: FilterTable<JournalEvent> = {
  container: isOf('container'),
  event: {matches: isAction},
  image: {matches: isOfImage},
  label: {matches: ({attributes}, value) => hasLabel(attributes, value), needsAll: true},
  name: {matches: (event, value) => nameOf(event) === value.replace(/^\//, '')},
  type: {matches: ({type}, value) => type === value},
  volume: isOf('volume'),
};

/** An image, and the containers made of it: with its tag or without. */
function isOfImage(event: JournalEvent, value: string): boolean {
  const image = event.type === 'image' ? nameOf(event) : (event.attributes.image ?? '');
  return event.id === value || image === value || image.replace(/[:@][^/]*$/, '') === value;
}
