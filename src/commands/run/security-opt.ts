/** `--security-opt`, in docker's and podman's words. What is named and cannot be had is an error, never passed over. */
import {readdirSync} from 'node:fs';
import {resolve} from 'node:path';
import type {ConfinementRequest} from '../../border/confinement';
import {invalidArgument} from '../../errors/keelbox-error';
import type {RunRequest} from '../../native';

export type SecurityRequest = Pick<RunRequest, 'noNewPrivileges' | 'seccomp' | 'maskedPaths'> & {
  confinement: ConfinementRequest;
};

type Reader = (request: SecurityRequest, value: string | undefined, option: string) => void;

const readers: Readonly<Record<string, Reader>> = {
  'no-new-privileges': (request, value, option) => {
    request.noNewPrivileges = isTrue(option, value ?? 'true');
  },
  seccomp: (request, value, option) => {
    if (!value) throw invalid(option, 'expected seccomp=FILE, seccomp=unconfined or seccomp=default');
    else if (value === 'unconfined') request.seccomp = 'unconfined';
    else if (value === 'default' || value === 'builtin') request.seccomp = 'default';
    else request.seccomp = {profile: resolve(value)};
  },
  apparmor: (request, value, option) => {
    if (!value) throw invalid(option, 'expected apparmor=PROFILE or apparmor=unconfined');
    request.confinement.apparmor = value;
  },
  systempaths: (request, value, option) => {
    if (value !== 'unconfined') throw invalid(option, 'expected systempaths=unconfined');
    request.maskedPaths = false;
  },
  mask: (request, value, option) => {
    request.confinement.masks = [...(request.confinement.masks ?? []), ...paths(value, option)];
  },
  unmask: (request, value, option) => {
    const patterns = paths(value, option);
    if (patterns.some(pattern => pattern.toUpperCase() === 'ALL')) request.maskedPaths = false;
    else request.confinement.unmasks = [...(request.confinement.unmasks ?? []), ...patterns];
  },
  label: (_request, value, option) => readLabel(value, option),
  'proc-opts': (request, value, option) => {
    if (!value) throw invalid(option, 'expected proc-opts=hidepid=VALUE');
    request.confinement.procOptions = value.split(',');
  },
  'writable-cgroups': (request, value, option) => {
    request.confinement.writableCgroups = isTrue(option, value ?? 'true');
  },
};

export function readSecurityOptions(options: readonly string[], allowNewPrivileges: boolean): SecurityRequest {
  const request: SecurityRequest = {confinement: {}, ...(allowNewPrivileges && {noNewPrivileges: false})};
  for (const option of options) {
    // Docker took ":" first and "=" later, and takes both for ever.
    const [, key = option, value] = /^([^=:]+)[=:](.*)$/s.exec(option) ?? [];
    const read = Object.hasOwn(readers, key) ? readers[key] : undefined;
    if (read === undefined) throw invalid(option, `there are ${Object.keys(readers).join(', ')}`);
    read(request, value, option);
  }
  return request;
}

function invalid(option: string, why: string): Error {
  return invalidArgument(`invalid value "${option}" for --security-opt`, {why});
}

function isTrue(option: string, value: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw invalid(option, 'expected true or false');
}

function paths(value: string | undefined, option: string): string[] {
  const found = (value ?? '').split(':').filter(Boolean);
  if (found.length === 0) throw invalid(option, 'there is no path');
  for (const path of found) {
    if (!path.startsWith('/') && path.toUpperCase() !== 'ALL') throw invalid(option, `"${path}" is not absolute`);
  }
  return found;
}

/** A label that is not applied must not be taken for one that is (CVE-2025-64750). */
function readLabel(value: string | undefined, option: string): void {
  if (value === 'disable') return;
  if (!/^(user|role|type|level|filetype|nested)(:|$)/.test(value ?? '')) {
    throw invalid(
      option,
      'expected label=disable, label=type:TYPE, label=level:LEVEL, label=user:USER, label=role:ROLE',
    );
  }
  throw invalidArgument(`cannot set ${option}`, {
    why: hasSelinux() ? 'keelbox does not set SELinux labels' : 'this machine has no SELinux',
    hint: 'leave it out; label=disable is taken, and changes nothing',
  });
}

function hasSelinux(): boolean {
  try {
    return readdirSync('/sys/fs/selinux').length > 0;
  } catch {
    return false;
  }
}
