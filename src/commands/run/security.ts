/** `--security-opt`: the words that are understood today. */
import {invalidArgument, notYet} from '../../errors/keelbox-error';
import type {RunRequest} from '../../native';

type SecurityRequest = Pick<RunRequest, 'noNewPrivileges' | 'seccomp' | 'maskedPaths'>;

export function readSecurityOptions(options: readonly string[], allowNewPrivileges: boolean): SecurityRequest {
  const request: SecurityRequest = allowNewPrivileges ? {noNewPrivileges: false} : {};
  for (const option of options) Object.assign(request, readSecurityOption(option));
  return request;
}

function readSecurityOption(option: string): SecurityRequest {
  // Docker took ":" first and "=" later, and takes both for ever.
  const [, key = option, value] = /^([^=:]+)[=:](.*)$/s.exec(option) ?? [];
  switch (key) {
    case 'no-new-privileges':
      return {noNewPrivileges: isTrue(option, value ?? 'true')};
    case 'seccomp':
      if (value === 'unconfined') return {seccomp: 'unconfined'};
      if (value === 'default' || value === 'builtin') return {seccomp: 'default'};
      throw notYet(`keelbox run --security-opt ${option} (a profile of your own)`);
    case 'systempaths':
      if (value === 'unconfined') return {maskedPaths: false};
      break;
    case 'apparmor':
    case 'label':
    case 'mask':
    case 'unmask':
    case 'proc-opts':
    case 'writable-cgroups':
      throw notYet(`keelbox run --security-opt ${option}`);
  }
  throw invalidArgument(`invalid value "${option}" for --security-opt`, {
    why: 'expected no-new-privileges[=true|false], seccomp=unconfined or systempaths=unconfined',
  });
}

function isTrue(option: string, value: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw invalidArgument(`invalid value "${option}" for --security-opt`, {why: 'expected true or false'});
}
