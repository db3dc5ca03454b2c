/** The flags of `run` for mounts, volumes and devices. */
import {isOneOf} from '../checks';
import type {OptionTable} from '../definition';

export const storageOptions = {
  volume: {
    kind: 'list',
    short: 'v',
    value: '[SRC:]DST[:OPTIONS]',
    group: 'Files',
    help: 'Show a path of the host, or keep a named volume, inside; options: ro, rslave, U, O, noexec, ...',
  },
  mount: {
    kind: 'list',
    value: 'KEY=VALUE,...',
    group: 'Files',
    help: 'The same in long form: type=bind|volume|tmpfs,src=...,dst=...,readonly',
  },
  tmpfs: {
    kind: 'list',
    value: 'DST[:OPTIONS]',
    group: 'Files',
    help: 'An empty directory in memory, such as /run:size=64m',
  },
  'volumes-from': {
    kind: 'list',
    value: 'CONTAINER[:ro]',
    group: 'Files',
    help: 'Mount what another container has mounted',
  },
  tz: {
    kind: 'value',
    value: 'ZONE',
    group: 'Files',
    help: "The time zone: local (this machine's), or a name such as Europe/Berlin",
  },
  'volume-driver': {
    kind: 'value',
    value: 'local',
    group: 'Files',
    help: 'The only driver of volumes',
    check: isOneOf('local'),
  },
  'shm-size': {
    kind: 'value',
    value: 'BYTES',
    group: 'Files',
    help: 'Size of /dev/shm, such as 256m; 0: no limit; default 64m',
  },
  device: {
    kind: 'list',
    value: 'HOST[:DST[:rwm]]',
    group: 'Files',
    help: 'Add a device of the host, or a directory of them',
  },
} as const satisfies OptionTable;
