/** A systemd service that runs a container: `keelbox start -a` is its main process, so that systemd sees the container's end. */
import type {ContainerDetails} from '../../native';
import {policyOf} from '../inspect/policy';
import {runWords} from './run-words';
import {commandLine, quotedWord, type Section, unitText} from './unit-words';

/** What else the unit needs than the container itself: stop has that long to kill what does not end, and to clean up. */
const secondsToCleanUp = 60;

export interface UnitOptions {
  /** How the unit calls keelbox: node, our entry, and the flags that lead to the same state. */
  keelbox: readonly string[];
  /** What it calls the container. */
  reference: string;
  isNew: boolean;
  /** It has instances, whose name systemd puts in the place of `%i`. */
  isTemplate: boolean;
  restart?: string | undefined;
  restartSec?: string | undefined;
  /** Seconds until SIGKILL. */
  time?: string | undefined;
  after: readonly string[];
  wants: readonly string[];
  requires: readonly string[];
  env: readonly string[];
}

export function serviceUnit(container: ContainerDetails, options: UnitOptions): string {
  const {time, after, wants, requires} = options;
  const seconds = time === undefined ? container.stopTimeout : Number(time);
  return unitText([
    {
      name: 'Unit',
      settings: [
        ['Description', `keelbox container ${container.name}${options.isTemplate ? '-%i' : ''}`],
        ['Wants', ['network-online.target', ...wants].join(' ')],
        ['Requires', requires.length > 0 ? requires.join(' ') : undefined],
        ['After', ['network-online.target', ...after].join(' ')],
        ['RequiresMountsFor', quotedWord(container.paths.data)],
      ],
    },
    {
      name: 'Service',
      settings: [
        ...options.env.map(pair => ['Environment', quotedWord(pair)] as const),
        ['Type', 'simple'],
        ['Restart', options.restart ?? restartOf(container.restartPolicy)],
        ['RestartSec', options.restartSec],
        ['TimeoutStopSec', seconds < 0 ? 'infinity' : String(seconds + secondsToCleanUp)],
        ...(options.isNew ? commandsOfNew(container, options) : commandsOf(options)),
      ],
    },
    // The system's manager and a user's both have it.
    {name: 'Install', settings: [['WantedBy', 'default.target']]},
  ] satisfies Section[]);
}

/** Stronger policies of the container's are kept; without one, a failure is worth another try, as podman has it. */
export function restartOf(policy: string): string {
  const {Name: name} = policyOf(policy);
  return name === 'always' || name === 'unless-stopped' ? 'always' : 'on-failure';
}

const timeWords = (time: string | undefined) => (time === undefined ? [] : ['-t', time]);

function commandsOf({keelbox, reference, time}: UnitOptions): [string, string][] {
  return [
    ['ExecStart', commandLine([...keelbox, 'start', '-a', reference])],
    ['ExecStop', commandLine([...keelbox, 'stop', ...timeWords(time), reference])],
  ];
}

function commandsOfNew({name, request}: ContainerDetails, options: UnitOptions): [string, string][] {
  const {keelbox, time, isTemplate} = options;
  // systemd's own words, which must not be quoted: the unit's runtime directory and name; the instance.
  const file = '%t/%n.ctr-id';
  const start = commandLine([...keelbox, 'run', '--rm', '--replace', `--name=${name}`]) + (isTemplate ? '-%i' : '');
  const stop = commandLine([...keelbox, 'stop', '--ignore', ...timeWords(time)]);
  const remove = commandLine([...keelbox, 'rm', '-f', '--ignore']);
  return [
    ['ExecStartPre', `/bin/rm -f ${file}`],
    ['ExecStart', `${start} --cidfile=${file} ${commandLine(runWords(request))}`],
    ['ExecStop', `${stop} --cidfile=${file}`],
    ['ExecStopPost', `${remove} --cidfile=${file}`],
  ];
}
