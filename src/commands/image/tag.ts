import {engine} from '../../engine';
import {writeOut} from '../../output/write';
import {defineCommand} from '../definition';

export const tagCommand = defineCommand({
  path: ['tag'],
  aliases: [['image', 'tag']],
  summary: 'Give an image another name',
  description: 'What had the name before loses it.',
  examples: [{command: 'keelbox tag debian:12 localhost/base:1', text: 'a second name for the same image'}],
  positionals: {usage: 'IMAGE NAME[:TAG] [NAME[:TAG]...]', min: 2, max: Number.POSITIVE_INFINITY},
  options: {},
  execute(_options, {positionals: [image = '', ...names]}) {
    for (const name of names) engine().imageTag(image, name);
    return 0;
  },
});

export const untagCommand = defineCommand({
  path: ['untag'],
  aliases: [['image', 'untag']],
  summary: 'Take a name from an image',
  description: 'The image itself stays, also without any name. Without NAME, all of its names go.',
  positionals: {usage: 'IMAGE [NAME[:TAG]...]', min: 1, max: Number.POSITIVE_INFINITY},
  options: {},
  execute(_options, {positionals: [image = '', ...names]}) {
    for (const name of engine().imageUntag(image, names)) writeOut(`Untagged: ${name}\n`);
    return 0;
  },
});
