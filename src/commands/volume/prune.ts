import {engine} from '../../engine';
import {invalidArgument} from '../../errors/keelbox-error';
import {confirm} from '../confirm';
import {defineCommand} from '../definition';
import {deleted, type Pruned, printPruned, pruneForce} from '../prune';

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
    force: pruneForce,
  },
  execute(options) {
    const {all: filtered, labels} = readFilters(options.filter);
    const all = filtered || options.all === true;
    const which = all ? 'all volumes' : 'anonymous volumes';
    const warning = `This will remove ${which} not used by at least one container.`;
    if (!confirm(warning, options.force === true, 'volume prune')) return 1;
    printPruned(pruneVolumes(all, labels));
    return 0;
  },
});

/** Each of `labels` is `KEY` or `KEY=VALUE`, perhaps with `!` before it for "without". */
export function pruneVolumes(all: boolean, labels: string[]): Pruned {
  const {removed, bytes} = engine().pruneVolumes({all, labels});
  return {text: deleted('Volumes', removed), freed: bytes};
}

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
