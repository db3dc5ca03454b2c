/** `generate systemd`: units that say the same as the container was made with. */
import {spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import ava, {type ExecutionContext} from 'ava';
import {lane} from './helpers/lane';
import {stubAddon} from './helpers/stub-addon';
import {answered, asked, type Line, refusedStub, stubbed} from './helpers/stubbed';

const test = lane({host: true});
const testSystemd = lane({host: true, systemd: true}).needing('systemd-analyze');
const folder = mkdtempSync(path.join(os.tmpdir(), 'keelbox-generate-'));
ava.after.always(() => rmSync(folder, {recursive: true, force: true}));

const id = '7'.repeat(64);

/** A container that was made with these words, as the engine would tell of it. */
function made(t: ExecutionContext, words: Line, more: Record<string, unknown> = {}) {
  const line = typeof words === 'string' ? words.split(' ') : words;
  const [action] = asked(t, ['create', ...line]).actions as {request: Record<string, unknown>}[];
  const {request} = action ?? {request: {}};
  const container = {id, name: 'web', status: 'exited', ...more, request};
  return {request, environment: {STUB_MORE: JSON.stringify([container])}};
}

/** `KEY=VALUE` lines of a unit. */
function settings(unit: string, key: string): string[] {
  return unit.split('\n').flatMap(line => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));
}

/** What systemd makes of a command line without specifiers. */
function wordsOf(line: string): string[] {
  const words = line.match(/"(?:\\.|[^"\\])*"|\S+/g) ?? [];
  return words.map(word => {
    const text = word.startsWith('"')
      ? word.slice(1, -1).replace(/\\(.)/g, (_, each) => ({n: '\n', t: '\t'})[each as 'n'] ?? each)
      : word;
    return text.replaceAll('%%', '%').replaceAll('$$', '$');
  });
}

