import {engine} from '../engine';
import {writeErr, writeOut} from '../output/write';
import {isOneOf} from './checks';
import {defineCommand} from './definition';
import {readChanges} from './image/changes';

export const commitCommand = defineCommand({
  path: ['commit'],
  aliases: [['container', 'commit']],
  summary: 'Make an image of a container',
  description:
    'The image has the layers of the container’s own image and one more with what the container has changed, and its configuration with what the container was started with. Its id is printed. A container of a directory or of programs becomes an image of one layer; one of the image "host" cannot be committed, for its files are this machine’s. What is mounted in it is left out. Exit code 1: there is no such container.',
  examples: [
    {command: 'keelbox commit web web:patched', text: 'with a name'},
    {command: 'keelbox commit -m "tools" -c \'CMD ["sh"]\' box tools:1', text: 'with a message and another command'},
  ],
  positionals: {usage: 'CONTAINER [IMAGE[:TAG]]', min: 1, max: 2},
  options: {
    message: {kind: 'value', short: 'm', value: 'TEXT', group: 'Options', help: "For the image's history"},
    author: {kind: 'value', short: 'a', value: 'NAME', group: 'Options', help: 'Who has made it'},
    change: {
      kind: 'list',
      short: 'c',
      value: 'INSTRUCTION',
      group: 'Options',
      help: 'CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR, as in a Containerfile',
    },
    pause: {
      kind: 'boolean',
      short: 'p',
      group: 'Options',
      help: 'Freeze a running container meanwhile; default: where that can be done',
    },
    squash: {kind: 'boolean', short: 's', group: 'Options', help: 'One layer with everything'},
    format: {
      kind: 'value',
      short: 'f',
      value: 'oci|docker',
      group: 'Options',
      help: 'Taken and of no effect: images are kept as they are, and save writes either format',
      check: isOneOf('oci', 'docker'),
    },
    quiet: {kind: 'boolean', short: 'q', group: 'Options', help: 'No notices on stderr'},
  },
  later: {value: 'iidfile', boolean: 'include-volumes'},
  async execute(options, {positionals}) {
    const [reference = '', image] = positionals;
    const {imageId, notices} = await engine().commitContainer({
      reference,
      ...(image !== undefined && {image}),
      ...(options.message !== undefined && {message: options.message}),
      ...(options.author !== undefined && {author: options.author}),
      ...(options.pause !== undefined && {pause: options.pause}),
      ...(options.squash !== undefined && {squash: options.squash}),
      config: {...readChanges(options.change)},
    });
    if (options.quiet !== true) for (const notice of notices) writeErr(`notice: ${notice}\n`);
    writeOut(`${imageId}\n`);
    return 0;
  },
});
