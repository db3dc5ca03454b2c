/** `inspect` of a container: docker's paths, and templates over them. */
import type {ExecutionContext} from 'ava';
import {lane} from './helpers/lane';
import {answered, refusedStub, stubbed} from './helpers/stubbed';

const test = lane({host: true});

const web = {
  id: '7'.repeat(64),
  name: 'web',
  image: 'httpd:2.4',
  imageId: `sha256:${'1'.repeat(64)}`,
  status: 'running',
  pid: 4711,
  oomKilled: false,
  restartCount: 2,
  createdAt: Date.UTC(2026, 0, 2, 3, 4, 5),
  startedAt: Date.UTC(2026, 0, 2, 3, 4, 6),
  health: {status: 'healthy', failingStreak: 0, log: [{start: 0, end: 5, exitCode: 0, output: 'ok'}]},
  command: ['/entry', 'httpd', '-f'],
  labels: {tier: 'front', 'org.x/y': 'a b'},
  annotations: {},
  request: {
    root: {type: 'image', name: 'httpd:2.4'},
    command: [],
    rm: true,
    tty: true,
    interactive: true,
    network: 'host',
    capAdd: ['NET_ADMIN'],
    mounts: [
      {type: 'bind', source: '/srv', target: '/www', readonly: true},
      {type: 'tmpfs', target: '/run', options: 'size=1m'},
    ],
    confinement: {ulimits: ['nofile=10:20'], sysctls: ['net.ipv4.ip_forward=1']},
    life: {expose: ['8443/tcp'], logOpts: ['max-size=1m'], health: {retries: 5, interval: 1000}},
  },
  imageConfig: {
    Cmd: ['httpd', '-f'],
    Entrypoint: ['/entry'],
    ExposedPorts: {'80/tcp': {}},
    Volumes: {'/data': {}},
    Healthcheck: {Test: ['CMD', 'probe'], Retries: 3},
  },
  env: ['PATH=/bin', 'A=two words'],
  workingDir: '/srv',
  user: 'www',
  hostname: 'web',
  mounts: [
    {type: 'bind', source: '/srv', destination: '/www', mode: 'ro', rw: false, propagation: 'rprivate'},
    {type: 'volume', name: 'v1', source: '/v/v1', destination: '/data', mode: 'z', rw: true, propagation: ''},
  ],
  paths: {data: '/d', state: '/s', log: '/d/log', upper: '/d/upper'},
  logDriver: 'json-file',
  cgroups: ['/sys/fs/cgroup/keelbox/7777'],
  stopSignal: 'SIGWINCH',
  stopTimeout: 30,
  restartPolicy: 'on-failure:3',
};

const environment = {STUB_MORE: JSON.stringify([web])};

const inspected = (t: ExecutionContext): Record<string, unknown> => {
  const [document] = JSON.parse(answered(t, 'inspect web', environment)) as Record<string, unknown>[];
  return document ?? {};
};

test("a container has docker's paths", t => {
  const document = inspected(t);
  t.like(document, {
    Id: web.id,
    Created: '2026-01-02T03:04:05.000Z',
    Path: '/entry',
    Args: ['httpd', '-f'],
    Image: web.imageId,
    Name: '/web',
    RestartCount: 2,
    LogPath: '/d/log',
    GraphDriver: {Name: 'overlay', Data: {UpperDir: '/d/upper'}},
    State: {
      Status: 'running',
      Running: true,
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      Pid: 4711,
      ExitCode: 0,
      Error: '',
      StartedAt: '2026-01-02T03:04:06.000Z',
      FinishedAt: '0001-01-01T00:00:00Z',
      Health: {
        Status: 'healthy',
        FailingStreak: 0,
        Log: [{Start: '1970-01-01T00:00:00.000Z', End: '1970-01-01T00:00:00.005Z', ExitCode: 0, Output: 'ok'}],
      },
      CgroupPath: '/sys/fs/cgroup/keelbox/7777',
    },
  });
  t.like(document.HostConfig, {
    Binds: ['/srv:/www:ro'],
    Tmpfs: {'/run': 'size=1m'},
    AutoRemove: true,
    NetworkMode: 'host',
    CapAdd: ['NET_ADMIN'],
    CapDrop: null,
    LogConfig: {Type: 'json-file', Config: {'max-size': '1m'}},
    RestartPolicy: {Name: 'on-failure', MaximumRetryCount: 3},
    Ulimits: [{Name: 'nofile', Soft: 10, Hard: 20}],
    Sysctls: {'net.ipv4.ip_forward': '1'},
    Privileged: false,
    ReadonlyRootfs: false,
    ShmSize: 67_108_864,
    PortBindings: {},
  });
  t.like(document.Config, {
    Hostname: 'web',
    User: 'www',
    Tty: true,
    OpenStdin: true,
    AttachStdin: true,
    AttachStdout: true,
    ExposedPorts: {'80/tcp': {}, '8443/tcp': {}},
    Env: ['PATH=/bin', 'A=two words'],
    Cmd: ['httpd', '-f'],
    Entrypoint: ['/entry'],
    Image: 'httpd:2.4',
    Volumes: {'/data': {}},
    WorkingDir: '/srv',
    Labels: web.labels,
    StopSignal: 'SIGWINCH',
    StopTimeout: 30,
    Healthcheck: {Test: ['CMD', 'probe'], Retries: 5, Interval: 1e9},
  });
  t.deepEqual(document.Mounts, [
    {Type: 'bind', Source: '/srv', Destination: '/www', Mode: 'ro', RW: false, Propagation: 'rprivate'},
    {
      Type: 'volume',
      Name: 'v1',
      Source: '/v/v1',
      Destination: '/data',
      Driver: 'local',
      Mode: 'z',
      RW: true,
      Propagation: '',
    },
  ]);
  t.like(document.NetworkSettings, {IPAddress: '', Ports: {}, Networks: {}});
});