test('a unit starts the container in the foreground, and stops it', t => {
  const {environment} = made(t, 'host');
  const unit = answered(t, 'generate systemd --name web', environment);
  t.regex(unit, /^# container-web\.service\n# written by keelbox \d/);
  const cli = `${process.execPath} -- ${path.resolve('dist/cli.cjs')}`;
  t.deepEqual(settings(unit, 'ExecStart'), [`${cli} start -a web`]);
  t.deepEqual(settings(unit, 'ExecStop'), [`${cli} stop web`]);
  for (const [key, value] of [
    ['Type', 'simple'],
    ['Restart', 'on-failure'],
    ['TimeoutStopSec', '70'],
    ['WantedBy', 'default.target'],
  ] as const)
    t.deepEqual(settings(unit, key), [value]);
  t.deepEqual(settings(answered(t, 'generate systemd web', environment), 'ExecStart'), [`${cli} start -a ${id}`]);
});

test('what is asked for is in the unit', t => {
  const {environment} = made(t, 'host', {restartPolicy: 'unless-stopped', stopTimeout: -1});
  t.deepEqual(settings(answered(t, 'generate systemd web', environment), 'Restart'), ['always']);
  t.deepEqual(settings(answered(t, 'generate systemd web', environment), 'TimeoutStopSec'), ['infinity']);
  const line =
    'generate systemd -t 5 --restart-policy no --restart-sec 3 --after a.service --requires b.mount -e A=x%y web';
  const unit = answered(t, line, environment);
  t.regex(settings(unit, 'ExecStop')[0] ?? '', / stop -t 5 7{64}$/);
  t.deepEqual(settings(unit, 'Restart'), ['no']);
  t.deepEqual(settings(unit, 'RestartSec'), ['3']);
  t.deepEqual(settings(unit, 'After'), ['network-online.target a.service']);
  t.deepEqual(settings(unit, 'Requires'), ['b.mount']);
  t.deepEqual(settings(unit, 'Environment'), ['A=x%%y']);
  refusedStub(t, 'generate systemd --restart-policy often web', /expected one of no, on-success/);
  refusedStub(t, 'generate systemd nope', /there is no container "nope"/, 1);
});

test('a template has a container for each of its instances', t => {
  const {environment} = made(t, 'host sleep 9');
  const unit = answered(t, 'generate systemd --template --name web', environment);
  t.regex(unit, /^# container-web@\.service\n/);
  t.regex(
    settings(unit, 'ExecStart')[0] ?? '',
    / run --rm --replace --name=web-%i --cidfile=%t\/%n\.ctr-id host sleep 9$/,
  );
  t.deepEqual(settings(unit, 'Description'), ['keelbox container web-%i']);
  const contradiction = stubbed('generate systemd --template --new=false web', environment);
  t.is(contradiction.exitCode, 125);
  t.regex(contradiction.stderr, /cannot specify both --template and --new=false/);
});

test('the same state folders are used as by whoever wrote the unit', t => {
  const {environment} = made(t, 'host');
  const unit = answered(t, 'generate systemd --name web', {
    ...environment,
    KEELBOX_ROOT: '/a b',
    KEELBOX_RUNROOT: '/r%',
  });
  t.regex(settings(unit, 'ExecStart')[0] ?? '', / "--root=\/a b" --runroot=\/r%% start -a web$/);
});

const everything: string[][] = [
  ['host'],
  [
    '-e',
    'A=two words',
    '-e',
    'B=$x %y "z"',
    '-w',
    '/w',
    '-u',
    '1:2',
    '--init',
    '-it',
    'alpine',
    'sh',
    '-c',
    'echo "$HOME"; date +%s',
  ],
  ['--entrypoint', '["/e", "x y"]', '--network', 'host', '--hostname', 'box', '--userns', 'host', 'alpine'],
  ['-v', '/o:/o:O', '-v', '/srv:/www:ro', '-v', 'data:/data', '-v', '/anonymous', '--tmpfs', '/run:size=1m', 'alpine'],
  ['--mount', 'type=bind,"src=/a,b",dst=/q,bind-propagation=shared,idmap=uids=0-1-2#@5-6-7;gids=8-9-10', 'alpine'],
  ['--mount', 'type=volume,src=vol,dst=/v,volume-nocopy,"volume-opt=o=size=1m,mode=700",volume-label=a=b', 'alpine'],
  [
    '--mount',
    'type=image,src=other,dst=/i,readonly=false,subpath=x',
    '--shm-size',
    '1k',
    '--device',
    '/dev/a',
    'alpine',
  ],
  ['--volumes-from', 'x:ro', '--read-only', '--privileged', '--cap-add', 'NET_ADMIN', '--cap-drop', 'ALL', 'alpine'],
  ['--allow-new-privs', '--security-opt', 'seccomp=/p.json', '--security-opt', 'systempaths=unconfined', 'alpine'],
  ['--security-opt', 'apparmor=x', '--security-opt', 'mask=/a:/b', '--security-opt', 'unmask=/proc/*', 'alpine'],
  [
    '--pid',
    'host',
    '--ipc',
    'none',
    '--uts',
    'host',
    '--cgroupns',
    'host',
    '--time-offset',
    '1h',
    '--uidmap',
    '0:1:2',
    'alpine',
  ],
  [
    '--sysctl',
    'net.ipv4.ip_forward=1',
    '--ulimit',
    'nofile=1:2',
    '--group-add',
    '7',
    '--umask',
    '27',
    '--nested',
    'alpine',
  ],
  [
    '--oom-score-adj',
    '5',
    '--domainname',
    'd',
    '--label',
    'a=b c',
    '--annotation',
    'x=y',
    '--unsetenv',
    'K',
    '--no-hosts',
    'alpine',
  ],
  [
    '--stop-signal',
    'INT',
    '--stop-timeout',
    '3',
    '--timeout',
    '60',
    '--log-driver',
    'none',
    '--log-opt',
    'max-size=1m',
    'alpine',
  ],
  [
    '--health-cmd',
    'a || b',
    '--health-interval',
    '1m30s',
    '--health-retries',
    '2',
    '--health-on-failure',
    'kill',
    'alpine',
  ],
  ['--health-cmd', '["a", "b c"]', '--expose', '80', 'alpine'],
  ['--no-healthcheck', '--rootfs', '/tree:O', '--', 'sh', '-c', 'x'],
  ['--from-binary', '/bin/sh', '--from-binary', 'ls', '--', 'ls', '-l'],
];

for (const words of everything) {
  test(`--new asks for the same: ${words.join(' ')}`, t => {
    const {request, environment} = made(t, words);
    const unit = answered(t, 'generate systemd --new --name web', environment);
    const line = wordsOf(settings(unit, 'ExecStart')[0] ?? '');
    t.deepEqual(line.slice(3, 8), ['run', '--rm', '--replace', '--name=web', '--cidfile=%t/%n.ctr-id']);
    t.deepEqual(made(t, line.slice(8)).request, request);
    t.deepEqual(settings(unit, 'ExecStartPre'), ['/bin/rm -f %t/%n.ctr-id']);
    t.regex(settings(unit, 'ExecStopPost')[0] ?? '', / rm -f --ignore --cidfile=%t\/%n\.ctr-id$/);
  });
}

test('--files writes the unit, and prints where', t => {
  const {environment} = made(t, 'host');
  const run = spawnSync(
    process.execPath,
    ['--', path.resolve('dist/cli.cjs'), 'generate', 'systemd', '-nf', '--no-header', 'web'],
    {cwd: folder, encoding: 'utf8', env: {KEELBOX_NATIVE: stubAddon(), STUB_NOW: '0', ...environment}},
  );
  const file = path.join(folder, 'container-web.service');
  t.is(run.stdout, `${file}\n`);
  t.regex(readFileSync(file, 'utf8'), /^\[Unit\]\n/);
});

test('--quadlet says it in the words of podman’s container files', t => {
  const words = [
    '-e',
    'A=two words',
    '-v',
    '/srv:/www:ro',
    '--tmpfs',
    '/run',
    '--cap-add',
    'NET_ADMIN',
    '--cap-add',
    'KILL',
  ];
  const more = [
    '--read-only',
    '--init',
    '--hostname',
    'box',
    '--stop-timeout',
    '3',
    '--health-cmd',
    'a',
    '-t',
    '--pid',
    'host',
  ];
  const {environment} = made(t, [...words, ...more, 'alpine:3', 'sh', '-c', 'echo "$A"'], {restartPolicy: 'always'});
  const unit = answered(t, 'generate systemd --quadlet --no-header web', environment);
  t.is(
    unit,
    [
      '[Unit]',
      'Description=container web',
      '',
      '[Container]',
      'ContainerName=web',
      'Image=alpine:3',
      'Exec=sh -c "echo \\"$$A\\""',
      'Environment="A=two words"',
      'RunInit=true',
      'Mount=type=bind,src=/srv,dst=/www,readonly',
      'Tmpfs=/run',
      'ReadOnly=true',
      'HostName=box',
      'Network=none',
      'AddCapability=NET_ADMIN KILL',
      'NoNewPrivileges=true',
      'StopTimeout=3',
      'HealthCmd=a',
      'PodmanArgs=--tty --pid=host',
      '',
      '[Service]',
      'Restart=always',
      '',
      '[Install]',
      'WantedBy=default.target',
      '',
    ].join('\n'),
  );
  const host = made(t, 'host');
  t.regex(
    spawnSync(process.execPath, ['dist/cli.cjs', 'generate', 'systemd', '--quadlet', 'web'], {
      encoding: 'utf8',
      env: {KEELBOX_NATIVE: stubAddon(), STUB_NOW: '0', ...host.environment},
    }).stderr,
    /podman, which has no image like this one/,
  );
});

testSystemd('systemd takes the units', t => {
  for (const [index, words] of everything.entries()) {
    const {environment} = made(t, words);
    for (const flags of ['', '--new ']) {
      const file = path.join(folder, `unit-${index}${flags.trim()}.service`);
      writeFileSync(file, answered(t, `generate systemd ${flags}--name web`, environment));
      const {stderr, status} = spawnSync('systemd-analyze', ['verify', '--man=no', file], {encoding: 'utf8'});
      const ours = stderr.split('\n').filter(line => line.includes(path.basename(file)));
      t.deepEqual(ours, [], `${status} ${stderr}`);
    }
  }
});
