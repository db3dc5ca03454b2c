/** Flags about limits, groups, kernel settings and data that is only recorded. */
import {isInteger, isOctalMode, isOneOf} from '../checks';
import type {OptionTable} from '../definition';

export const confinementOptions = {
  nested: {
    kind: 'boolean',
    group: 'Isolation',
    help: 'Let a container engine work inside: namespaces, mounts, /dev/fuse, a control group to change',
  },
  sysctl: {
    kind: 'list',
    value: 'KEY=VALUE',
    group: 'Isolation',
    help: "Change a kernel setting of the container's own namespaces, such as net.ipv4.ip_forward=1",
  },
  'group-add': {
    kind: 'list',
    value: 'GROUP',
    group: 'Process',
    help: 'Put the user into another group, by name or number; keep-groups: those of the caller',
  },
  umask: {
    kind: 'value',
    value: 'MODE',
    group: 'Process',
    help: 'Permissions that new files do not get; default: 0022',
    check: isOctalMode,
  },
  personality: {
    kind: 'value',
    value: 'LINUX|LINUX32',
    group: 'Process',
    help: 'What kind of machine uname shows',
    check: isOneOf('LINUX', 'LINUX32'),
  },
  'env-host': {kind: 'boolean', group: 'Process', help: 'Pass all of the caller’s variables on'},
  unsetenv: {kind: 'list', value: 'KEY', group: 'Process', help: "Leave out one of the image's or the usual variables"},
  'unsetenv-all': {kind: 'boolean', group: 'Process', help: 'No variables but those named with -e and --env-file'},
  ulimit: {
    kind: 'list',
    value: 'TYPE=SOFT[:HARD]',
    group: 'Limits',
    help: 'Set a resource limit, such as nofile=1024:4096 or core=-1; host: the caller’s own limits',
  },
  'oom-score-adj': {
    kind: 'value',
    value: 'NUMBER',
    group: 'Limits',
    help: 'Whom the kernel ends first when memory is short: -1000 (never) to 1000',
    check: isInteger,
  },
  domainname: {kind: 'value', value: 'NAME', group: 'Isolation', help: 'NIS domain name inside'},
  'no-hosts': {kind: 'boolean', group: 'Files', help: 'Leave /etc/hosts as the image has it'},
  'no-hostname': {kind: 'boolean', group: 'Files', help: 'Leave /etc/hostname as the image has it'},
  label: {kind: 'list', short: 'l', value: 'KEY=VALUE', group: 'Container', help: 'Attach a word to it'},
  'label-file': {kind: 'list', value: 'FILE', group: 'Container', help: 'Read labels from a file, one a line'},
  annotation: {
    kind: 'list',
    value: 'KEY=VALUE',
    group: 'Container',
    help: 'The same for runtimes; recorded only: no annotation changes anything',
  },
} as const satisfies OptionTable;
