import {notYet} from '../errors/keelbox-error';
import {defineCommand} from './definition';

export const completionCommand = defineCommand({
  path: ['completion'],
  summary: 'Print a completion script for a shell',
  positionals: {usage: 'bash|zsh|fish', min: 0, max: 1},
  options: {},
  isLater: true,
  execute() {
    throw notYet('keelbox completion');
  },
});
