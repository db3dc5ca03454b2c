import {forEach} from './container/each';
import {readStop, stopOptions} from './container/stop-options';
import {chooseTargets, isRunning, manyContainers, targetOptions} from './container/targets';
import {defineCommand} from './definition';

export const restartCommand = defineCommand({
  path: ['restart'],
  aliases: [['container', 'restart']],
  summary: 'Stop and start containers',
  description: 'One that does not run is started. Prints each name as given.',
  examples: [{command: 'keelbox restart web', text: 'the same files, name and id, a new process'}],
  positionals: manyContainers,
  options: {
    ...stopOptions,
    ...targetOptions,
    running: {kind: 'boolean', group: 'Choice', help: 'All that run'},
  },
  execute(options, context) {
    const how = readStop(options);
    const action = (reference: string) => ({verb: 'restart' as const, reference, ...how});
    const flags = options.running ? {...options, all: true} : options;
    const targets = chooseTargets('restart', flags, context, options.running ? isRunning : () => true);
    return forEach(targets, {action, missing: options.ignore ? '' : undefined}, context);
  },
});
