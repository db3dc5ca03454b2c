/** The flags of `exec`. Names and short forms are docker's and podman's; the meaning of each too. */
import type {OptionDefinition, OptionTable} from '../definition';
import {capAdd, processOptions} from '../process-options';
import {clientOptions} from '../run/life-options';

/** What is not said is as the container has it. */
function elseItsOwn<T extends OptionDefinition>(option: T): T {
  return {...option, help: `${option.help}; default: the container's`};
}

export const execOptions = {
  detach: {kind: 'boolean', short: 'd', group: 'Process', help: 'Return at once; its output goes nowhere'},
  ...processOptions,
  workdir: elseItsOwn(processOptions.workdir),
  user: elseItsOwn(processOptions.user),
  'detach-keys': clientOptions['detach-keys'],
  privileged: {
    kind: 'boolean',
    group: 'Isolation',
    help: 'All capabilities that the container’s user namespace can give, no seccomp, no AppArmor',
  },
  'cap-add': {...capAdd, aliases: ['cap']},
} as const satisfies OptionTable;
