import {nearest} from '../cli/nearest';
import {KeelboxError} from '../errors/keelbox-error';
import {findPage, pageNames, topicList} from '../explain/pages';
import {terminalWidth, wrap} from '../output/terminal';
import {writeOut} from '../output/write';
import {defineCommand} from './definition';

const readableWidth = 88;

export const explainCommand = defineCommand({
  path: ['explain'],
  summary: 'Explain a topic or an error code in one page',
  examples: [
    {command: 'keelbox explain', text: 'all topics and codes'},
    {command: 'keelbox explain pivot_root', text: 'how a container gets its own root directory'},
    {command: 'keelbox explain ERR_KEELBOX_USERNS', text: 'what the code means, and what to do'},
  ],
  positionals: {usage: '[TOPIC|CODE]', min: 0, max: Number.POSITIVE_INFINITY},
  options: {},
  execute(_options, {positionals}) {
    writeOut(positionals.length === 0 ? topicList() : pageText(positionals.join(' ')));
    return 0;
  },
});

function pageText(name: string): string {
  const page = findPage(name);
  if (page === undefined) throw unknownTopic(name);
  const width = Math.min(readableWidth, terminalWidth(1));
  return `${page
    .split('\n')
    .flatMap(line => wrapProse(line, width))
    .join('\n')}\n`;
}

/** Indented lines are commands, tables and code. */
function wrapProse(line: string, width: number): string[] {
  return line.startsWith('  ') ? [line] : wrap(line, width);
}

function unknownTopic(name: string): KeelboxError {
  const near = nearest(name, pageNames());
  const hint = near === undefined ? 'keelbox explain lists the topics' : `did you mean keelbox explain ${near}?`;
  return new KeelboxError('ERR_KEELBOX_USAGE', `there is no page about "${name}"`, {hint});
}
