import {engine} from '../engine';
import {KeelboxError} from '../errors/keelbox-error';
import type {CopyRequest} from '../native';
import {isTerminal} from '../output/terminal';
import {writeErr} from '../output/write';
import {defineCommand} from './definition';

const usage = 'usage: keelbox cp [OPTIONS] CONTAINER:PATH PATH|-   or   keelbox cp [OPTIONS] PATH|- CONTAINER:PATH';

export const cpCommand = defineCommand({
  path: ['cp'],
  aliases: [['container', 'cp']],
  summary: 'Copy files between a container and this machine',
  description:
    'As "cp -r": a directory goes into one that is there under its own name, and becomes one that is not there; "DIR/." is what is in it. A lone "-" is a tar archive on stdin or stdout. Paths in the container begin at its root, and no link in them leads out of it. What comes in belongs to the container’s root, what comes out to you, set-user-id bits are left out, and so are devices. Exit code 1: there is no such container or file.',
  examples: [
    {command: 'keelbox cp web:/etc/nginx/nginx.conf .', text: 'a file, out of the container'},
    {command: 'keelbox cp ./site/. web:/srv/www', text: 'what is in a directory, into another one'},
    {command: 'keelbox cp web:/var/log - | tar -t', text: 'as an archive'},
  ],
  positionals: {usage: 'CONTAINER:PATH|PATH|- CONTAINER:PATH|PATH|-', min: 2, max: 2},
  options: {
    archive: {kind: 'boolean', short: 'a', group: 'Options', help: 'Keep owners and groups'},
    'follow-link': {kind: 'boolean', short: 'L', group: 'Options', help: 'Copy what a source leads to that is a link'},
    overwrite: {
      kind: 'boolean',
      group: 'Options',
      help: 'Let a directory take the place of a file, and a file that of a directory',
    },
    quiet: {kind: 'boolean', short: 'q', group: 'Options', help: 'No notices on stderr'},
  },
  async execute(options, {positionals}) {
    const [source = '', target = ''] = positionals;
    const notices = await engine().copy({
      ...request(source, target),
      ...(options.archive !== undefined && {archive: options.archive}),
      ...(options['follow-link'] !== undefined && {follow: options['follow-link']}),
      ...(options.overwrite !== undefined && {overwrite: options.overwrite}),
    });
    if (options.quiet !== true) for (const notice of notices) writeErr(`notice: ${notice}\n`);
    return 0;
  },
});

function request(source: string, target: string): Pick<CopyRequest, 'reference' | 'direction' | 'host' | 'container'> {
  const [from, to] = [inContainer(source), inContainer(target)];
  if (from && to) throw wrong('copying between two containers is not supported');
  if (from) {
    if (target === '-' && isTerminal(1)) throw wrong('stdout is a terminal, and an archive goes to a file or a pipe');
    return {...from, direction: 'out', host: target};
  }
  if (to) {
    if (source === '-' && isTerminal(0)) throw wrong('stdin is a terminal, and an archive comes from a file or a pipe');
    return {...to, direction: 'in', host: source};
  }
  throw wrong('one of the two must be CONTAINER:PATH');
}

/** As docker reads it: what begins with a dot or a slash is a path of this machine's, whatever follows. */
function inContainer(text: string): {reference: string; container: string} | undefined {
  const colon = text.indexOf(':');
  if (colon < 1 || /^[./]/.test(text)) return undefined;
  return {reference: text.slice(0, colon), container: text.slice(colon + 1)};
}

function wrong(message: string): KeelboxError {
  return new KeelboxError('ERR_KEELBOX_USAGE', message, {hint: usage});
}
