import {engine} from '../../engine';
import {formats} from '../../output/formats';
import {writeOut} from '../../output/write';
import {defineCommand} from '../definition';
import {volumeDocument} from './rows';

export const volumeInspectCommand = defineCommand({
  path: ['volume', 'inspect'],
  summary: 'Show everything about a volume',
  description: 'Prints a JSON array of those that there are. Exit code 1: one is missing.',
  examples: [{command: "keelbox volume inspect -f '{{.Mountpoint}}' data", text: 'where its files are'}],
  positionals: {usage: 'VOLUME [VOLUME...]', min: 1, max: Number.POSITIVE_INFINITY},
  options: {
    format: {kind: 'value', short: 'f', value: 'json|TEMPLATE', group: 'Output', help: 'A Go template for each'},
  },
  later: {boolean: 'all/a'},
  execute(options, context) {
    let worst = 0;
    const documents = context.positionals.flatMap(name => {
      try {
        return [volumeDocument(engine().inspectVolume(name))];
      } catch (error) {
        worst = Math.max(worst, context.report(error));
        return [];
      }
    });
    const {format} = options;
    writeOut(
      format === undefined ? `${JSON.stringify(documents, null, 4)}\n` : formats().formatEach(format, documents),
    );
    return worst;
  },
});
