import type {LoadedImage} from '../../border/images';
import {engine} from '../../engine';
import {KeelboxError} from '../../errors/keelbox-error';
import {isTerminal} from '../../output/terminal';
import {writeErr, writeOut} from '../../output/write';
import {defineCommand} from '../definition';

const stdinFd = 0;

export const loadCommand = defineCommand({
  path: ['load'],
  aliases: [['image', 'load']],
  summary: 'Read images from an archive',
  description:
    'Reads what docker save, podman save, skopeo and keelbox save write: docker archives, OCI archives and OCI layout directories, also compressed with gzip or zstd. Every digest is checked before anything of an image can be seen.',
  examples: [
    {command: 'keelbox load -i debian.tar', text: 'all images of the archive'},
    {command: 'docker save alpine | keelbox load', text: 'from a pipe'},
  ],
  positionals: {usage: '', min: 0, max: 0},
  options: {
    input: {kind: 'value', short: 'i', value: 'FILE', group: 'Options', help: 'The archive or directory; - is stdin'},
    quiet: {kind: 'boolean', short: 'q', group: 'Options', help: 'Only the names of what was loaded'},
  },
  later: {value: 'platform signature-policy'},
  async execute(options) {
    const {input = '-'} = options;
    if (input === '-' && isTerminal(stdinFd)) {
      throw new KeelboxError('ERR_KEELBOX_USAGE', 'stdin is a terminal, and an archive comes from a file or a pipe', {
        hint: 'usage: keelbox load -i FILE',
      });
    }
    const loaded = await engine().imageLoad(input === '-' ? {} : {path: input});
    for (const image of loaded) {
      if (!options.quiet) for (const note of image.notes) writeErr(`keelbox: ${note}\n`);
      writeOut(loadedLines(image));
    }
    return 0;
  },
});

/** Docker's lines, which scripts take the name from. */
function loadedLines({id, names}: LoadedImage): string {
  if (names.length === 0) return `Loaded image ID: ${id}\n`;
  return names.map(name => `Loaded image: ${name}\n`).join('');
}
