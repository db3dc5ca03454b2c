import {engine} from '../engine';
import {KeelboxError} from '../errors/keelbox-error';
import type {ExecRequest} from '../native';
import {type CommandContext, defineCommand, type OptionValues} from './definition';
import {execOptions} from './exec/options';
import {splitCapabilities} from './process-options';
import {collectEnvironment} from './run/environment';
import {readClient} from './run/life';
import {readTerminal} from './run/terminal';

export const execCommand = defineCommand({
  path: ['exec'],
  aliases: [['container', 'exec']],
  summary: 'Run a command in a running container',
  description:
    'Flags come before CONTAINER; everything after it is the command. It has the namespaces and the control groups that the container has now, and its user, environment, directory and rights, where no flag says otherwise. Exit code: the command’s own, 128+n for signal n, 127 and 126 when it is not found or cannot be executed, 125 when the container does not run.',
  examples: [
    {command: 'keelbox exec -it web sh', text: 'a shell beside the container’s own command'},
    {command: 'keelbox exec -u postgres db psql -c "select 1"', text: 'as another user'},
    {command: 'keelbox exec -i db psql < dump.sql', text: 'with this file as its stdin'},
    {command: 'keelbox exec -d web touch /tmp/ready', text: 'without waiting for its end'},
  ],
  positionals: {usage: 'CONTAINER COMMAND [ARG...]', min: 0, max: Number.POSITIVE_INFINITY},
  guestArguments: true,
  options: execOptions,
  later: {value: 'preserve-fds preserve-fd cidfile', boolean: 'latest/l no-session'},
  execute(options, context) {
    const request = buildRequest(options, context);
    const client = readClient({'detach-keys': options['detach-keys']});
    const native = engine();
    if (options.detach === true) {
      native.execDetached(request);
      return 0;
    }
    return native.attach(native.execPrepare(request).handle, client);
  },
});

function buildRequest(options: OptionValues<typeof execOptions>, context: CommandContext): ExecRequest {
  const [reference, ...words] = context.positionals;
  const command = words[0] === '--' ? words.slice(1) : words;
  if (!reference || command.length === 0) {
    throw new KeelboxError('ERR_KEELBOX_USAGE', 'keelbox exec needs a CONTAINER and a COMMAND', {
      hint: 'keelbox exec -it NAME sh',
    });
  }
  const {tty, interactive, detach} = options;
  // Nobody types into a command without a client.
  const terminal = readTerminal({tty, interactive}, context.environment, detach !== true);
  return {
    reference,
    command,
    env: collectEnvironment(options['env-file'], options.env, context.environment),
    capAdd: options['cap-add'].flatMap(splitCapabilities),
    ...terminal,
    ...(interactive !== undefined && {interactive}),
    ...(options.workdir !== undefined && {cwd: options.workdir}),
    ...(options.user !== undefined && {user: options.user}),
    ...(options.privileged !== undefined && {privileged: options.privileged}),
    stdio: {type: 'inherit'},
  };
}
