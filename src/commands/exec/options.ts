/** The flags of `exec`. Names and short forms are docker's and podman's; the meaning of each too. */
import {isAbsolutePath, isUser} from '../checks';
import type {OptionTable} from '../definition';

export const execOptions = {
  detach: {kind: 'boolean', short: 'd', group: 'Process', help: 'Return at once; its output goes nowhere'},
  interactive: {kind: 'boolean', short: 'i', group: 'Process', help: 'Connect stdin'},
  tty: {kind: 'boolean', short: 't', group: 'Process', help: 'Give it a terminal of its own'},
  env: {
    kind: 'list',
    short: 'e',
    value: 'KEY[=VALUE]',
    group: 'Process',
    help: "Set a variable; KEY alone passes the caller's value on",
  },
  'env-file': {
    kind: 'list',
    value: 'FILE',
    group: 'Process',
    help: 'Read variables from a file, one KEY[=VALUE] a line',
  },
  workdir: {
    kind: 'value',
    short: 'w',
    value: 'DIR',
    group: 'Process',
    help: "Start in this directory; default: the container's",
    check: isAbsolutePath,
  },
  user: {
    kind: 'value',
    short: 'u',
    value: 'USER[:GROUP]',
    group: 'Process',
    help: "Run as this user, by name or number; default: the container's",
    check: isUser,
  },
  'detach-keys': {
    kind: 'value',
    value: 'KEYS',
    group: 'Process',
    help: 'Keys that leave the command running and end this one; default ctrl-]; none: empty',
  },
  privileged: {
    kind: 'boolean',
    group: 'Isolation',
    help: 'All capabilities that the container’s user namespace can give, no seccomp, no AppArmor',
  },
  'cap-add': {
    kind: 'list',
    aliases: ['cap'],
    value: 'CAP',
    group: 'Isolation',
    help: 'Add a Linux capability, or ALL',
  },
} as const satisfies OptionTable;
