import {engine} from '../../engine';
import {defineCommand} from '../definition';
import {isNotFound} from './missing';

export const containerExistsCommand = defineCommand({
  path: ['container', 'exists'],
  summary: 'Exit 0 if there is such a container, 1 if not',
  examples: [{command: 'keelbox container exists web || keelbox create --name web busybox', text: 'make it once'}],
  positionals: {usage: 'CONTAINER', min: 1, max: 1},
  options: {},
  later: {boolean: 'external'},
  execute(_options, {positionals: [reference = '']}) {
    try {
      engine().act({verb: 'find', reference});
      return 0;
    } catch (error) {
      if (isNotFound(error)) return 1;
      throw error;
    }
  },
});
