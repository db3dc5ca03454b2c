import {writeFileSync} from 'node:fs';
import {resolve} from 'node:path';
import {KeelboxError} from '../../errors/keelbox-error';
import type {ContainerDetails} from '../../native';
import {writeOut} from '../../output/write';
import {isInteger, isOneOf, isWholeNumber} from '../checks';
import {detailsOf} from '../container/details';
import {type CommandContext, defineCommand, type OptionTable, type OptionValues} from '../definition';
import {packageVersion} from '../package-version';
import {quadletUnit} from './quadlet';
import {serviceUnit, type UnitOptions} from './service';

const options = {
  new: {kind: 'boolean', group: 'Options', help: 'Make the container at each start, and remove it when it ends'},
  template: {
    kind: 'boolean',
    group: 'Options',
    help: 'A unit for any number of instances, NAME@INSTANCE, each with a container of its own; says --new too',
  },
  name: {kind: 'boolean', short: 'n', group: 'Options', help: "Its name in the unit's name and words, not its id"},
  files: {kind: 'boolean', short: 'f', group: 'Output', help: 'Into a file in this directory; prints its path'},
  quadlet: {kind: 'boolean', group: 'Output', help: "A .container file of podman's Quadlet"},
  'no-header': {kind: 'boolean', group: 'Output', help: 'Without the comment at the beginning'},
  'restart-policy': {
    kind: 'value',
    value: 'POLICY',
    group: 'Options',
    help: "When systemd starts it again; default: always if the container's own policy is that, else on-failure",
    check: isOneOf('no', 'on-success', 'on-failure', 'on-abnormal', 'on-watchdog', 'on-abort', 'always'),
  },
  'restart-sec': {
    kind: 'value',
    value: 'SECONDS',
    group: 'Options',
    help: 'How long it waits before',
    check: isWholeNumber,
  },
  time: {
    kind: 'value',
    short: 't',
    aliases: ['stop-timeout'],
    value: 'SECONDS',
    group: 'Options',
    help: 'Time to end by itself before it is killed; default: what it was made with, else 10',
    check: isInteger,
  },
  after: {kind: 'list', value: 'UNIT', group: 'Options', help: 'Start it after this unit'},
  wants: {kind: 'list', value: 'UNIT', group: 'Options', help: 'Start this unit too'},
  requires: {kind: 'list', value: 'UNIT', group: 'Options', help: 'Do not start it without this unit'},
  env: {kind: 'list', short: 'e', value: 'KEY=VALUE', group: 'Options', help: 'A variable for keelbox in the unit'},
  'container-prefix': {
    kind: 'value',
    value: 'TEXT',
    group: 'Options',
    help: "Begins the unit's name; default container",
  },
  separator: {kind: 'value', value: 'TEXT', group: 'Options', help: 'After that; default -'},
} as const satisfies OptionTable;

type Options = OptionValues<typeof options>;

export const generateSystemdCommand = defineCommand({
  path: ['generate', 'systemd'],
  summary: 'Write a systemd unit for a container',
  description:
    'A service that runs the container for as long as it is active, and brings it back after a restart of the machine. It belongs into /etc/systemd/system, or into ~/.config/systemd/user for an ordinary user.',
  examples: [
    {
      command: 'keelbox generate systemd --name web > /etc/systemd/system/web.service',
      text: 'then systemctl enable --now web',
    },
    {command: 'keelbox generate systemd --new --files --name web', text: 'a new container at each start'},
    {
      command: 'keelbox generate systemd --template --name web > /etc/systemd/system/web@.service',
      text: 'then systemctl start web@1 web@2',
    },
    {command: 'keelbox generate systemd --quadlet web', text: 'for podman'},
  ],
  positionals: {usage: 'CONTAINER', min: 1, max: 1},
  options,
  later: {value: 'start-timeout pod-prefix format'},
  execute(flags, {positionals: [reference = ''], environment}) {
    const container = detailsOf(reference);
    const {file, text} = flags.quadlet ? quadlet(container, flags) : service(container, flags, environment);
    const header = flags['no-header'] ? '' : `# ${file}\n# written by keelbox ${packageVersion}\n\n`;
    if (flags.files) writeFileSync(file, header + text);
    writeOut(flags.files ? `${resolve(file)}\n` : header + text);
    return 0;
  },
});

function quadlet(container: ContainerDetails, flags: Options) {
  return {file: `${container.name}.container`, text: quadletUnit(container, flags['restart-policy'])};
}

function service(container: ContainerDetails, flags: Options, environment: CommandContext['environment']) {
  const isTemplate = flags.template === true;
  if (isTemplate && flags.new === false) {
    throw new KeelboxError('ERR_KEELBOX_USAGE', 'conflicting options: cannot specify both --template and --new=false', {
      hint: 'leave one out: each instance of a template is a container of its own',
    });
  }
  const reference = flags.name || flags.new ? container.name : container.id;
  const shown = flags.name ? container.name : container.id;
  const prefix = `${flags['container-prefix'] ?? 'container'}${flags.separator ?? '-'}`;
  const file = `${prefix}${shown}${isTemplate ? '@' : ''}.service`;
  const unit: UnitOptions = {
    keelbox: ownWords(environment),
    reference,
    isNew: flags.new === true || isTemplate,
    isTemplate,
    restart: flags['restart-policy'],
    restartSec: flags['restart-sec'],
    time: flags.time,
    after: flags.after,
    wants: flags.wants,
    requires: flags.requires,
    env: flags.env,
  };
  return {file, text: serviceUnit(container, unit)};
}

/** This Node, this keelbox, and the same state: a unit has another PATH and no variables of ours. */
function ownWords({KEELBOX_ROOT: root, KEELBOX_RUNROOT: runRoot}: CommandContext['environment']): string[] {
  const [, entry = 'keelbox'] = process.argv;
  return [
    process.execPath,
    '--',
    resolve(entry),
    ...(root ? [`--root=${root}`] : []),
    ...(runRoot ? [`--runroot=${runRoot}`] : []),
  ];
}
