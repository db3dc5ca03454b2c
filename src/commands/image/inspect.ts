import {defineCommand} from '../definition';
import {formatOption, inspect} from '../inspect/objects';

export const imageInspectCommand = defineCommand({
  path: ['image', 'inspect'],
  summary: 'Show everything about an image',
  positionals: {usage: 'IMAGE [IMAGE...]', min: 1, max: Number.POSITIVE_INFINITY},
  options: {format: formatOption},
  later: {value: 'platform'},
  execute: ({format}, context) => inspect(context.positionals, {kind: 'image', format}, context),
});
