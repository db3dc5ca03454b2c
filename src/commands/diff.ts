import {engine} from '../engine';
import type {Change} from '../native';
import {writeOut} from '../output/write';
import {isOneOf} from './checks';
import {defineCommand} from './definition';

export const diffCommand = defineCommand({
  path: ['diff'],
  aliases: [['container', 'diff']],
  summary: 'Show what a container has changed in its files',
  description:
    'One line for each path that is added (A), changed (C) or deleted (D) in the root directory since the container was made, whether it runs or not. What is mounted in it (volumes, /proc, /dev) is left out. A directory in which something has changed is changed itself. Exit code 1: there is no such container.',
  examples: [
    {command: 'keelbox diff web', text: 'a line for each path'},
    {command: 'keelbox diff --format json web', text: 'three lists, as podman has them'},
  ],
  positionals: {usage: 'CONTAINER', min: 1, max: 1},
  options: {
    format: {
      kind: 'value',
      value: 'json',
      group: 'Options',
      help: 'json: an object with the lists added, changed and deleted',
      check: isOneOf('json'),
    },
    json: {kind: 'boolean', group: 'Options', help: 'A list of {kind, path}'},
  },
  later: {boolean: 'latest/l'},
  async execute({format, json}, {positionals}) {
    const [reference = ''] = positionals;
    const changes = await engine().diffContainer(reference);
    if (json === true) writeOut(`${JSON.stringify(changes)}\n`);
    else if (format === 'json') writeOut(`${JSON.stringify(lists(changes), null, 2)}\n`);
    else writeOut(changes.map(({kind, path}) => `${kind} ${path}\n`).join(''));
    return 0;
  },
});

function lists(changes: readonly Change[]): Record<string, string[]> {
  const of = (letter: Change['kind']) => changes.filter(({kind}) => kind === letter).map(({path}) => path);
  const found = {changed: of('C'), added: of('A'), deleted: of('D')};
  return Object.fromEntries(Object.entries(found).filter(([, paths]) => paths.length > 0));
}
