import {engine} from '../../engine';
import {writeOut} from '../../output/write';
import {type CommandContext, defineCommand} from '../definition';

export const volumeRmCommand = defineCommand({
  path: ['volume', 'rm'],
  aliases: [['volume', 'remove']],
  summary: 'Remove volumes',
  description:
    'Prints each name. Exit code 1: there is no such volume, and -f was not given; 2: a container uses it, running or not.',
  examples: [{command: 'keelbox volume rm data', text: 'its files are gone'}],
  positionals: {usage: 'VOLUME [VOLUME...]', min: 1, max: Number.POSITIVE_INFINITY},
  options: {
    force: {kind: 'boolean', short: 'f', group: 'Options', help: 'One that is not there is no error'},
  },
  later: {boolean: 'all/a', value: 'time/t'},
  execute(options, context) {
    const codes = context.positionals.map(name => removeOne(name, options.force === true, context));
    return Math.max(...codes);
  },
});

function removeOne(name: string, force: boolean, context: CommandContext): number {
  try {
    engine().removeVolume(name, {force});
    writeOut(`${name}\n`);
    return 0;
  } catch (error) {
    return context.report(error);
  }
}
