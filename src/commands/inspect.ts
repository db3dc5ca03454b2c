import {isOneOf} from './checks';
import {chooseTargets, manyContainers, targetOptions} from './container/targets';
import {defineCommand} from './definition';
import {finders, formatOption, inspect, type Kind} from './inspect/objects';

const size = {kind: 'boolean', short: 's', group: 'Output', help: 'Also what a container takes on disk'} as const;

export const inspectCommand = defineCommand({
  path: ['inspect'],
  aliases: [['status']],
  summary: 'Show everything about a container, an image or a volume',
  description:
    "A container goes before an image of the same name, and that before a volume. Prints a JSON array in docker's shape; exit code 1: one was not found.",
  examples: [
    {command: "keelbox inspect -f '{{.State.ExitCode}}' web", text: 'one field'},
    {command: "keelbox inspect -f '{{range .Mounts}}{{println .Destination}}{{end}}' web", text: 'one of many'},
  ],
  positionals: {...manyContainers, usage: 'NAME|ID [NAME|ID...]'},
  options: {
    format: formatOption,
    type: {
      kind: 'value',
      value: 'TYPE',
      group: 'Choice',
      help: 'container, image or volume; default: the first that there is',
      check: isOneOf(...Object.keys(finders)),
    },
    latest: targetOptions.latest,
    size,
  },
  execute(options, context) {
    const {format, type = 'all', size: withSize = false} = options;
    const references = chooseTargets('inspect', options, context, () => true);
    return inspect(references, {kind: type as Kind, format, withSize}, context);
  },
});

export const containerInspectCommand = defineCommand({
  path: ['container', 'inspect'],
  aliases: [['container', 'status']],
  summary: 'Show everything about a container',
  positionals: manyContainers,
  options: {format: formatOption, latest: targetOptions.latest, size},
  execute(options, context) {
    const references = chooseTargets('container inspect', options, context, () => true);
    return inspect(references, {kind: 'container', format: options.format, withSize: options.size === true}, context);
  },
});
