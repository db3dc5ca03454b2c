import path from 'node:path';
import {engine} from '../../engine';
import {KeelboxError} from '../../errors/keelbox-error';
import {isTerminal} from '../../output/terminal';
import {isOneOf} from '../checks';
import {defineCommand} from '../definition';

const stdoutFd = 1;

export const saveCommand = defineCommand({
  path: ['save'],
  aliases: [['image', 'save']],
  summary: 'Write images to an archive',
  description:
    'What is written is read by docker load, podman load, skopeo and keelbox load. The same images make the same bytes.',
  examples: [
    {command: 'keelbox save -o debian.tar debian:12', text: "docker's archive"},
    {command: 'keelbox save --format oci-archive debian:12 | ssh host keelbox load', text: 'to another machine'},
  ],
  positionals: {usage: 'IMAGE [IMAGE...]', min: 1, max: Number.POSITIVE_INFINITY},
  options: {
    output: {kind: 'value', short: 'o', value: 'FILE', group: 'Options', help: 'Where to; default stdout'},
    format: {
      kind: 'value',
      value: 'FORMAT',
      group: 'Options',
      help: 'docker-archive (default), oci-archive, or oci-dir: a directory',
      check: isOneOf('docker-archive', 'oci-archive', 'oci-dir'),
    },
    quiet: {kind: 'boolean', short: 'q', group: 'Options', help: 'No progress; there is none yet'},
    'multi-image-archive': {kind: 'boolean', short: 'm', group: 'Options', help: 'As podman has it; always so here'},
  },
  later: {boolean: 'compress uncompressed', list: 'platform', value: 'signature-policy'},
  async execute({output, format = 'docker-archive'}, {positionals}) {
    if (output === undefined && format === 'oci-dir') {
      throw new KeelboxError('ERR_KEELBOX_USAGE', '--format oci-dir needs -o', {hint: 'name a directory: -o DIR'});
    }
    if (output === undefined && isTerminal(stdoutFd)) {
      throw new KeelboxError('ERR_KEELBOX_USAGE', 'stdout is a terminal, and an archive goes to a file or a pipe', {
        hint: 'usage: keelbox save -o FILE IMAGE',
      });
    }
    await engine().imageSave({
      images: positionals,
      format: format as 'docker-archive' | 'oci-archive' | 'oci-dir',
      ...(output !== undefined && {path: path.resolve(output)}),
    });
    return 0;
  },
});
