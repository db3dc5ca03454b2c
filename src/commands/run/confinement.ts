/** What the container may do: limits, groups, kernel settings, masks, and data that is only recorded. */
import {readFileSync} from 'node:fs';
import type {ConfinementRequest} from '../../border/confinement';
import {invalidArgument, KeelboxError} from '../../errors/keelbox-error';
import type {RunRequest} from '../../native';
import type {RunOptions} from './request';
import {readSecurityOptions} from './security-opt';

type Confined = Pick<RunRequest, 'noNewPrivileges' | 'seccomp' | 'maskedPaths' | 'confinement'>;

export function readConfinement(options: RunOptions): Confined {
  const {confinement: fromOptions, ...security} = readSecurityOptions(
    options['security-opt'],
    options['allow-new-privileges'] === true,
  );
  const confinement = {...fromOptions, ...settings(options), ...lists(options)};
  return {
    // newuidmap and newgidmap, by which an engine inside gets its range of ids, are set-user-id.
    ...(options.nested === true && {noNewPrivileges: false}),
    ...security,
    ...(Object.keys(confinement).length > 0 && {confinement}),
  };
}

function settings(options: RunOptions): ConfinementRequest {
  const {umask, personality, domainname} = options;
  const score = options['oom-score-adj'];
  return {
    ...(options.nested === true && {nested: true}),
    ...(umask !== undefined && {umask: Number.parseInt(umask, 8)}),
    ...(score !== undefined && {oomScoreAdj: Number(score)}),
    ...(domainname !== undefined && {domainname}),
    ...(personality !== undefined && {personality}),
    ...(options['unsetenv-all'] === true && {unsetEnvAll: true}),
    ...(options['no-hosts'] === true && {noHosts: true}),
    ...(options['no-hostname'] === true && {noHostname: true}),
  };
}

function lists(options: RunOptions): ConfinementRequest {
  const found: ConfinementRequest = {
    sysctls: [...options.sysctl],
    ulimits: [...options.ulimit],
    groupAdd: [...options['group-add']],
    unsetEnv: [...options.unsetenv],
    annotations: options.annotation.map(text => keyed('--annotation', text, true)),
    labels: [
      ...options['label-file'].flatMap(fromLabelFile),
      ...options.label.map(text => keyed('--label', text, false)),
    ],
  };
  return Object.fromEntries(Object.entries(found).filter(([, list]) => list.length > 0));
}

function keyed(flag: string, text: string, needsValue: boolean): string {
  if (text === '' || text.startsWith('=') || (needsValue && !text.includes('='))) {
    throw invalidArgument(`invalid ${flag} "${text}"`, {why: 'expected KEY=VALUE'});
  }
  return text;
}

function fromLabelFile(file: string): string[] {
  const lines = readText(file).split(/\r?\n/);
  return lines
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => keyed('--label-file', line, false));
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const {code} = cause as NodeJS.ErrnoException;
    throw new KeelboxError('ERR_KEELBOX_INVALID_ARG', `cannot read --label-file ${file}`, {
      why: code === 'ENOENT' ? 'there is no such file' : String(code ?? cause),
      cause,
    });
  }
}
