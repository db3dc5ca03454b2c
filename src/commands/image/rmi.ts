import type {RemovedImage} from '../../border/images';
import {engine} from '../../engine';
import {writeOut} from '../../output/write';
import {type CommandContext, defineCommand} from '../definition';

export const rmiCommand = defineCommand({
  path: ['rmi'],
  aliases: [
    ['image', 'rm'],
    ['image', 'remove'],
  ],
  summary: 'Remove images',
  description:
    'By a name that is not the last one of its image, only that name goes. Exit code 1: there is no such image; 2: a container was made of it, and -f was not given. With -f the layers that containers need stay as long as those do.',
  examples: [{command: 'keelbox rmi debian:12', text: 'the name, and with its last name the image'}],
  positionals: {usage: 'IMAGE [IMAGE...]', min: 1, max: Number.POSITIVE_INFINITY},
  options: {
    force: {kind: 'boolean', short: 'f', group: 'Options', help: 'Also one in use, and one with several names'},
  },
  later: {boolean: 'all/a ignore/i no-prune', list: 'platform'},
  execute(options, context) {
    // One that fails does not keep the others; the worst failure is the answer.
    const codes = context.positionals.map(reference => removeOne(reference, options.force === true, context));
    return Math.max(...codes);
  },
});

function removeOne(reference: string, force: boolean, context: CommandContext): number {
  try {
    writeOut(removedLines(engine().imageRemove(reference, {force})));
    return 0;
  } catch (error) {
    return context.report(error);
  }
}

/** Docker's lines, which `image prune` writes in small letters. */
export function removedLines({untagged, deleted}: RemovedImage, gone = 'Untagged', removed = 'Deleted'): string {
  return [...untagged.map(name => `${gone}: ${name}\n`), ...deleted.map(id => `${removed}: ${id}\n`)].join('');
}
