import path from 'node:path';
import {engine} from '../../engine';
import {KeelboxError} from '../../errors/keelbox-error';
import {isTerminal} from '../../output/terminal';
import {defineCommand} from '../definition';

const stdoutFd = 1;

export const volumeExportCommand = defineCommand({
  path: ['volume', 'export'],
  summary: 'Write a volume as a tar archive',
  description: 'With owners, modes, times, extended attributes and links. Exit code 1: there is no such volume.',
  examples: [{command: 'keelbox volume export data | zstd > data.tar.zst', text: 'a backup'}],
  positionals: {usage: 'VOLUME', min: 1, max: 1},
  options: {
    output: {kind: 'value', short: 'o', value: 'FILE', group: 'Options', help: 'Where to; default stdout'},
  },
  async execute({output}, {positionals}) {
    if (output === undefined && isTerminal(stdoutFd)) {
      throw new KeelboxError('ERR_KEELBOX_USAGE', 'stdout is a terminal, and an archive goes to a file or a pipe', {
        hint: 'usage: keelbox volume export -o FILE VOLUME',
      });
    }
    const [name = ''] = positionals;
    await engine().exportVolume(name, output === undefined ? undefined : path.resolve(output));
    return 0;
  },
});
