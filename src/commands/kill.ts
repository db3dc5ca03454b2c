import {isSignal} from './checks';
import {forEach} from './container/each';
import {chooseTargets, isActive, manyContainers, targetOptions} from './container/targets';
import {defineCommand} from './definition';

export const killCommand = defineCommand({
  path: ['kill'],
  aliases: [['container', 'kill']],
  summary: 'Send a signal to containers',
  description: 'To the first process of each; SIGKILL, the default, ends every process. Prints each name as given.',
  examples: [{command: 'keelbox kill -s HUP web', text: 'have it read its configuration again'}],
  positionals: manyContainers,
  options: {
    signal: {
      kind: 'value',
      short: 's',
      value: 'SIGNAL',
      group: 'Options',
      help: 'By name or number; default KILL',
      check: isSignal,
    },
    ...targetOptions,
  },
  execute(options, context) {
    const {signal = 'KILL', ignore} = options;
    const action = (reference: string) => ({verb: 'kill' as const, reference, signal});
    const targets = chooseTargets('kill', options, context, isActive);
    return forEach(targets, {action, missing: ignore ? '' : undefined}, context);
  },
});
