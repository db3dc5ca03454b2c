/** The flags of `run` and `create` about the time after the start. */
import {isDuration, isInteger, isOneOf, isSignal, isWholeNumber} from '../checks';
import type {OptionTable} from '../definition';

export const lifeOptions = {
  attach: {
    kind: 'list',
    short: 'a',
    value: 'stdin|stdout|stderr',
    group: 'Process',
    help: 'Take part in these only; default: what -i, -t and -d say',
  },
  restart: {
    kind: 'value',
    value: 'POLICY',
    group: 'Life',
    help: 'When it is started again: no, on-failure[:N], always, unless-stopped',
  },
  'stop-signal': {
    kind: 'value',
    value: 'SIGNAL',
    group: 'Life',
    help: "What stop sends; default: the image's, else SIGTERM",
    check: isSignal,
  },
  'stop-timeout': {
    kind: 'value',
    value: 'SECONDS',
    group: 'Life',
    help: 'How long stop waits before it kills; -1: for ever; default 10',
    check: isInteger,
  },
  timeout: {
    kind: 'value',
    value: 'SECONDS',
    group: 'Life',
    help: 'End it when it has run so long; 0: never',
    check: isWholeNumber,
  },
  replace: {kind: 'boolean', group: 'Life', help: 'Remove a container that has the name of --name first'},
  expose: {kind: 'list', value: 'PORT[/PROTO]', group: 'Life', help: 'A port that it listens on; recorded only'},

  'log-driver': {
    kind: 'value',
    value: 'DRIVER',
    group: 'Log',
    help: 'Where its output is kept: json-file (the default), journald, none, passthrough',
    check: isOneOf('json-file', 'k8s-file', 'local', 'journald', 'none', 'passthrough'),
  },
  'log-opt': {
    kind: 'list',
    value: 'KEY=VALUE',
    group: 'Log',
    help: 'max-size=SIZE, max-file=NUMBER, path=FILE, tag=TEXT',
  },

  'health-cmd': {
    kind: 'value',
    value: 'COMMAND',
    group: 'Health',
    help: 'A line for its shell that fails when it is not well, or a JSON list of words; none: no check',
  },
  'health-interval': {
    kind: 'value',
    value: 'DURATION',
    group: 'Health',
    help: 'Between two checks; default 30s',
    check: isDuration,
  },
  'health-timeout': {
    kind: 'value',
    value: 'DURATION',
    group: 'Health',
    help: 'A check that takes longer has failed; default 30s',
    check: isDuration,
  },
  'health-retries': {
    kind: 'value',
    value: 'NUMBER',
    group: 'Health',
    help: 'Failures in a row that make it unhealthy; default 3',
    check: isWholeNumber,
  },
  'health-start-period': {
    kind: 'value',
    value: 'DURATION',
    group: 'Health',
    help: 'Time after the start in which failures do not count; default 0s',
    check: isDuration,
  },
  'health-start-interval': {
    kind: 'value',
    value: 'DURATION',
    group: 'Health',
    help: 'Between two checks during that time; default 5s',
    check: isDuration,
  },
  'health-on-failure': {
    kind: 'value',
    value: 'none|kill|restart|stop',
    group: 'Health',
    help: 'What to do when it becomes unhealthy',
    check: isOneOf('none', 'kill', 'restart', 'stop'),
  },
  'no-healthcheck': {kind: 'boolean', group: 'Health', help: "Leave out the image's check"},
} as const satisfies OptionTable;

/** Those that need the command to stay, and so are no part of `create`. */
export const clientOptions = {
  detach: {kind: 'boolean', short: 'd', group: 'Process', help: 'Leave it running, and print its id'},
  'detach-keys': {
    kind: 'value',
    value: 'KEYS',
    group: 'Process',
    help: 'Keys that leave it running and end this command; default ctrl-]; none: empty',
  },
  'sig-proxy': {
    kind: 'boolean',
    group: 'Process',
    help: 'Pass signals on to it (the default); --sig-proxy=false keeps them here',
  },
} as const satisfies OptionTable;
