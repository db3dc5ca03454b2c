import {engine} from '../engine';
import type {Change} from '../native';
import {writeOut} from '../output/write';
import {isOneOf} from './checks';
import {defineCommand, type OptionTable, type OptionValues} from './definition';

const options = {
  format: {
    kind: 'value',
    value: 'json',
    group: 'Options',
    help: 'json: an object with the lists added, changed and deleted',
    check: isOneOf('json'),
  },
  json: {kind: 'boolean', group: 'Options', help: 'A list of {kind, path}'},
} as const satisfies OptionTable;

type Options = OptionValues<typeof options>;

const lines =
  'One line for each path that is added (A), changed (C) or deleted (D). A directory in which something has changed is changed itself.';

export const diffCommand = defineCommand({
  path: ['diff'],
  aliases: [['container', 'diff']],
  summary: 'Show what a container has changed in its files, or an image’s last layer in those below it',
  description: `${lines} Of a container: in its root directory since it was made, whether it runs or not; what is mounted in it (volumes, /proc, /dev) is left out. Exit code 1: there is no such container or image.`,
  examples: [
    {command: 'keelbox diff web', text: 'a line for each path'},
    {command: 'keelbox diff --format json web', text: 'three lists, as podman has them'},
  ],
  positionals: {usage: 'CONTAINER|IMAGE', min: 1, max: 1},
  options,
  later: {boolean: 'latest/l'},
  async execute(chosen, {positionals}) {
    const [reference = ''] = positionals;
    return print(await changesOf(reference), chosen);
  },
});

export const imageDiffCommand = defineCommand({
  path: ['image', 'diff'],
  summary: 'Show what an image’s last layer has changed in those below it',
  description: `${lines} Exit code 1: there is no such image.`,
  examples: [{command: 'keelbox image diff app:2', text: 'what its last instruction did'}],
  positionals: {usage: 'IMAGE', min: 1, max: 1},
  options,
  async execute(chosen, {positionals}) {
    const [reference = ''] = positionals;
    return print(await engine().diffImage(reference), chosen);
  },
});

/** A container of that name comes first. */
async function changesOf(reference: string): Promise<Change[]> {
  try {
    return await engine().diffContainer(reference);
  } catch (error) {
    if ((error as {code?: unknown}).code !== 'ERR_KEELBOX_NOT_FOUND') throw error;
    // What is neither is no container: that is the error to show.
    return engine()
      .diffImage(reference)
      .catch(() => {
        throw error;
      });
  }
}

function print(changes: readonly Change[], {format, json}: Options): number {
  if (json === true) writeOut(`${JSON.stringify(changes)}\n`);
  else if (format === 'json') writeOut(`${JSON.stringify(lists(changes), null, 2)}\n`);
  else writeOut(changes.map(({kind, path}) => `${kind} ${path}\n`).join(''));
  return 0;
}

function lists(changes: readonly Change[]): Record<string, string[]> {
  const of = (letter: Change['kind']) => changes.filter(({kind}) => kind === letter).map(({path}) => path);
  const found = {changed: of('C'), added: of('A'), deleted: of('D')};
  return Object.fromEntries(Object.entries(found).filter(([, paths]) => paths.length > 0));
}
