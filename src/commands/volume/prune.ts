import {engine} from '../../engine';
import {invalidArgument, KeelboxError} from '../../errors/keelbox-error';
import {humanSize} from '../../output/size';
import {writeOut} from '../../output/write';
import {defineCommand} from '../definition';

export const volumePruneCommand = defineCommand({
  path: ['volume', 'prune'],
  summary: 'Remove volumes that nothing uses',
  description: 'Without -a only anonymous ones, as docker. It asks nothing: -f says that you mean it.',
  examples: [{command: 'keelbox volume prune -f', text: 'anonymous volumes whose containers are gone'}],
  positionals: {usage: '', min: 0, max: 0},
  options: {
    all: {kind: 'boolean', short: 'a', group: 'Choice', help: 'Also those with a name'},
    filter: {
      kind: 'list',
      value: 'KEY=VALUE',
      group: 'Choice',
      help: 'label=KEY[=VALUE], label!=KEY[=VALUE], all=BOOL',
    },
    force: {kind: 'boolean', short: 'f', group: 'Options', help: 'Needed: nothing is asked'},
  },
  execute(options) {
    if (options.force !== true) {
      throw new KeelboxError('ERR_KEELBOX_USAGE', 'keelbox volume prune removes files for good', {
        hint: 'add -f if you mean it; keelbox volume ls -f dangling=true lists what nothing uses',
      });
    }
    const {all, labels} = readFilters(options.filter);
    const pruned = engine().pruneVolumes({all: all || options.all === true, labels});
    const names = pruned.removed.map(name => `${name}\n`).join('');
    const list = names === '' ? '' : `Deleted Volumes:\n${names}\n`;
    writeOut(`${list}Total reclaimed space: ${humanSize(pruned.bytes)}\n`);
    return 0;
  },
});

function readFilters(words: readonly string[]): {all: boolean; labels: string[]} {
  const labels: string[] = [];
  let all = false;
  for (const word of words) {
    const [, key, not, value = ''] = /^(label|all)(!?)=(.+)$/.exec(word) ?? [];
    if (key === undefined || (key === 'all' && !/^(true|false|1|0)$/.test(value))) {
      throw invalidArgument(`invalid --filter "${word}"`, {why: 'expected label=KEY[=VALUE], label!=... or all=true'});
    }
    if (key === 'all') all = /^(true|1)$/.test(value) !== (not === '!');
    else labels.push(`${not}${value}`);
  }
  return {all, labels};
}
