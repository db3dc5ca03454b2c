import {resolve} from 'node:path';
import type {ImageImporting} from '../../border/images';
import {engine} from '../../engine';
import {KeelboxError} from '../../errors/keelbox-error';
import {isTerminal} from '../../output/terminal';
import {writeOut} from '../../output/write';
import {isFilePath} from '../checks';
import {defineCommand} from '../definition';
import {readChanges} from './changes';

const stdinFd = 0;

export const importCommand = defineCommand({
  path: ['import'],
  aliases: [['image', 'import']],
  summary: 'Make an image of a tar archive',
  description:
    "Makes an image of one layer of a root directory's tar, as it is or compressed, and prints its id. With --from-binary it is made of programs of this machine and the libraries that they need.",
  examples: [
    {command: 'keelbox import rootfs.tar.gz base:1', text: 'with a name'},
    {command: 'tar -C tree -c . | keelbox import -c \'CMD ["sh"]\' - base:1', text: 'from a pipe, with a command'},
    {command: 'keelbox import --from-binary bash --from-binary ls tools', text: 'two programs and their libraries'},
  ],
  positionals: {usage: 'FILE|- [NAME[:TAG]]', min: 0, max: 2},
  options: {
    change: {
      kind: 'list',
      short: 'c',
      value: 'INSTRUCTION',
      group: 'Options',
      help: 'CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR, as in a Containerfile',
    },
    'from-binary': {
      kind: 'list',
      value: 'PATH',
      group: 'Options',
      help: 'A program of this machine instead of FILE, with what it needs; may be given several times',
      check: isFilePath,
    },
    message: {kind: 'value', short: 'm', value: 'TEXT', group: 'Options', help: "For the image's history"},
    quiet: {kind: 'boolean', short: 'q', group: 'Options', help: 'Only the id, as always'},
  },
  later: {value: 'arch os variant platform signature-policy'},
  async execute(options, {positionals}) {
    const programs = options['from-binary'];
    const {source, name, origin} = programs.length > 0 ? ofPrograms(programs, positionals) : ofFile(positionals);
    const id = await engine().imageImport({
      ...source,
      ...(name !== undefined && {name}),
      created: new Date().toISOString(),
      comment: options.message ?? `imported from ${origin}`,
      config: readChanges(options.change),
    });
    writeOut(`${id}\n`);
    return 0;
  },
});

interface Origin {
  source: Pick<ImageImporting, 'path' | 'programs'>;
  name: string | undefined;
  /** For the history. */
  origin: string;
}

function ofPrograms(programs: readonly string[], words: readonly string[]): Origin {
  const [name, ...more] = words;
  if (more.length > 0) {
    throw new KeelboxError('ERR_KEELBOX_USAGE', 'with --from-binary there is no FILE', {
      hint: 'usage: keelbox import --from-binary PATH [NAME[:TAG]]',
    });
  }
  const paths = programs.map(program => (program.includes('/') ? resolve(program) : program));
  return {source: {programs: paths}, name, origin: paths.join(', ')};
}

function ofFile([file, name]: readonly string[]): Origin {
  if (file === undefined) {
    throw new KeelboxError('ERR_KEELBOX_USAGE', 'keelbox import needs a FILE, - for stdin, or --from-binary PATH', {
      hint: 'usage: keelbox import FILE|- [NAME[:TAG]]',
    });
  }
  if (/^https?:\/\//.test(file)) {
    throw new KeelboxError('ERR_KEELBOX_NOT_YET', `keelbox import ${file}: not yet`);
  }
  if (file === '-' && isTerminal(stdinFd)) {
    throw new KeelboxError('ERR_KEELBOX_USAGE', 'stdin is a terminal, and an archive comes from a file or a pipe', {
      hint: 'usage: keelbox import FILE [NAME[:TAG]]',
    });
  }
  return {source: file === '-' ? {} : {path: file}, name, origin: file};
}