const templates: [template: string, text: string][] = [
  ['{{.State.Running}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Pid}}', 'true 0 false 4711'],
  ['{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}', 'healthy'],
  ['{{range .Mounts}}{{.Source}}:{{.Destination}} {{end}}', '/srv:/www /v/v1:/data '],
  ['{{range $i, $e := .Config.Env}}{{$i}}={{$e}};{{end}}', '0=PATH=/bin;1=A=two words;'],
  ['{{range .Config.Env}}{{println .}}{{end}}', 'PATH=/bin\nA=two words\n'],
  ['{{index .Config.Labels "org.x/y"}}|{{index .Config.Labels "none"}}', 'a b|'],
  ['{{index .Config.Env 1}}', 'A=two words'],
  ['{{join .Args ","}} {{upper .State.Status}} {{lower .Config.StopSignal}}', 'httpd,-f RUNNING sigwinch'],
  ['{{truncate .Id 12}} {{slice .Name 1}}', '777777777777 web'],
  ['{{json .HostConfig.RestartPolicy}}', '{"Name":"on-failure","MaximumRetryCount":3}'],
  ['{{.NetworkSettings.IPAddress}}|{{range $p, $c := .NetworkSettings.Ports}}{{$p}}{{end}}|', '||'],
  ['{{range $name, $n := .NetworkSettings.Networks}}{{$n.IPAddress}}{{end}}', ''],
  ['{{with .HostConfig.LogConfig}}{{.Type}}{{end}}', 'json-file'],
  ['{{.HostConfig.NetworkMode}} {{.HostConfig.Memory}} {{len .Mounts}}', 'host 0 2'],
  ['{{printf "%.5s %d" .Id .RestartCount}}', '77777 2'],
  ['table {{.Name}}', 'table /web'],
];

for (const [template, text] of templates) {
  test(`inspect -f '${template}'`, t => {
    t.is(answered(t, ['inspect', '-f', template, 'web'], environment), `${text}\n`);
  });
}

test('a container without a check has no health, and can be asked for it', t => {
  const template = '{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}';
  t.is(answered(t, ['inspect', '-f', template, 'host-otter'], environment), 'none\n');
});

test('states are as docker has them', t => {
  const state = (status: string) => {
    const more = {STUB_MORE: JSON.stringify([{...web, status, exitCode: 137, oomKilled: true}])};
    const template = '{{.State.Status}} {{.State.Running}} {{.State.Paused}} {{.State.Restarting}} {{.State.Dead}}';
    return answered(t, ['inspect', '-f', template, 'web'], more).trim();
  };
  t.is(state('paused'), 'paused true true false false');
  t.is(state('restarting'), 'restarting true false true false');
  t.is(state('exited'), 'exited false false false false');
  t.is(state('created'), 'created false false false false');
  t.is(state('broken'), 'dead false false false true');
});

test('an entry point of one’s own leaves the image’s words out', t => {
  const request = {...web.request, entrypoint: ['/other']};
  const more = {STUB_MORE: JSON.stringify([{...web, request}])};
  t.is(
    answered(t, ['inspect', '-f', '{{json .Config.Cmd}} {{json .Config.Entrypoint}}', 'web'], more),
    'null ["/other"]\n',
  );
});

test('what is missing is said by its kind, and keeps nothing else', t => {
  const some = stubbed('inspect web nope', environment);
  t.is(some.exitCode, 1);
  t.is((JSON.parse(some.stdout) as unknown[]).length, 1);
  t.regex(some.stderr, /^error: no such object: nope\n/);
  refusedStub(t, 'inspect --type image web', /no such image: web/, 1);
  refusedStub(t, 'inspect --type volume web', /no such volume: web/, 1);
  refusedStub(t, 'container inspect nope', /no such container: nope/, 1);
  refusedStub(t, 'inspect --type network x', /expected one of container, image, volume, all/);
});

test('-l is the one created last, and -s says what it takes', t => {
  t.is(answered(t, ['inspect', '-l', '-f', '{{.Name}}'], environment), '/host-otter\n');
  t.is(answered(t, ['inspect', '-s', '-f', '{{.SizeRw}} {{.SizeRootFs}}', 'web'], environment), '0 0\n');
});
