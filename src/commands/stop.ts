import {forEach} from './container/each';
import {readStop, stopOptions} from './container/stop-options';
import {chooseTargets, isActive, manyContainers, targetOptions} from './container/targets';
import {defineCommand} from './definition';

export const stopCommand = defineCommand({
  path: ['stop'],
  aliases: [['container', 'stop']],
  summary: 'Stop containers: a signal, then force after a time',
  description:
    'Several at once. Prints each name as given; one that does not run is left as it is. A policy of --restart does not start it again. Exit code 1: there is no such container.',
  examples: [
    {command: 'keelbox stop -t 30 db', text: 'half a minute to end by itself'},
    {command: 'keelbox stop -a', text: 'all that run'},
  ],
  positionals: manyContainers,
  options: {...stopOptions, ...targetOptions},
  execute(options, context) {
    const how = readStop(options);
    const action = (reference: string) => ({verb: 'stop' as const, reference, ...how});
    const targets = chooseTargets('stop', options, context, isActive);
    return forEach(targets, {action, missing: options.ignore ? '' : undefined}, context);
  },
});
