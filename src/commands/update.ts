import {KeelboxError} from '../errors/keelbox-error';
import {forEach} from './container/each';
import {chooseTargets, isActive, manyContainers, targetOptions} from './container/targets';
import {defineCommand} from './definition';
import {checkPolicy} from './run/life';
import {lifeOptions} from './run/life-options';

export const updateCommand = defineCommand({
  path: ['update'],
  aliases: [['container', 'update']],
  summary: 'Change how containers live',
  description: 'Also while they run. Prints each name as given.',
  examples: [{command: 'keelbox update --restart unless-stopped web db', text: 'start them again when they end'}],
  positionals: manyContainers,
  options: {
    restart: {...lifeOptions.restart, group: 'Options'},
    latest: targetOptions.latest,
  },
  later: {
    list: `
      blkio-weight-device device-read-bps device-read-iops device-write-bps device-write-iops env mount-add mount-rm
      publish-add publish-rm unsetenv`,
    value: `
      blkio-weight cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares/c cpus cpuset-cpus cpuset-mems health-cmd
      health-interval health-on-failure health-retries health-start-period health-timeout kernel-memory memory/m
      memory-reservation memory-swap memory-swappiness pids-limit`,
    boolean: 'no-healthcheck',
  },
  execute(options, context) {
    const {restart} = options;
    if (restart === undefined) {
      throw new KeelboxError('ERR_KEELBOX_USAGE', 'you must provide one or more flags when using this command', {
        hint: 'e.g. keelbox update --restart always CONTAINER',
      });
    }
    checkPolicy(restart);
    const action = (reference: string) => ({verb: 'update' as const, reference, restart});
    return forEach(chooseTargets('update', options, context, isActive), {action}, context);
  },
});
