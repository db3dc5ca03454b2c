import {engine} from '../engine';
import {writeErr, writeOut} from '../output/write';
import {isNotFound} from './container/missing';
import {readStop, timeOption} from './container/stop-options';
import {chooseTargets, manyContainers, targetOptions} from './container/targets';
import {type CommandContext, defineCommand, type OptionTable, type OptionValues} from './definition';

// Without their letters: -f forces, and -l is docker's --link.
const {filter, latest, ...choice} = targetOptions;

const options = {
  force: {kind: 'boolean', short: 'f', group: 'Options', help: 'Also a running one; it is killed first'},
  volumes: {kind: 'boolean', short: 'v', group: 'Options', help: 'And its anonymous volumes'},
  time: {...timeOption, help: 'With -f: time to end by itself before it is killed; default 0'},
  filter: {kind: 'list', value: filter.value, group: filter.group, help: filter.help},
  latest: {kind: 'boolean', group: latest.group, help: latest.help},
  ...choice,
} as const satisfies OptionTable;

export const rmCommand = defineCommand({
  path: ['rm'],
  aliases: [
    ['container', 'rm'],
    ['container', 'remove'],
  ],
  summary: 'Remove containers',
  description:
    'Prints each name as given. Exit code 1: there is no such container, and -f was not given; 2: it runs, and -f was not given.',
  examples: [
    {command: 'keelbox rm -f web', text: 'end it if it runs, and remove it'},
    {command: 'keelbox rm --filter status=exited', text: 'all that have ended'},
  ],
  positionals: manyContainers,
  options,
  later: {boolean: 'link/l depend'},
  execute(flags, context) {
    const targets = chooseTargets('rm', flags, context, () => true);
    // One that fails does not keep the others; the worst failure is the answer.
    return Math.max(0, ...targets.map(reference => removeOne(reference, flags, context)));
  },
});

type Flags = OptionValues<typeof options>;

function removeOne(reference: string, flags: Flags, {report}: CommandContext): number {
  try {
    if (flags.force && flags.time !== undefined) engine().act({verb: 'stop', reference, ...readStop(flags)});
    engine().remove(reference, {force: flags.force === true, ...(flags.volumes === true && {volumes: true})});
    writeOut(`${reference}\n`);
    return 0;
  } catch (error) {
    if (!isNotFound(error) || !(flags.ignore || flags.force)) return report(error);
    // As docker: said, and no failure.
    if (!flags.ignore) writeErr(`notice: ${(error as Error).message}\n`);
    return 0;
  }
}
