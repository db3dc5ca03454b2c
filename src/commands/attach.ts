import {engine} from '../engine';
import {chooseTargets, targetOptions} from './container/targets';
import {defineCommand} from './definition';
import {readClient} from './run/life';
import {clientOptions} from './run/life-options';

export const attachCommand = defineCommand({
  path: ['attach'],
  aliases: [['container', 'attach']],
  summary: 'Connect this terminal to a running container',
  description:
    'To its stdin, stdout and stderr, as run has them; it exits as the container does. Several clients can be connected at once. What was printed before is in keelbox logs.',
  examples: [{command: 'keelbox attach --no-stdin --sig-proxy=false web', text: 'only look; Ctrl+C leaves it running'}],
  positionals: {usage: 'CONTAINER', min: 0, max: 1},
  options: {
    'no-stdin': {kind: 'boolean', group: 'Options', help: 'Leave stdin alone'},
    'detach-keys': {...clientOptions['detach-keys'], group: 'Options'},
    'sig-proxy': {...clientOptions['sig-proxy'], group: 'Options'},
    latest: targetOptions.latest,
  },
  execute(options, context) {
    const [reference = ''] = chooseTargets('attach', options, context, () => true);
    const client = readClient(options);
    const stdin = options['no-stdin'] !== true;
    const {handle} = engine().prepareAttach({reference, start: false, stdin, output: true, ...client});
    return engine().attach(handle, client);
  },
});
