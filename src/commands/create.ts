import {engine} from '../engine';
import {printCreated, replace} from './container/made';
import {defineCommand} from './definition';
import {laterRunOptions} from './run/later-options';
import {createOptions} from './run/options';
import {buildRequest} from './run/request';

export const createCommand = defineCommand({
  path: ['create'],
  aliases: [['container', 'create']],
  summary: 'Create a container without starting it',
  description: 'Takes what run takes, and prints the id. keelbox start runs it, as often as you like.',
  examples: [
    {command: 'keelbox create --name job host -- make test', text: 'then keelbox start -a job'},
    {command: 'keelbox cp data.csv $(keelbox create --name sum busybox wc -l /data.csv):/', text: 'with a file in it'},
  ],
  positionals: {usage: 'IMAGE [COMMAND] [ARG...]', min: 0, max: Number.POSITIVE_INFINITY},
  guestArguments: true,
  options: createOptions,
  later: laterRunOptions,
  execute(options, context) {
    const request = buildRequest(options, context, false);
    if (options.replace === true) replace(options.name);
    return printCreated(engine().act({verb: 'create', request}), options.quiet === true);
  },
});
