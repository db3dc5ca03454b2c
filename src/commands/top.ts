import {engine} from '../engine';
import {notYet} from '../errors/keelbox-error';
import {formatColumns} from '../output/columns';
import {writeOut} from '../output/write';
import {defineCommand} from './definition';

export const topCommand = defineCommand({
  path: ['top'],
  aliases: [['container', 'top']],
  summary: 'Show the processes of a container',
  description:
    'What "ps -ef" would show of a container, with the numbers that this machine has for processes and users. Nothing in the container is run for it. Words after the name choose columns: options of ps such as "-eo pid,comm", or pid cpid ppid user args comm etime state and the like (cpid: the number inside). Exit code 1: there is no such container.',
  examples: [
    {command: 'keelbox top web', text: "docker's columns"},
    {command: 'keelbox top web pid cpid user args', text: 'these columns'},
    {command: 'keelbox top web -eo pid,comm', text: 'the same, in the words of ps'},
  ],
  positionals: {usage: 'CONTAINER [COLUMN|PS-OPTION...]', min: 0, max: Number.POSITIVE_INFINITY},
  guestArguments: true,
  options: {
    json: {kind: 'boolean', group: 'Options', help: 'A list of objects, one for each process'},
  },
  later: {boolean: 'latest/l'},
  execute({json}, {positionals}) {
    const [reference, ...words] = positionals;
    if (reference === undefined) throw notYet('keelbox top without a container');
    const isJson = json === true || words.includes('--json');
    const {titles, processes} = engine().top(
      reference,
      words.filter(word => word !== '--json'),
    );
    if (isJson) {
      const rows = processes.map(row => Object.fromEntries(titles.map((title, at) => [title.toLowerCase(), row[at]])));
      writeOut(`${JSON.stringify(rows)}\n`);
    } else writeOut(formatColumns([titles, ...processes]));
    return 0;
  },
});
