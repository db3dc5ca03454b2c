import {engine} from '../../engine';
import {KeelboxError} from '../../errors/keelbox-error';
import {isTerminal} from '../../output/terminal';
import {writeOut} from '../../output/write';
import {defineCommand} from '../definition';
import {readChanges} from './changes';

const stdinFd = 0;

export const importCommand = defineCommand({
  path: ['import'],
  aliases: [['image', 'import']],
  summary: 'Make an image of a tar archive',
  description: "Makes an image of one layer of a root directory's tar, as it is or compressed, and prints its id.",
  examples: [
    {command: 'keelbox import rootfs.tar.gz base:1', text: 'with a name'},
    {command: 'tar -C tree -c . | keelbox import -c \'CMD ["sh"]\' - base:1', text: 'from a pipe, with a command'},
  ],
  positionals: {usage: 'FILE|- [NAME[:TAG]]', min: 1, max: 2},
  options: {
    change: {
      kind: 'list',
      short: 'c',
      value: 'INSTRUCTION',
      group: 'Options',
      help: 'CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR, as in a Containerfile',
    },
    message: {kind: 'value', short: 'm', value: 'TEXT', group: 'Options', help: "For the image's history"},
    quiet: {kind: 'boolean', short: 'q', group: 'Options', help: 'Only the id, as always'},
  },
  later: {value: 'arch os variant platform signature-policy'},
  async execute(options, {positionals: [file = '-', name]}) {
    if (/^https?:\/\//.test(file)) {
      throw new KeelboxError('ERR_KEELBOX_NOT_YET', `keelbox import ${file}: not yet`);
    }
    if (file === '-' && isTerminal(stdinFd)) {
      throw new KeelboxError('ERR_KEELBOX_USAGE', 'stdin is a terminal, and an archive comes from a file or a pipe', {
        hint: 'usage: keelbox import FILE [NAME[:TAG]]',
      });
    }
    const id = await engine().imageImport({
      ...(file !== '-' && {path: file}),
      ...(name !== undefined && {name}),
      created: new Date().toISOString(),
      comment: options.message ?? `imported from ${file}`,
      config: readChanges(options.change),
    });
    writeOut(`${id}\n`);
    return 0;
  },
});
