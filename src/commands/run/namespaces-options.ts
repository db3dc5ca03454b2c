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
    value: 'auto|host|container:NAME|ns:PATH',
    group: 'Isolation',
    help: "A range of user ids of its own (the default), the host's ids, or another's",
  },
} as const satisfies OptionTable;
