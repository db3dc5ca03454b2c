import {engine} from '../../engine';
import type {KeelboxError} from '../../errors/keelbox-error';
import {defineCommand} from '../definition';

export const imageExistsCommand = defineCommand({
  path: ['image', 'exists'],
  summary: 'Exit 0 if there is such an image, 1 if not',
  positionals: {usage: 'IMAGE', min: 1, max: 1},
  options: {},
  execute(_options, {positionals: [image = '']}) {
    try {
      engine().imageDescribe(image);
      return 0;
    } catch (error) {
      if ((error as Partial<KeelboxError>).code === 'ERR_KEELBOX_IMAGE_NOT_FOUND') return 1;
      throw error;
    }
  },
});
