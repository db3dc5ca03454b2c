/**
 * A request as the words of `run` that ask for the same. What belongs to one run alone (its name, files with ids, how it
 * was started) is left out: the unit says those.
 */
import type {IdmapRange, MountOptions, MountRequest, RunRequest} from '../../native';

export function runWords(request: RunRequest): string[] {
  const [flags, words] = rootWords(request);
  return [
    ...processWords(request),
    ...fileWords(request),
    ...isolationWords(request),
    ...confinementWords(request),
    ...lifeWords(request),
    ...flags,
    ...words,
  ];
}

const flag = (name: string, isSet: boolean | undefined) => (isSet === true ? [`--${name}`] : []);
const value = (name: string, text: string | number | undefined) => (text === undefined ? [] : [`--${name}=${text}`]);
const list = (name: string, texts: readonly string[] = []) => texts.map(text => `--${name}=${text}`);

/** The flags that name the root, and the bare words at the end. */
function rootWords({root, command}: RunRequest): [flags: string[], words: string[]] {
  if (root.type === 'image') return [[], [root.name, ...command]];
  const flags =
    root.type === 'rootfs'
      ? value('rootfs', `${root.path}${root.overlay ? ':O' : ''}`)
      : list('from-binary', root.programs);
  return [flags, command.length > 0 ? ['--', ...command] : []];
}

function processWords(request: RunRequest): string[] {
  const {env, cwd, user, entrypoint, init, tty, interactive} = request;
  return [
    ...list('env', env),
    ...value('workdir', cwd),
    ...value('user', user),
    ...value('entrypoint', entrypoint === undefined ? undefined : entrypointText(entrypoint)),
    ...flag('init', init),
    ...flag('tty', tty),
    ...flag('interactive', interactive),
  ];
}

/** One word is itself, unless it looks like a list. */
function entrypointText(words: readonly string[]): string {
  const [only = ''] = words;
  return words.length > 1 || only.startsWith('[') ? JSON.stringify(words) : only;
}

function fileWords({mounts = [], storage = {}, readonlyRoot}: RunRequest): string[] {
  return [
    ...mounts.map(mountWord),
    ...value('shm-size', storage.shmSize),
    ...list(
      'device',
      storage.devices?.map(({source, target}) => `${source}:${target}`),
    ),
    ...list(
      'volumes-from',
      storage.volumesFrom?.map(({container, readonly}) => `${container}${readonly ? ':ro' : ''}`),
    ),
    ...flag('read-only', readonlyRoot),
  ];
}

function mountWord(mount: MountRequest): string {
  if (mount.type === 'tmpfs') return `--tmpfs=${mount.target}${mount.options && `:${mount.options}`}`;
  const {source, subpath, isWritable} =
    mount.type === 'image'
      ? {source: mount.source, subpath: mount.subpath, isWritable: mount.writable === true}
      : {
          source: mount.type === 'bind' ? mount.source : mount.name,
          subpath: mount.options?.subpath,
          isWritable: !mount.readonly,
        };
  const options = mount.type === 'image' ? {} : (mount.options ?? {});
  // An overlay over a directory is only in the short form.
  if (options.overlay) return `--volume=${source}:${mount.target}:O`;
  const fields = [
    `type=${mount.type}`,
    ...(source === undefined ? [] : [`src=${source}`]),
    `dst=${mount.target}`,
    ...(isWritable ? (mount.type === 'image' ? ['readonly=false'] : []) : ['readonly']),
    ...(subpath === undefined ? [] : [`subpath=${subpath}`]),
    ...optionFields(options),
    ...(mount.type === 'volume' ? settingFields(mount.settings) : []),
  ];
  return `--mount=${fields.map(quoted).join(',')}`;
}

function optionFields(options: MountOptions): string[] {
  const {propagation = 'private', submounts = 'same', idmap} = options;
  const flags: (keyof MountOptions)[] = ['dev', 'noexec', 'nosuid', 'chown'];
  return [
    ...(propagation === 'private' ? [] : [`bind-propagation=${propagation}`]),
    ...(submounts === 'same' ? [] : [submounts === 'none' ? 'bind-nonrecursive' : 'bind-recursive=writable']),
    ...(idmap === undefined
      ? []
      : [`idmap=uids=${ranges(idmap.uids)}${idmap.gids.length > 0 ? `;gids=${ranges(idmap.gids)}` : ''}`]),
    ...flags.filter(name => options[name] === true),
    ...(options.nocopy ? ['volume-nocopy'] : []),
    ...(options.createSource ? ['bind-create-src'] : []),
    ...(options.relabel ? ['relabel=shared'] : []),
  ];
}

