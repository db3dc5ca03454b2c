import path from 'node:path';
import {engine} from '../../engine';
import {defineCommand} from '../definition';

export const volumeImportCommand = defineCommand({
  path: ['volume', 'import'],
  summary: 'Read a tar archive into a volume',
  description:
    'The archive may be compressed with gzip or zstd. What is in the volume and not in the archive stays. Exit code 1: there is no such volume.',
  examples: [{command: 'keelbox volume import data backup.tar.zst', text: 'from a file; - is stdin'}],
  positionals: {usage: 'VOLUME [FILE|-]', min: 1, max: 2},
  options: {},
  async execute(_options, {positionals}) {
    const [name = '', file = '-'] = positionals;
    await engine().importVolume(name, file === '-' ? undefined : path.resolve(file));
    return 0;
  },
});
