import {engine} from '../engine';
import {isContainerName} from './checks';
import {defineCommand} from './definition';
import {checkWord} from './words';

export const renameCommand = defineCommand({
  path: ['rename'],
  aliases: [['container', 'rename']],
  summary: 'Give a container another name',
  description: 'Also while it runs. Prints nothing. Exit code 1: there is no such container.',
  examples: [{command: 'keelbox rename host-otter build', text: 'one to remember'}],
  positionals: {usage: 'CONTAINER NAME', min: 2, max: 2},
  options: {},
  execute(_options, {positionals: [reference = '', name = '']}) {
    engine().act({
      verb: 'rename',
      reference,
      name: checkWord(name.replace(/^\//, ''), 'the new name', isContainerName),
    });
    return 0;
  },
});
