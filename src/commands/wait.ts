import type {Action} from '../native';
import {isOneOf} from './checks';
import {forEach} from './container/each';
import {chooseTargets, manyContainers, targetOptions} from './container/targets';
import {defineCommand} from './definition';

type Condition = Extract<Action, {verb: 'wait'}>['condition'];

/** Docker's and podman's words for the same. */
const conditions: Readonly<Record<string, Condition>> = {
  stopped: 'stopped',
  exited: 'stopped',
  'not-running': 'stopped',
  running: 'running',
  healthy: 'healthy',
  removed: 'removed',
};

/** What podman prints for one that there is not. */
const nobody = '-1\n';

export const waitCommand = defineCommand({
  path: ['wait'],
  aliases: [['container', 'wait']],
  summary: 'Wait for containers to end and print their exit codes',
  description: 'One line for each, in the order of the names. Exit code 1: there is no such container.',
  examples: [
    {command: 'keelbox wait job', text: 'prints 0 when it has succeeded'},
    {command: 'keelbox wait --condition healthy db && keelbox start app', text: 'one after the other'},
  ],
  positionals: manyContainers,
  options: {
    condition: {
      kind: 'value',
      value: 'CONDITION',
      group: 'Options',
      help: 'What to wait for: stopped (the default), running, healthy, removed',
      check: isOneOf(...Object.keys(conditions)),
    },
    // Without the letter, which is podman's --interval.
    ignore: {kind: 'boolean', group: 'Options', help: 'One that is not there prints -1, and is no error'},
    latest: targetOptions.latest,
    interval: {kind: 'value', short: 'i', value: 'TIME', group: 'Options', help: 'No effect: nothing is polled'},
  },
  execute(options, context) {
    const condition = conditions[options.condition ?? 'stopped'] ?? 'stopped';
    const action = (reference: string) => ({verb: 'wait' as const, reference, condition});
    const text = (_: string, {exitCode}: {exitCode: number}) => `${exitCode}\n`;
    const targets = chooseTargets('wait', options, context, () => true);
    return forEach(targets, {action, text, missing: options.ignore ? nobody : undefined}, context);
  },
});
