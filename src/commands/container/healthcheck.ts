import {engine} from '../../engine';
import {writeErr, writeOut} from '../../output/write';
import {defineCommand} from '../definition';

const unhealthy = 1;
const failed = 125;

export const healthcheckRunCommand = defineCommand({
  path: ['healthcheck', 'run'],
  summary: 'Run the health check of a container',
  description:
    'Once, now; it counts as one of its own. Exit code 0: it is well; 1: it is not, which is printed; 125: there is no such container, it does not run, or it has no check.',
  examples: [{command: 'keelbox healthcheck run web || keelbox restart web', text: 'from cron'}],
  positionals: {usage: 'CONTAINER', min: 1, max: 1},
  options: {
    'ignore-result': {kind: 'boolean', group: 'Options', help: 'Exit 0 also when it is not well'},
  },
  execute(options, {positionals: [reference = ''], report}) {
    const answer = check(reference, report);
    if (answer === undefined) return failed;
    if (answer.exitCode === 0) return 0;
    writeOut('unhealthy\n');
    if (answer.output.trim() !== '') writeErr(`${answer.output.trimEnd()}\n`);
    return options['ignore-result'] ? 0 : unhealthy;
  },
});

/** 1 means unhealthy here, so that a missing container must not exit with it. */
function check(reference: string, report: (error: unknown) => number) {
  try {
    return engine().act({verb: 'healthcheck', reference});
  } catch (error) {
    report(error);
    return undefined;
  }
}
