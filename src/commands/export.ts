import path from 'node:path';
import {engine} from '../engine';
import {KeelboxError} from '../errors/keelbox-error';
import {isTerminal} from '../output/terminal';
import {defineCommand} from './definition';

const stdoutFd = 1;

export const exportCommand = defineCommand({
  path: ['export'],
  aliases: [['container', 'export']],
  summary: 'Write the files of a container as a tar archive',
  description:
    'The whole root directory, with owners, modes, times, extended attributes, hard links and holes. What is mounted in it (volumes, /proc, /dev) is left out. The same files make the same bytes. Exit code 1: there is no such container.',
  examples: [
    {command: 'keelbox export -o web.tar web', text: 'to a file'},
    {command: 'keelbox export web | keelbox import - web:flat', text: 'an image of one layer'},
  ],
  positionals: {usage: 'CONTAINER', min: 1, max: 1},
  options: {
    output: {kind: 'value', short: 'o', value: 'FILE', group: 'Options', help: 'Where to; default stdout'},
  },
  async execute({output}, {positionals}) {
    if (output === undefined && isTerminal(stdoutFd)) {
      throw new KeelboxError('ERR_KEELBOX_USAGE', 'stdout is a terminal, and an archive goes to a file or a pipe', {
        hint: 'usage: keelbox export -o FILE CONTAINER',
      });
    }
    const [reference = ''] = positionals;
    await engine().exportContainer(reference, output === undefined ? undefined : path.resolve(output));
    return 0;
  },
});
