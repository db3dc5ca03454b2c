import {engine} from '../../engine';
import {defineCommand} from '../definition';

export const volumeExistsCommand = defineCommand({
  path: ['volume', 'exists'],
  summary: 'Exit 0 if there is such a volume, 1 if not',
  examples: [{command: 'keelbox volume exists data || keelbox volume create data', text: 'make it once'}],
  positionals: {usage: 'VOLUME', min: 1, max: 1},
  options: {},
  execute(_options, context) {
    const [name = ''] = context.positionals;
    try {
      engine().inspectVolume(name);
      return 0;
    } catch (error) {
      if ((error as {code?: unknown}).code === 'ERR_KEELBOX_NOT_FOUND') return 1;
      throw error;
    }
  },
});