function ranges(all: readonly IdmapRange[]): string {
  return all.map(({from, to, count, relative}) => `${relative ? '@' : ''}${from}-${to}-${count}`).join('#');
}

function settingFields(settings: {options?: Record<string, string>; labels?: Record<string, string>} = {}): string[] {
  const pairs = (key: string, map: Record<string, string> = {}) =>
    Object.entries(map).map(([name, text]) => `${key}=${name}=${text}`);
  return [...pairs('volume-opt', settings.options), ...pairs('volume-label', settings.labels)];
}

/** As a field of comma-separated values. */
function quoted(field: string): string {
  return /[",]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

function isolationWords(request: RunRequest): string[] {
  const {
    hostname,
    network,
    userns,
    privileged,
    capAdd,
    capDrop,
    noNewPrivileges,
    maskedPaths,
    namespaces = {},
  } = request;
  const {seccomp = 'default'} = request;
  const profile = typeof seccomp === 'object' ? seccomp.profile : seccomp;
  return [
    ...value('hostname', hostname),
    ...value('network', network),
    ...value('userns', userns),
    ...value('pid', namespaces.pid),
    ...value('ipc', namespaces.ipc),
    ...value('uts', namespaces.uts),
    ...value('cgroupns', namespaces.cgroup),
    ...value('time-offset', namespaces.timeOffset),
    ...list('uidmap', namespaces.uidMap),
    ...list('gidmap', namespaces.gidMap),
    ...value('subuidname', namespaces.subuidName),
    ...value('subgidname', namespaces.subgidName),
    ...flag('privileged', privileged),
    ...list('cap-add', capAdd),
    ...list('cap-drop', capDrop),
    ...(noNewPrivileges === false ? ['--allow-new-privileges'] : []),
    ...(profile === 'default' ? [] : [`--security-opt=seccomp=${profile}`]),
    ...(maskedPaths === false ? ['--security-opt=systempaths=unconfined'] : []),
  ];
}

function confinementWords({confinement = {}}: RunRequest): string[] {
  const {apparmor, masks = [], unmasks = [], procOptions = [], umask, oomScoreAdj} = confinement;
  const options = [
    ...(apparmor === undefined ? [] : [`apparmor=${apparmor}`]),
    ...(masks.length > 0 ? [`mask=${masks.join(':')}`] : []),
    ...(unmasks.length > 0 ? [`unmask=${unmasks.join(':')}`] : []),
    ...(procOptions.length > 0 ? [`proc-opts=${procOptions.join(',')}`] : []),
    ...(confinement.writableCgroups ? ['writable-cgroups=true'] : []),
  ];
  return [
    ...flag('nested', confinement.nested),
    ...list('security-opt', options),
    ...list('sysctl', confinement.sysctls),
    ...list('ulimit', confinement.ulimits),
    ...list('group-add', confinement.groupAdd),
    ...value('umask', umask === undefined ? undefined : umask.toString(8).padStart(4, '0')),
    ...value('oom-score-adj', oomScoreAdj),
    ...value('domainname', confinement.domainname),
    ...value('personality', confinement.personality),
    ...list('annotation', confinement.annotations),
    ...list('label', confinement.labels),
    ...list('unsetenv', confinement.unsetEnv),
    ...flag('unsetenv-all', confinement.unsetEnvAll),
    ...flag('no-hosts', confinement.noHosts),
    ...flag('no-hostname', confinement.noHostname),
  ];
}

function lifeWords({life = {}}: RunRequest): string[] {
  const {health = {}, timeout} = life;
  return [
    ...value('stop-signal', life.stopSignal),
    ...value('stop-timeout', life.stopTimeout),
    ...value('timeout', timeout || undefined),
    ...value('log-driver', life.logDriver),
    ...list('log-opt', life.logOpts),
    ...list('expose', life.expose),
    ...healthTest(health.test),
    ...value('health-interval', milliseconds(health.interval)),
    ...value('health-timeout', milliseconds(health.timeout)),
    ...value('health-start-period', milliseconds(health.startPeriod)),
    ...value('health-start-interval', milliseconds(health.startInterval)),
    ...value('health-retries', health.retries),
    ...value('health-on-failure', health.onFailure),
  ];
}

function healthTest(test: readonly string[] | undefined): string[] {
  const [kind, ...words] = test ?? [];
  if (kind === undefined) return [];
  if (kind === 'NONE') return ['--no-healthcheck'];
  return [`--health-cmd=${kind === 'CMD-SHELL' ? words.join(' ') : JSON.stringify(words)}`];
}

function milliseconds(number: number | undefined): string | undefined {
  return number === undefined ? undefined : `${number}ms`;
}
