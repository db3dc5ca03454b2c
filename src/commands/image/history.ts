import type {ImageDescription, ImageHistory} from '../../border/images';
import {engine} from '../../engine';
import {formatColumns} from '../../output/columns';
import {formats} from '../../output/formats';
import {humanSize} from '../../output/size';
import {ago} from '../../output/time';
import {writeOut} from '../../output/write';
import {defineCommand} from '../definition';

const textLength = 45;
const shortIdLength = 12;

interface Step {
  id: string;
  created: number;
  createdBy: string;
  size: number;
  comment: string;
}

export const historyCommand = defineCommand({
  path: ['history'],
  aliases: [['image', 'history']],
  summary: 'Show the layers of an image',
  positionals: {usage: 'IMAGE', min: 1, max: 1},
  options: {
    format: {
      kind: 'value',
      value: 'table|json|TEMPLATE',
      group: 'Output',
      help: "A table, docker's JSON (one object per line), or a Go template",
    },
    human: {kind: 'boolean', short: 'H', group: 'Output', help: 'Sizes and times for people; --human=false: exact'},
    'no-trunc': {kind: 'boolean', group: 'Output', help: 'Do not shorten ids and commands'},
    quiet: {kind: 'boolean', short: 'q', group: 'Output', help: 'Only ids'},
  },
  later: {value: 'platform'},
  execute(options, {positionals: [image = '']}) {
    const steps = stepsOf(engine().imageDescribe(image));
    const isFull = options['no-trunc'] === true;
    const {format = ''} = options;
    const isPlain = ['', 'table'].includes(format);
    const rows = steps.map(step => fields(step, isFull, options.human !== false));
    if (options.quiet && isPlain) writeOut(rows.map(row => `${row.ID}\n`).join(''));
    else if (isPlain) {
      const cells = rows.map(row => [row.ID, row.CreatedSince, row.CreatedBy, row.Size, row.Comment]);
      writeOut(formatColumns([['IMAGE', 'CREATED', 'CREATED BY', 'SIZE', 'COMMENT'], ...cells]));
    } else writeOut(formats().formatRows(format, rows, fieldHeadings, historyTable));
    return 0;
  },
});

const historyTable = '{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}';
const fieldHeadings = {ID: 'IMAGE', CreatedSince: 'CREATED', CreatedAt: 'CREATED AT', CreatedBy: 'CREATED BY'};

/** The last step first; only that one is an image, the others were never images of their own here. */
function stepsOf({id, layers, config}: ImageDescription): Step[] {
  const history: readonly ImageHistory[] = config.history ?? layers.map(() => ({}));
  let next = 0;
  const steps = history.map(({created = '', created_by = '', comment = '', empty_layer = false}) => {
    const layer = empty_layer ? undefined : layers[next++];
    return {id: '<missing>', created: Date.parse(created), createdBy: created_by, comment, size: layer?.size ?? 0};
  });
  const [last] = steps.slice(-1);
  if (last) last.id = id;
  return steps.reverse();
}

function fields({id, created, createdBy, size, comment}: Step, isFull: boolean, human: boolean) {
  const hasTime = !Number.isNaN(created);
  const iso = hasTime ? new Date(created).toISOString().replace(/\.\d+Z$/, 'Z') : 'N/A';
  const since = hasTime ? ago(created, Date.now()) : 'N/A';
  return {
    Comment: comment,
    CreatedAt: iso,
    CreatedBy: printable(isFull ? createdBy : shortened(createdBy)),
    CreatedSince: human ? since : iso,
    ID: isFull || !id.startsWith('sha256:') ? id : id.slice('sha256:'.length, 'sha256:'.length + shortIdLength),
    Size: human ? humanSize(size) : String(size),
  };
}

function shortened(text: string): string {
  return [...text].length <= textLength ? text : `${[...text].slice(0, textLength - 1).join('')}…`;
}

/** A stranger's text must not move the terminal's cursor. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ');
}
