import {forEach} from './container/each';
import {chooseTargets, isRunning, manyContainers, targetOptions} from './container/targets';
import {defineCommand} from './definition';

export const pauseCommand = defineCommand({
  path: ['pause'],
  aliases: [['container', 'pause'], ['freeze'], ['container', 'freeze']],
  summary: 'Freeze containers',
  description: 'Every process of them stops where it is, and takes no processor time. Prints each name as given.',
  examples: [{command: 'keelbox pause build; keelbox unpause build', text: 'let something else go first'}],
  positionals: manyContainers,
  options: targetOptions,
  execute(options, context) {
    const action = (reference: string) => ({verb: 'pause' as const, reference});
    const targets = chooseTargets('pause', options, context, isRunning);
    return forEach(targets, {action, missing: options.ignore ? '' : undefined}, context);
  },
});

export const unpauseCommand = defineCommand({
  path: ['unpause'],
  aliases: [['container', 'unpause'], ['thaw'], ['container', 'thaw']],
  summary: 'Let frozen containers go on',
  positionals: manyContainers,
  options: targetOptions,
  execute(options, context) {
    const action = (reference: string) => ({verb: 'unpause' as const, reference});
    const targets = chooseTargets('unpause', options, context, ({status}) => status === 'paused');
    return forEach(targets, {action, missing: options.ignore ? '' : undefined}, context);
  },
});
