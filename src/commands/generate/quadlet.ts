/** A container as a `.container` file of podman's Quadlet (podman-systemd.unit(5)). */
import {KeelboxError} from '../../errors/keelbox-error';
import type {ContainerDetails, MountRequest, RunRequest} from '../../native';
import {runWords} from './run-words';
import {restartOf} from './service';
import {commandLine, quotedWord, type Section, unitText} from './unit-words';

type Setting = readonly [key: string, value: string | undefined];

export function quadletUnit(container: ContainerDetails, restart: string | undefined): string {
  const {name, request, restartPolicy} = container;
  return unitText([
    {name: 'Unit', settings: [['Description', `container ${name}`]]},
    {
      name: 'Container',
      settings: [
        ['ContainerName', name],
        ...rootSettings(request),
        ...processSettings(request),
        ...fileSettings(request),
        ...isolationSettings(request),
        ...lifeSettings(request),
        ['PodmanArgs', restWords(request)],
      ],
    },
    {name: 'Service', settings: [['Restart', restart ?? restartOf(restartPolicy)]]},
    {name: 'Install', settings: [['WantedBy', 'default.target']]},
  ] satisfies Section[]);
}

const each = (key: string, texts: readonly string[] = []): Setting[] => texts.map(text => [key, quotedWord(text)]);
const text = (key: string, value: string | undefined): Setting => [
  key,
  value === undefined ? undefined : value.replaceAll('%', '%%'),
];
const truth = (key: string, value: boolean | undefined): Setting => [key, value === true ? 'true' : undefined];

function rootSettings({root, command}: RunRequest): Setting[] {
  const exec: Setting = ['Exec', command.length > 0 ? commandLine(command) : undefined];
  if (root.type === 'rootfs') return [text('Rootfs', `${root.path}${root.overlay ? ':O' : ''}`), exec];
  if (root.type === 'image' && root.name !== 'host') return [text('Image', root.name), exec];
  throw new KeelboxError('ERR_KEELBOX_INVALID_ARG', 'Quadlet is for podman, which has no image like this one', {
    why: 'the image "host" and --from-binary are made of this machine’s own files',
    hint: 'leave --quadlet out: a service of keelbox itself can run it',
  });
}

function processSettings({env, cwd, user, entrypoint, init, confinement = {}}: RunRequest): Setting[] {
  return [
    ['Entrypoint', entrypoint === undefined ? undefined : JSON.stringify(entrypoint)],
    ...each('Environment', env),
    text('WorkingDir', cwd),
    text('User', user),
    truth('RunInit', init),
    ...each('GroupAdd', confinement.groupAdd),
    ...each('Ulimit', confinement.ulimits),
    ...each('Sysctl', confinement.sysctls),
    ...each('Label', confinement.labels),
    ...each('Annotation', confinement.annotations),
  ];
}

function fileSettings({mounts = [], storage = {}, readonlyRoot}: RunRequest): Setting[] {
  return [
    ...mounts.map(mountSetting),
    ['ShmSize', storage.shmSize === undefined ? undefined : String(storage.shmSize)],
    ...each(
      'AddDevice',
      storage.devices?.map(({source, target}) => `${source}:${target}`),
    ),
    truth('ReadOnly', readonlyRoot),
  ];
}

function mountSetting(mount: MountRequest): Setting {
  if (mount.type === 'tmpfs') return text('Tmpfs', `${mount.target}${mount.options && `:${mount.options}`}`);
  const [word = ''] = runWords({root: {type: 'image', name: ''}, command: [], mounts: [mount]});
  return text(word.startsWith('--mount=') ? 'Mount' : 'Volume', word.replace(/^--(mount|volume)=/, ''));
}

function isolationSettings(request: RunRequest): Setting[] {
  const {hostname, network = 'none', userns, capAdd, capDrop, noNewPrivileges = true, seccomp} = request;
  const profile = typeof seccomp === 'object' ? seccomp.profile : seccomp;
  return [
    text('HostName', hostname),
    text('Network', network),
    text('UserNS', userns),
    ['AddCapability', capAdd?.length ? capAdd.join(' ') : undefined],
    ['DropCapability', capDrop?.length ? capDrop.join(' ') : undefined],
    truth('NoNewPrivileges', noNewPrivileges),
    text('SeccompProfile', profile === 'default' ? undefined : profile),
  ];
}

function lifeSettings({life = {}}: RunRequest): Setting[] {
  const {health = {}, logDriver, stopTimeout} = life;
  const milliseconds = (number: number | undefined) => (number === undefined ? undefined : `${number}ms`);
  const [kind, ...words] = health.test ?? [];
  return [
    text('StopSignal', life.stopSignal),
    ['StopTimeout', stopTimeout === undefined || stopTimeout < 0 ? undefined : String(stopTimeout)],
    text('LogDriver', logDriver),
    ...each('ExposeHostPort', life.expose),
    text('HealthCmd', kind === undefined ? undefined : healthText(kind, words)),
    ['HealthInterval', milliseconds(health.interval)],
    ['HealthTimeout', milliseconds(health.timeout)],
    ['HealthStartPeriod', milliseconds(health.startPeriod)],
    ['HealthRetries', health.retries === undefined ? undefined : String(health.retries)],
    text('HealthOnFailure', health.onFailure),
  ];
}

function healthText(kind: string, words: readonly string[]): string {
  if (kind === 'NONE') return 'none';
  return kind === 'CMD-SHELL' ? words.join(' ') : JSON.stringify(words);
}

/** What Quadlet has no key for, in podman's words, which are ours. */
function restWords({privileged, tty, interactive, namespaces, maskedPaths}: RunRequest): string | undefined {
  const request = {privileged, tty, interactive, namespaces, maskedPaths};
  const given = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
  const words = runWords({...given, root: {type: 'image', name: ''}, command: []}).filter(Boolean);
  return words.length > 0 ? commandLine(words) : undefined;
}
