/** Which containers a verb is about: names, the ids in files, or a choice among all. */
import {readFileSync} from 'node:fs';
import {engine} from '../../engine';
import {KeelboxError} from '../../errors/keelbox-error';
import type {ContainerSummary} from '../../native';
import {formats} from '../../output/formats';
import {isFilePath} from '../checks';
import type {CommandContext, OptionTable} from '../definition';
import {filterHelp, psFilters} from '../ps/filters';

export const manyContainers = {usage: 'CONTAINER [CONTAINER...]', min: 0, max: Number.POSITIVE_INFINITY} as const;

/** Podman's flags, which all verbs for several containers have. */
export const targetOptions = {
  all: {kind: 'boolean', short: 'a', group: 'Choice', help: 'All that it makes sense for'},
  latest: {kind: 'boolean', short: 'l', group: 'Choice', help: 'The one created last'},
  filter: {kind: 'list', short: 'f', value: 'KEY=VALUE', group: 'Choice', help: `Those that match: ${filterHelp}`},
  cidfile: {
    kind: 'list',
    value: 'FILE',
    group: 'Choice',
    help: 'The one whose id is in this file, as --cidfile of run writes it',
    check: isFilePath,
  },
  ignore: {kind: 'boolean', short: 'i', group: 'Options', help: 'One that is not there is no error'},
} as const satisfies OptionTable;

export interface TargetFlags {
  all?: boolean | undefined;
  latest?: boolean | undefined;
  filter?: readonly string[];
  cidfile?: readonly string[];
  ignore?: boolean | undefined;
}

/**
 * The references, as typed where they were typed. `suits` says which ones `--all` and `--filter` mean: stopping makes
 * sense for a container that runs.
 */
export function chooseTargets(
  verb: string,
  flags: TargetFlags,
  {positionals}: Pick<CommandContext, 'positionals'>,
  suits: (container: ContainerSummary) => boolean,
): string[] {
  const {filter = [], cidfile = []} = flags;
  const named = [...positionals, ...cidfile.flatMap(file => idIn(file, flags.ignore === true))];
  const choice = flags.all ? '--all' : flags.latest ? '--latest' : filter.length > 0 ? '--filter' : undefined;
  if (choice === undefined) {
    if (named.length === 0 && cidfile.length === 0) throw needsOne(verb);
    return named;
  }
  if (named.length > 0 || (flags.all && flags.latest)) {
    const other = named.length > 0 ? 'names' : '--latest';
    throw new KeelboxError('ERR_KEELBOX_USAGE', `${choice} and ${other} are two answers to the same question`, {
      hint: `give one of them: keelbox ${verb} ${choice}, or keelbox ${verb} CONTAINER`,
    });
  }
  return choose(flags, suits).map(({id}) => id);
}

function choose({latest, filter = []}: TargetFlags, suits: (container: ContainerSummary) => boolean) {
  const all = engine()
    .list({all: true})
    .sort((a, b) => b.createdAt - a.createdAt);
  const matches = filter.length > 0 ? formats().readFilters(psFilters(all), filter) : () => true;
  // The latest is the latest of all: that it does not suit is for the verb to say.
  return latest ? all.filter(matches).slice(0, 1) : all.filter(suits).filter(matches);
}

function needsOne(verb: string): KeelboxError {
  return new KeelboxError('ERR_KEELBOX_USAGE', `keelbox ${verb} needs an argument: ${manyContainers.usage}`, {
    hint: `keelbox ps -a lists containers; keelbox ${verb} --help lists other ways to choose some`,
  });
}

function idIn(file: string, mayBeMissing: boolean): string[] {
  try {
    return [readFileSync(file, 'utf8').trim()];
  } catch (cause) {
    const {code} = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' && mayBeMissing) return [];
    throw new KeelboxError('ERR_KEELBOX_INVALID_ARG', `cannot read --cidfile ${file}`, {
      why: code === 'ENOENT' ? 'there is no such file' : String(code ?? cause),
      cause,
    });
  }
}

export const isRunning = ({status}: ContainerSummary) => status === 'running';

/** Has processes, or will have some by itself. */
export const isActive = ({status}: ContainerSummary) =>
  status === 'running' || status === 'paused' || status === 'restarting';
