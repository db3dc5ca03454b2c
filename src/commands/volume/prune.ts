import {engine} from '../../engine';
import {invalidArgument} from '../../errors/keelbox-error';
import {humanSize} from '../../output/size';
import {writeOut} from '../../output/write';
import {confirm} from '../confirm';
import {deleted} from '../container/prune';
import {defineCommand} from '../definition';

export const volumePruneCommand = defineCommand({
  path: ['volume', 'prune'],
  summary: 'Remove volumes that nothing uses',
  description: 'Without -a only anonymous ones, as docker.',
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
    force: {kind: 'boolean', short: 'f', group: 'Options', help: 'Do not ask'},
  },
  execute(options) {
    const {all: filtered, labels} = readFilters(options.filter);
    const all = filtered || options.all === true;
    const which = all ? 'all volumes' : 'anonymous volumes';
    const warning = `This will remove ${which} not used by at least one container.`;
    if (!confirm(warning, options.force === true, 'volume prune')) return 1;
    const pruned = engine().pruneVolumes({all, labels});
    writeOut(`${deleted('Volumes', pruned.removed)}Total reclaimed space: ${humanSize(pruned.bytes)}\n`);
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
