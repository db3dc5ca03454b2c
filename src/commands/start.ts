import {engine} from '../engine';
import {KeelboxError} from '../errors/keelbox-error';
import {forEach} from './container/each';
import {chooseTargets, isActive, manyContainers, targetOptions} from './container/targets';
import {defineCommand, type OptionValues} from './definition';
import {readClient} from './run/life';
import {clientOptions} from './run/life-options';

const {all, ...choice} = targetOptions;

const options = {
  attach: {
    kind: 'boolean',
    short: 'a',
    group: 'Options',
    help: 'Show its output until it ends, and exit as it does; signals are passed on',
  },
  interactive: {kind: 'boolean', short: 'i', group: 'Options', help: 'The same, and connect stdin'},
  'detach-keys': clientOptions['detach-keys'],
  'sig-proxy': clientOptions['sig-proxy'],
  // Without the letter: -a attaches.
  all: {kind: 'boolean', group: all.group, help: 'All that do not run'},
  ...choice,
  ignore: {kind: 'boolean', group: choice.ignore.group, help: choice.ignore.help},
} as const;

export const startCommand = defineCommand({
  path: ['start'],
  aliases: [['container', 'start']],
  summary: 'Start containers that have been created or have ended',
  description:
    'With the files that they left when they ended. Prints each name as given; one that runs is left as it is. Exit code 1: there is no such container.',
  examples: [
    {command: 'keelbox start web db', text: 'two at once'},
    {command: 'keelbox start -ai shell', text: 'as run -it, in a container that is there'},
  ],
  positionals: manyContainers,
  options,
  later: {value: 'checkpoint checkpoint-dir'},
  execute(flags, context) {
    const targets = chooseTargets('start', flags, context, container => !isActive(container));
    if (flags.attach || flags.interactive) return connect(targets, flags);
    const action = (reference: string) => ({verb: 'start' as const, reference});
    return forEach(targets, {action, missing: flags.ignore ? '' : undefined}, context);
  },
});

function connect(targets: readonly string[], flags: OptionValues<typeof options>): number {
  const [reference, other] = targets;
  if (reference === undefined) return 0;
  if (other !== undefined) {
    throw new KeelboxError('ERR_KEELBOX_USAGE', 'you cannot start and attach multiple containers at once', {
      hint: 'start them without -a and -i, then keelbox attach or keelbox logs -f one of them',
    });
  }
  const client = readClient(flags);
  const stdin = flags.interactive === true;
  const {handle} = engine().prepareAttach({reference, start: true, stdin, output: true, ...client});
  return engine().attach(handle, client);
}
