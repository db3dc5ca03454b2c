import {engine} from '../engine';
import {writeOut} from '../output/write';
import {type CommandContext, defineCommand} from './definition';

export const rmCommand = defineCommand({
  path: ['rm'],
  aliases: [
    ['container', 'rm'],
    ['container', 'remove'],
  ],
  summary: 'Remove containers',
  description: 'Prints each name as given. Exit code 1: there is no such container; 2: it runs, and -f was not given.',
  examples: [{command: 'keelbox rm -f web', text: 'end it if it runs, and remove it'}],
  positionals: {usage: 'CONTAINER [CONTAINER...]', min: 1, max: Number.POSITIVE_INFINITY},
  options: {
    force: {kind: 'boolean', short: 'f', group: 'Options', help: 'Also a running one; it is killed first'},
    volumes: {kind: 'boolean', short: 'v', group: 'Options', help: 'And its anonymous volumes'},
  },
  later: {
    boolean: 'link/l all/a depend ignore/i latest',
    list: 'filter cidfile',
    value: 'time/t',
  },
  execute(options, context) {
    // One that fails does not keep the others; the worst failure is the answer.
    const codes = context.positionals.map(reference => removeOne(reference, options, context));
    return Math.max(...codes);
  },
});

interface Removal {
  force?: boolean | undefined;
  volumes?: boolean | undefined;
}

function removeOne(reference: string, options: Removal, context: CommandContext): number {
  try {
    engine().remove(reference, {force: options.force === true, ...(options.volumes === true && {volumes: true})});
    writeOut(`${reference}\n`);
    return 0;
  } catch (error) {
    return context.report(error);
  }
}
