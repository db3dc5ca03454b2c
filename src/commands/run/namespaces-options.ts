/** The flags of `run` that choose its namespaces. */
import type {OptionTable} from '../definition';

export const namespacesOptions = {
  network: {
    kind: 'value',
    aliases: ['net'],
    value: 'none|host|container:NAME|ns:PATH',
    group: 'Isolation',
    help: "Loopback only (the default), the host's network, or another's",
  },
  pid: {
    kind: 'value',
    value: 'private|host|container:NAME|ns:PATH',
    group: 'Isolation',
    help: 'Whose processes it sees; default: its own',
  },
  ipc: {
    kind: 'value',
    value: 'private|host|none|container:NAME|ns:PATH',
    group: 'Isolation',
    help: 'Whose shared memory, semaphores and message queues; none: without /dev/shm',
  },
  'share-ipc': {
    kind: 'value',
    value: 'NAME',
    group: 'Isolation',
    help: "Another container's shared memory, as --ipc container:NAME has it",
  },
  uts: {
    kind: 'value',
    value: 'private|host|container:NAME|ns:PATH',
    group: 'Isolation',
    help: 'Whose host name',
  },
  cgroupns: {
    kind: 'value',
    value: 'private|host|container:NAME|ns:PATH',
    group: 'Isolation',
    help: 'How its control groups look: as its own root (the default), or as the host names them',
  },
  userns: {
    kind: 'value',
    value: 'auto|host|keep-id|nomap|container:NAME|ns:PATH',
    group: 'Isolation',
    help: "User ids of its own (the default), the host's, with yours kept, without yours, or another's",
  },
  uidmap: {
    kind: 'list',
    value: 'CONTAINER:HOST[:COUNT]',
    group: 'Isolation',
    help: 'Which user ids inside are which outside; for an ordinary user 0 outside is you, 1 your first subordinate id',
  },
  gidmap: {
    kind: 'list',
    value: 'CONTAINER:HOST[:COUNT]',
    group: 'Isolation',
    help: 'The same for group ids; default: as --uidmap',
  },
  subuidname: {kind: 'value', value: 'NAME', group: 'Isolation', help: 'Use the ranges that NAME has in /etc/subuid'},
  subgidname: {kind: 'value', value: 'NAME', group: 'Isolation', help: 'Use the ranges that NAME has in /etc/subgid'},
  'time-offset': {
    kind: 'value',
    value: '[CLOCK=]OFFSET',
    group: 'Isolation',
    help: 'Put the clocks boottime (uptime) and monotonic off, such as -1h or boottime=+2d,monotonic=5m',
  },
} as const satisfies OptionTable;
