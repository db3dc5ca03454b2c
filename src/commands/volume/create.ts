import {engine} from '../../engine';
import {invalidArgument} from '../../errors/keelbox-error';
import {writeOut} from '../../output/write';
import {isOneOf} from '../checks';
import {defineCommand} from '../definition';

export const volumeCreateCommand = defineCommand({
  path: ['volume', 'create'],
  summary: 'Create a volume',
  description:
    'Prints its name. A volume of that name and with the same options that is there already is left as it is. With type=tmpfs each container has a tmpfs of its own; type=none with o=bind shows a directory of this machine.',
  examples: [
    {command: 'keelbox volume create data', text: 'a directory that outlives containers'},
    {command: 'keelbox volume create -o o=bind -o device=/srv/www www', text: 'a name for a directory'},
  ],
  positionals: {usage: '[NAME]', min: 0, max: 1},
  options: {
    driver: {
      kind: 'value',
      short: 'd',
      value: 'local',
      group: 'Options',
      help: 'The only driver',
      check: isOneOf('local'),
    },
    opt: {kind: 'list', short: 'o', value: 'KEY=VALUE', group: 'Options', help: 'type=, device=, o='},
    label: {kind: 'list', short: 'l', value: 'KEY[=VALUE]', group: 'Options', help: 'A label'},
    ignore: {kind: 'boolean', group: 'Options', help: 'One that is there is no error (it never is)'},
  },
  later: {list: 'topology-preferred topology-required', value: 'availability group limit-bytes required-bytes scope'},
  execute(options, context) {
    const settings = {options: pairs('--opt', options.opt, true), labels: pairs('--label', options.label, false)};
    writeOut(`${engine().createVolume(context.positionals[0], settings)}\n`);
    return 0;
  },
});

function pairs(flag: string, words: readonly string[], needsValue: boolean): Record<string, string> {
  return Object.fromEntries(
    words.map(word => {
      const equals = word.indexOf('=');
      if (equals === 0 || (equals < 0 && needsValue)) {
        throw invalidArgument(`invalid ${flag} "${word}"`, {why: 'expected KEY=VALUE'});
      }
      return equals < 0 ? [word, ''] : [word.slice(0, equals), word.slice(equals + 1)];
    }),
  );
}
