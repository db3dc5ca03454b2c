import type {StoreProblem} from '../../border/images';
import {engine} from '../../engine';
import {writeOut} from '../../output/write';
import {defineCommand} from '../definition';

export const systemCheckCommand = defineCommand({
  path: ['system', 'check'],
  summary: 'Check the store of images, and repair it',
  description:
    'Prints a line for each problem. Exit code 0: there is none, or all have been repaired; 1: there are some. Repairing removes what is broken or left over, and unpacks a layer again where its blob is sound.',
  positionals: {usage: '', min: 0, max: 0},
  options: {
    quick: {kind: 'boolean', short: 'q', group: 'Options', help: 'Do not hash the blobs'},
    repair: {kind: 'boolean', short: 'r', group: 'Options', help: 'Repair what can be repaired, remove what cannot'},
    json: {kind: 'boolean', group: 'Output', help: 'One JSON array in the schema of keelbox, which only ever grows'},
  },
  later: {boolean: 'force/f', value: 'max/m'},
  async execute({quick = false, repair = false, json}) {
    const problems = await engine().storeCheck({quick, repair});
    writeOut(json ? `${JSON.stringify(problems, null, 2)}\n` : problems.map(line).join(''));
    return problems.every(({repaired}) => repaired) ? 0 : 1;
  },
});

function line({what, path, repaired}: StoreProblem): string {
  return `${repaired ? 'repaired: ' : ''}${what}: ${path}\n`;
}
