/** The flags of `run`, `create` and `exec` about one process: docker's names and short forms, the meaning of each too. */
import {isAbsolutePath, isUser} from './checks';
import type {OptionTable} from './definition';

export const processOptions = {
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
    help: 'Start in this directory',
    check: isAbsolutePath,
  },
  user: {
    kind: 'value',
    short: 'u',
    value: 'USER[:GROUP]',
    group: 'Process',
    help: 'Run as this user, by name or number',
    check: isUser,
  },
} as const satisfies OptionTable;

export const capAdd = {
  kind: 'list',
  value: 'CAP',
  group: 'Isolation',
  help: 'Add a Linux capability, or ALL',
} as const satisfies OptionTable[string];

/** `NET_ADMIN,SYS_TIME`: several in one word. */
export function splitCapabilities(text: string): string[] {
  return text.split(',').filter(Boolean);
}
