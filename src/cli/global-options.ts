/** What may stand before the verb. */
import {resolve} from 'node:path';
import {isFilePath} from '../commands/checks';
import type {OptionTable, OptionValues} from '../commands/definition';
import {notYet} from '../errors/keelbox-error';
import {type Grammar, parse} from './parser';

export const globalOptions = {
  root: {
    kind: 'value',
    value: 'DIR',
    group: 'Global',
    help: 'Where images and containers are kept (KEELBOX_ROOT)',
    check: isFilePath,
  },
  runroot: {
    kind: 'value',
    value: 'DIR',
    group: 'Global',
    help: 'Where what ends with a reboot is kept (KEELBOX_RUNROOT)',
    check: isFilePath,
  },
  debug: {kind: 'boolean', short: 'D', group: 'Global', help: 'Stack traces with errors'},
  version: {kind: 'boolean', short: 'v', group: 'Global', help: 'Print the version'},
} as const satisfies OptionTable;

const grammar: Grammar = {
  path: [],
  options: globalOptions,
  guestArguments: true,
  later: {
    boolean: 'tls tlsverify remote/r syslog noout transient-store',
    list: 'host/H hooks-dir module storage-opt',
    value: `
      config context/c log-level/l tlscacert tlscert tlskey cgroup-manager conmon connection events-backend identity
      imagestore network-cmd-path network-config-dir out pull-option runtime runtime-flag ssh storage-driver tmpdir url
      volumepath cdi-spec-dir default-mounts-file`,
  },
};

export interface GlobalLine {
  /** The verb and everything behind it. */
  words: readonly string[];
  help: boolean;
  version: boolean;
}

/** Reads the flags before the verb; `--root`, `--runroot` and `--debug` go where the addon and the reports look. */
export function readGlobalOptions(argv: readonly string[]): GlobalLine {
  const parsed = parse(grammar, argv);
  const [later] = parsed.later;
  if (later !== undefined) throw notYet(`keelbox ${later}`);
  const options = parsed.options as OptionValues<typeof globalOptions>;
  if (options.root !== undefined) process.env.KEELBOX_ROOT = resolve(options.root);
  if (options.runroot !== undefined) process.env.KEELBOX_RUNROOT = resolve(options.runroot);
  if (options.debug) process.env.KEELBOX_DEBUG = '1';
  return {words: parsed.positionals, help: parsed.help, version: options.version === true};
}
