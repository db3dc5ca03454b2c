/** The flags of `run` and `create`. Names and short forms are docker's and podman's; the meaning of each too. */
import {isContainerName, isFilePath, isHostname, isOneOf} from '../checks';
import type {OptionTable} from '../definition';
import {capAdd, processOptions} from '../process-options';
import {confinementOptions} from './confinement-options';
import {clientOptions, lifeOptions} from './life-options';
import {namespacesOptions} from './namespaces-options';
import {storageOptions} from './storage-options';

export const createOptions = {
  rm: {kind: 'boolean', group: 'Container', help: 'Remove the container when it ends'},
  name: {
    kind: 'value',
    value: 'NAME',
    group: 'Container',
    help: 'Name it; default: made from the image, such as host-otter',
    check: isContainerName,
  },
  rootfs: {
    kind: 'value',
    value: 'DIR[:O]',
    group: 'Container',
    help: 'Use this directory instead of an image; :O keeps it unchanged under an overlay',
  },
  'from-binary': {
    kind: 'list',
    value: 'PATH',
    group: 'Container',
    help: 'Use a root of this program and the libraries it needs instead of an image; may be given several times',
    check: isFilePath,
  },
  cidfile: {
    kind: 'value',
    value: 'FILE',
    group: 'Container',
    help: 'Write the container id to a new file',
    check: isFilePath,
  },
  pidfile: {
    kind: 'value',
    value: 'FILE',
    group: 'Container',
    help: 'Write the pid of its first process, as the host sees it',
    check: isFilePath,
  },
  quiet: {kind: 'boolean', short: 'q', group: 'Container', help: 'No notices on stderr'},

  ...processOptions,
  entrypoint: {
    kind: 'value',
    value: 'COMMAND',
    group: 'Process',
    help: "Replace the image's entry point; empty clears it",
  },
  init: {
    kind: 'boolean',
    group: 'Process',
    help: 'Run a small init as pid 1 that reaps processes and forwards signals',
  },

  ...storageOptions,
  'read-only': {kind: 'boolean', group: 'Files', help: 'Make the root directory read-only'},

  hostname: {
    kind: 'value',
    short: 'h',
    value: 'NAME',
    group: 'Isolation',
    help: 'Host name inside; default: the short id',
    check: isHostname,
  },
  ...namespacesOptions,
  privileged: {
    kind: 'boolean',
    group: 'Isolation',
    help: 'Nearly no isolation: all capabilities, no seccomp, the ids of the host',
  },
  'cap-add': capAdd,
  'cap-drop': {kind: 'list', value: 'CAP', group: 'Isolation', help: 'Drop a Linux capability, or ALL'},
  'security-opt': {
    kind: 'list',
    value: 'OPT',
    group: 'Isolation',
    help: 'no-new-privileges[=BOOL], seccomp=FILE|unconfined, apparmor=PROFILE|unconfined, mask=PATH, unmask=PATH|ALL, systempaths=unconfined, label=disable',
  },
  'allow-new-privileges': {
    kind: 'boolean',
    aliases: ['allow-new-privs'],
    group: 'Isolation',
    help: 'Let setuid programs such as sudo and su work',
  },
  ...confinementOptions,
  ...lifeOptions,
} as const satisfies OptionTable;

export const runOptions = {
  ...createOptions,
  ...clientOptions,
  'dry-run': {
    kind: 'optional',
    value: 'text|json',
    implied: 'text',
    group: 'Learning',
    help: 'Print what would be done, step by step; create nothing',
    check: isOneOf('text', 'json'),
  },
  explain: {
    kind: 'boolean',
    group: 'Learning',
    help: 'Do it, and tell each step on stderr with the reason and the time it took',
  },
} as const satisfies OptionTable;
