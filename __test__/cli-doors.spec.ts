/**
 * The command line from its words to the engine's door: help, errors, exit codes, requests. Driven as built, with an
 * addon that only says what it was asked, and each line through both doors: with and without clipanion.
 */
import {spawnSync} from 'node:child_process';
import {closeSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import ava, {type ExecutionContext} from 'ava';
import {errorCodes} from '../src/errors/codes';
import {lane} from './helpers/lane';
import {stubAddon} from './helpers/stub-addon';

const test = lane({host: true});
const folder = mkdtempSync(path.join(os.tmpdir(), 'keelbox-doors-'));
ava.after.always(() => rmSync(folder, {recursive: true, force: true}));

interface Outcome {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

type Environment = Record<string, string>;

function keelbox(words: readonly string[], environment: Environment = {}): Outcome {
  const env = {PATH: process.env.PATH ?? '', KEELBOX_NATIVE: stubAddon(), ...environment};
  const {status, stdout, stderr} = spawnSync(process.execPath, ['--', path.resolve('dist/cli.cjs'), ...words], {
    env,
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return {exitCode: status, stdout, stderr};
}

/** The same through both doors; which one must not show. */
function either(t: ExecutionContext, words: readonly string[], environment: Environment = {}): Outcome {
  // One clock for both, and not one for all: a slow machine is minutes past it.
  const clocked = {STUB_NOW: String(Date.now()), ...environment};
  const fast = keelbox(words, clocked);
  const full = keelbox(words, {...clocked, KEELBOX_DOOR: 'full'});
  t.deepEqual(full, fast, words.join(' '));
  return fast;
}

function request(
  t: ExecutionContext,
  words: readonly string[],
  environment: Environment = {},
): Record<string, unknown> {
  const {stdout, stderr, exitCode} = either(t, ['run', ...words], environment);
  t.is(exitCode, 0, stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** `error: ...`, `why: ...`: the lines of an error by their label. */
function assertError(
  t: ExecutionContext,
  {exitCode, stdout, stderr}: Outcome,
  code: string,
  text: RegExp,
  exit = 125,
): void {
  t.is(exitCode, exit, stderr);
  t.is(stdout, '');
  t.regex(stderr, /^error: /);
  t.regex(stderr, text);
  t.regex(stderr, new RegExp(`\\n  code: ERR_KEELBOX_${code}   more: keelbox explain ERR_KEELBOX_${code}\\n$`));
}

test('run asks for nothing that was not said', t => {
  t.deepEqual(request(t, ['host']), {
    root: {type: 'image', name: 'host'},
    command: [],
    env: [],
    mounts: [],
    capAdd: [],
    capDrop: [],
    stdio: {type: 'inherit'},
    handle: 7,
  });
});

test('run hands on what was said', t => {
  const words = '--rm -i --name web -w /w -u 1:2 -h box --read-only --privileged --init --network host --userns host';
  const more = '--cidfile c --pidfile p --cap-add net_raw,KILL --cap-drop ALL --entrypoint /e host a -b --rm';
  t.like(request(t, [...words.split(' '), ...more.split(' ')]), {
    rm: true,
    interactive: true,
    name: 'web',
    cwd: '/w',
    user: '1:2',
    hostname: 'box',
    readonlyRoot: true,
    privileged: true,
    init: true,
    network: 'host',
    userns: 'host',
    cidfile: 'c',
    pidfile: 'p',
    capAdd: ['net_raw', 'KILL'],
    capDrop: ['ALL'],
    entrypoint: ['/e'],
    command: ['a', '-b', '--rm'],
  });
});

test('run --rootfs takes the place of the image', t => {
  t.like(request(t, ['--rootfs', 'tree:O', 'ls', '-l']), {
    root: {type: 'rootfs', path: path.join(folder, 'tree'), overlay: true},
    command: ['ls', '-l'],
  });
  t.like(request(t, ['--rootfs', '/a:b', '--', 'ls']), {
    root: {type: 'rootfs', path: '/a:b', overlay: false},
    command: ['ls'],
  });
});

test('one "--" directly after IMAGE is dropped when no entry point could want it', t => {
  t.deepEqual(request(t, ['host', '--', 'sh', '--', 'x']).command, ['sh', '--', 'x']);
  t.deepEqual(request(t, ['host', '--']).command, []);
  t.deepEqual(request(t, ['--', 'host', '--', 'sh']).command, ['sh']);
  t.deepEqual(request(t, ['--entrypoint', 'sh', 'host', '--', 'x']).command, ['--', 'x']);
  t.deepEqual(request(t, ['--entrypoint', '', 'host', '--', 'x']).command, ['x']);
  t.deepEqual(request(t, ['other', '--', 'x']).command, ['--', 'x']);
});

test('run -e and --env-file read as docker does', t => {
  const file = path.join(folder, 'env');
  writeFileSync(file, '\uFEFF# comment\n\nA=1\r\n  B= 2\nHOME\nNOT_SET\nC=a#b=c\nD=');
  const {env} = request(t, ['-e', 'A=2', '-e', 'HOME', '-e', 'NOT_SET', '-e', 'E=', '--env-file', file, 'host'], {
    HOME: '/h',
  });
  t.deepEqual(env, ['A=1', 'B= 2', 'HOME=/h', 'C=a#b=c', 'D=', 'A=2', 'HOME=/h', 'E=']);
});

test('the command itself, as npm links it, keeps Node from taking --env-file for its own', t => {
  const file = path.join(folder, 'own-env');
  writeFileSync(file, 'NODE_OPTIONS=--nonsense\nB=2\n');
  const env = {PATH: `${path.dirname(process.execPath)}:${process.env.PATH}`, KEELBOX_NATIVE: stubAddon()};
  const link = path.join(folder, 'keelbox');
  symlinkSync(path.resolve('dist/cli.cjs'), link);
  const run = (name: string) =>
    spawnSync(link, ['run', '--env-file', name, 'host', 'a b', '$c'], {env, encoding: 'utf8'});
  t.like(JSON.parse(run(file).stdout), {env: ['NODE_OPTIONS=--nonsense', 'B=2'], command: ['a b', '$c']});
  t.regex(run('/nowhere').stderr, /cannot read --env-file \/nowhere/);
});

test('run refuses variables without a usable name', t => {
  assertError(t, either(t, ['run', '-e', '=x', 'host']), 'INVALID_ARG', /no name before the "="/);
  assertError(t, either(t, ['run', '-e', 'A\nB=1', 'host']), 'INVALID_ARG', /invalid variable name "A\\nB"/);
  const file = path.join(folder, 'bad-env');
  writeFileSync(file, 'A=1\nB C=2\n');
  assertError(
    t,
    either(t, ['run', '--env-file', file, 'host']),
    'INVALID_ARG',
    /bad-env:2: invalid variable name "B C"/,
  );
  assertError(t, either(t, ['run', '--env-file', '/nowhere', 'host']), 'INVALID_ARG', /there is no such file/);
});

test('run -v, --mount and --tmpfs become mounts', t => {
  const words =
    '-v .:/w -v ./a:/b:ro -v /c:/d:rw --tmpfs /run --tmpfs /t:size=1m,mode=700 --mount type=bind,src=/x,dst=/y,readonly';
  const more = [
    '--mount',
    'type=tmpfs,target=/z,tmpfs-size=2m,ro=false',
    '--mount',
    'type=bind,"source=/a,b",destination=/q,ro=true',
  ];
  t.deepEqual(request(t, [...words.split(' '), ...more, 'host']).mounts, [
    {type: 'bind', source: folder, target: '/w', readonly: false},
    {type: 'bind', source: path.join(folder, 'a'), target: '/b', readonly: true},
    {type: 'bind', source: '/c', target: '/d', readonly: false},
    {type: 'bind', source: '/x', target: '/y', readonly: true},
    {type: 'tmpfs', target: '/z', options: 'size=2097152'},
    {type: 'bind', source: '/a,b', target: '/q', readonly: true},
    {type: 'tmpfs', target: '/run', options: ''},
    {type: 'tmpfs', target: '/t', options: 'size=1m,mode=700'},
  ]);
});

test('options of a mount are asked for only where they were said', t => {
  const words =
    '-v data:/a -v /b -v /c:/c:ro,rslave,noexec,z -v /d:/d:U,idmap=uids=0-1-2#@5-6-7;gids=8-9-10 -v e1:/e:nocopy';
  const more = [
    '--mount',
    'src=vol,dst=/f,volume-subpath=x/y,volume-nocopy,volume-opt=type=tmpfs,"volume-opt=o=size=1m,mode=700",volume-label=a',
    '--mount',
    'type=bind,src=/g,dst=/g,readonly,bind-recursive=writable,bind-propagation=shared,bind-create-src=true',
    '--mount',
    'type=tmpfs,dst=/h,tmpfs-size=1k,tmpfs-mode=0700,notmpcopyup',
  ];
  const idmap = {
    uids: [
      {from: 0, to: 1, count: 2, relative: false},
      {from: 5, to: 6, count: 7, relative: true},
    ],
    gids: [{from: 8, to: 9, count: 10, relative: false}],
  };
  const settings = {options: {type: 'tmpfs', o: 'size=1m,mode=700'}, labels: {a: ''}};
  t.deepEqual(request(t, [...words.split(' '), ...more, 'host']).mounts, [
    {type: 'volume', name: 'data', target: '/a', readonly: false},
    {type: 'volume', target: '/b', readonly: false},
    {
      type: 'bind',
      source: '/c',
      target: '/c',
      readonly: true,
      options: {propagation: 'slave', noexec: true, relabel: true},
    },
    {type: 'bind', source: '/d', target: '/d', readonly: false, options: {chown: true, idmap}},
    {type: 'volume', name: 'e1', target: '/e', readonly: false, options: {nocopy: true}},
    {
      type: 'volume',
      name: 'vol',
      target: '/f',
      readonly: false,
      options: {subpath: 'x/y', nocopy: true},
      settings,
    },
    {
      type: 'bind',
      source: '/g',
      target: '/g',
      readonly: true,
      options: {propagation: 'shared', submounts: 'writable', createSource: true},
    },
    {type: 'tmpfs', target: '/h', options: 'size=1024,mode=0700,notmpcopyup'},
  ]);
});

test('--device, --shm-size and --volumes-from are the storage of a request', t => {
  const words = '--device /dev/a --device /dev/b:rw --device /dev/c:/dev/d:rwm --shm-size 1k --volumes-from x:ro,z';
  t.deepEqual(request(t, [...words.split(' '), 'host']).storage, {
    shmSize: 1024,
    devices: [
      {source: '/dev/a', target: '/dev/a'},
      {source: '/dev/b', target: '/dev/b'},
      {source: '/dev/c', target: '/dev/d'},
    ],
    volumesFrom: [{container: 'x', readonly: true}],
  });
});

const badMounts: [string[], RegExp][] = [
  [['-v', 'a:/b'], /no name for a volume/],
  [['--volumes-from', 'a:ro,rw'], /contradict/],
  [['-v', '/a:b'], /"b", is not absolute/],
  [['-v', '/a:'], /path inside is missing/],
  [['-v', ':/a'], /nothing before the ":"/],
  [['-v', '/a:/b:rr'], /"rr" is no option/],
  [['-v', '/a:/b:ro:x'], /\[SRC:\]DST/],
  [['--tmpfs', 'run'], /not absolute/],
  [['--mount', 'type=bind,dst=/x'], /src= is missing/],
  [['--mount', 'type=bind,src=/x'], /path inside is missing/],
  [['--mount', 'type=bind,src=/x,dst=/y,ro=maybe'], /neither true nor false/],
  [['--mount', 'type=bind,src,dst=/y'], /"source" needs a value/],
  [['--mount', 'type=bind,sauce=/x,dst=/y'], /"sauce" is no key/],
  [['--mount', 'type=floppy,dst=/y'], /"floppy" is no mount type/],
  [['--mount', 'type=tmpfs,src=/x,dst=/y'], /no source/],
];

for (const [words, text] of badMounts) {
  test(`run refuses ${words.join(' ')}`, t =>
    assertError(t, either(t, ['run', ...words, 'host']), 'INVALID_ARG', text));
}

test('run --security-opt is read with "=" and ":"', t => {
  t.is(request(t, ['--security-opt', 'no-new-privileges', 'host']).noNewPrivileges, true);
  t.is(request(t, ['--security-opt', 'no-new-privileges:false', 'host']).noNewPrivileges, false);
  t.is(request(t, ['--security-opt=no-new-privileges=true', '--allow-new-privileges', 'host']).noNewPrivileges, true);
  t.is(request(t, ['--allow-new-privs', 'host']).noNewPrivileges, false);
  t.is(request(t, ['--security-opt', 'seccomp=unconfined', 'host']).seccomp, 'unconfined');
  t.deepEqual(request(t, ['--security-opt', 'seccomp=/p.json', 'host']).seccomp, {profile: '/p.json'});
  t.deepEqual(request(t, ['--security-opt', 'apparmor:x', '--security-opt', 'mask=/a:/b', 'host']).confinement, {
    apparmor: 'x',
    masks: ['/a', '/b'],
  });
  t.is(request(t, ['--security-opt', 'systempaths=unconfined', 'host']).maskedPaths, false);
  assertError(
    t,
    either(t, ['run', '--security-opt', 'nonsense', 'host']),
    'INVALID_ARG',
    /there are no-new-privileges/,
  );
});

const notYet = [
  'run --device /dev/null:r host',
  'run --pull always host',
  'run --publish 80:80 host',
  'run -itm 1g host',
  'run --network bridge host',
  'rm -l x',
  'exec x sh',
  'container exec x sh',
  'image tree x',
  'network create x',
  'compose up -d',
  'system reset -f',
  'volume update x',
  'pull --help-me',
  '-H tcp://x ps',
];

for (const line of notYet) {
  test(`keelbox ${line}: one line, 125`, t => {
    const {exitCode, stdout, stderr} = either(t, line.split(' '));
    t.deepEqual({exitCode, stdout}, {exitCode: 125, stdout: ''});
    t.regex(stderr, /^error: keelbox [^\n]+: not yet\n$/);
  });
}

test('flags before the verb reach the engine', t => {
  const {stdout} = either(t, ['--root', 'r', '--runroot=/rr', '--debug', 'run', '-q', 'host']);
  t.like(JSON.parse(stdout), {KEELBOX_ROOT: path.join(folder, 'r'), KEELBOX_RUNROOT: '/rr'});
  assertError(t, either(t, ['--root']), 'USAGE', /--root needs a value/);
  assertError(t, either(t, ['--frobnicate', 'ps']), 'USAGE', /unknown flag --frobnicate/);
});

test('notices go to stderr, unless -q', t => {
  t.is(either(t, ['run', 'host']).stderr, 'notice: no user namespace\n');
  t.is(either(t, ['run', '-q', 'host']).stderr, '');
});

test("the container's exit code is keelbox's", t => {
  t.is(either(t, ['run', 'host'], {STUB_EXIT: '7'}).exitCode, 7);
});

test('what the engine says is printed as what, why, fix, code', t => {
  const {stderr, exitCode} = either(t, ['run', 'missing']);
  t.is(exitCode, 125);
  t.is(
    stderr,
    [
      'error: there is no image "missing"',
      '  fix: use host',
      '  code: ERR_KEELBOX_IMAGE_NOT_FOUND   more: keelbox explain ERR_KEELBOX_IMAGE_NOT_FOUND',
      '',
    ].join('\n'),
  );
  assertError(
    t,
    either(t, ['run', 'refused']),
    'KERNEL',
    /why: pivot_root on \/x answered EINVAL \(step: pivot-root\)/,
  );
  assertError(t, either(t, ['run', 'host', 'nope']), 'COMMAND_NOT_FOUND', /no command "nope"/, 127);
});

test('an error that nobody foresaw shows its stack only under --debug', t => {
  const plain = either(t, ['run', 'broken']);
  assertError(t, plain, 'INTERNAL', /internal error: x is not a function\n {2}why: .*\n {2}fix: .*--debug/);
  t.notRegex(plain.stderr, /stub\.cjs/);
  t.regex(keelbox(['--debug', 'run', 'broken']).stderr, /TypeError: x is not a function\n {4}at .*stub\.cjs/);
});

test('run -i -t without a terminal on stdin is refused with a fix, -t alone is not', t => {
  assertError(
    t,
    either(t, ['run', '-it', 'host']),
    'INVALID_ARG',
    /stdin is not one\n {2}why: .*\n {2}fix: leave out -t/,
  );
  t.like(request(t, ['-t', 'host'], {TERM: 'vt100'}), {tty: true, term: 'vt100'});
});

test('run --dry-run prints the plan and starts nothing', t => {
  const {stdout, stderr} = either(t, ['run', '--dry-run', '-it', 'host', 'ls']);
  t.is(stderr, '');
  t.regex(stdout, /^Plan for host; nothing has been created\n/);
  t.regex(stdout, /\n {3}1\. clone3\(CLONE_NEWNS\) +# mounts of its own\n/);
  t.regex(stdout, /not available here: needs Linux 5\.12/);
  const json = either(t, ['run', '--dry-run=json', 'host']).stdout;
  t.like(JSON.parse(json), {namespaces: ['user', 'mount'], caps: ['CHOWN']});
});

test('run --explain tells each step on stderr', t => {
  const {stderr, stdout} = either(t, ['run', '--explain', '-q', 'host']);
  t.regex(stderr, /^ {2}1 {2}launcher {6}41 us {2}clone3\(CLONE_NEWNS\) +# mounts of its own\n$/);
  t.is((JSON.parse(stdout) as {explain: boolean}).explain, true);
});

test('run without an image says what to write', t => {
  assertError(
    t,
    either(t, ['run']),
    'USAGE',
    /needs an IMAGE, --rootfs DIR or --from-binary PATH\n {2}fix: keelbox run --rm -it host/,
  );
  assertError(t, either(t, ['run', '--rm', '']), 'USAGE', /needs an IMAGE/);
});

test('an unknown verb and flag name the nearest on stderr', t => {
  assertError(t, either(t, ['rnu', 'host']), 'USAGE', /unknown command "rnu".*\n {2}fix: did you mean keelbox run\?/);
  assertError(t, either(t, ['container', 'lss']), 'USAGE', /did you mean keelbox container ls\?/);
  assertError(t, either(t, ['help', 'rnu']), 'USAGE', /did you mean keelbox run\?/);
  assertError(t, either(t, ['ps', '--al']), 'USAGE', /did you mean --all\?/);
  assertError(t, either(t, ['qqqqqqqq']), 'USAGE', /keelbox --help lists the commands/);
});

test('too many and too few words', t => {
  assertError(t, either(t, ['ps', 'x']), 'USAGE', /keelbox ps takes no arguments/);
  assertError(t, either(t, ['rm']), 'USAGE', /keelbox rm needs an argument: CONTAINER/);
});

test('help in all its forms is on stdout', t => {
  const page = either(t, ['run', '--help']);
  t.is(page.exitCode, 0);
  t.regex(page.stdout, /^Usage: {2}keelbox run \[OPTIONS\] IMAGE \[COMMAND\] \[ARG\.\.\.\]\n/);
  t.deepEqual(either(t, ['help', 'run']), page);
  t.deepEqual(either(t, ['container', 'run', '--help']), page);
  t.deepEqual(either(t, ['help', 'container', 'run']), page);
  for (const words of [[], ['--help'], ['help'], ['-h']]) t.deepEqual(either(t, words), either(t, ['help']));
  const group = either(t, ['container']);
  t.regex(group.stdout, /^Usage: {2}keelbox container COMMAND\n/);
  for (const words of [
    ['container', '--help'],
    ['help', 'container'],
    ['container', '-h'],
  ])
    t.deepEqual(either(t, words), group);
  t.regex(either(t, ['commit', '--help']).stdout, /Make an image of a container\. Not yet\./);
  t.regex(either(t, ['ps', '-h']).stdout, /^Usage: {2}keelbox ps/);
});

test('help pages fit in a line, have no colour in a pipe, and name every flag that works', t => {
  const {stdout} = either(t, ['run', '--help'], {FORCE_COLOR: '1', TERM: 'xterm'});
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what must not be there
  t.notRegex(stdout, /\u001b/);
  for (const line of stdout.split('\n')) t.true(line.length <= 100, line);
  for (const name of ['rm', 'env-file', 'net', 'allow-new-privs', 'dry-run[=text|json]'])
    t.true(stdout.includes(`--${name}`), name);
});

test('the longer names of docker are the same verbs', t => {
  const list = either(t, ['ps', '-a']);
  for (const name of ['container ls', 'container list', 'container ps', 'list'])
    t.deepEqual(either(t, [...name.split(' '), '-a']), list);
  t.is(either(t, ['container', 'rm', 'host-wren']).stdout, 'host-wren\n');
  t.is(either(t, ['container', 'run', '-q', 'host', '--', 'sh', '--help']).exitCode, 0);
});

test("ps shows docker's columns and words", t => {
  const {stdout} = either(t, ['ps', '-a']);
  t.is(
    stdout,
    [
      'CONTAINER ID   IMAGE     COMMAND                  CREATED         STATUS                   PORTS     NAMES',
      'aaaaaaaaaaaa   host      "sh -c sleep 1000; e…"   3 minutes ago   Up 3 minutes                       host-otter',
      'bbbbbbbbbbbb   host      "true"                   3 hours ago     Exited (7) 2 hours ago             host-heron',
      'cccccccccccc   host      "\\u001b[31mred"          4 days ago      Created                            host-wren',
      '',
    ].join('\n'),
  );
  t.is(either(t, ['ps']).stdout.split('\n').length, 3);
  t.is(either(t, ['ps', '-l', '--noheading', '--no-trunc']).stdout.slice(0, 64), 'a'.repeat(64));
});

test('ps -q, -n, --format json and --json', t => {
  t.is(either(t, ['ps', '-aq']).stdout, 'aaaaaaaaaaaa\nbbbbbbbbbbbb\ncccccccccccc\n');
  t.is(either(t, ['ps', '-qn2', '--no-trunc']).stdout, `${'a'.repeat(64)}\n${'b'.repeat(64)}\n`);
  const [first, ...rest] = either(t, ['ps', '-a', '--format', 'json']).stdout.trimEnd().split('\n');
  t.is(rest.length, 2);
  t.like(JSON.parse(first ?? ''), {
    ID: 'aaaaaaaaaaaa',
    Names: 'host-otter',
    State: 'running',
    Status: 'Up 3 minutes',
    RunningFor: '3 minutes ago',
  });
  t.like((JSON.parse(either(t, ['ps', '-a', '--json']).stdout) as unknown[])[1], {
    name: 'host-heron',
    status: 'exited',
    exitCode: 7,
    pid: null,
  });
});

test('rm echoes names as given, goes on after a failure, and answers with the worst code', t => {
  const outcome = either(t, ['rm', 'host-wren', 'nope', 'bbb']);
  t.like(outcome, {exitCode: 1, stdout: 'host-wren\nbbb\n'});
  t.regex(outcome.stderr, /^error: there is no container "nope"\n {2}code: ERR_KEELBOX_NOT_FOUND/);
  t.like(either(t, ['rm', 'host-otter', 'nope']), {exitCode: 2, stdout: ''});
  t.like(either(t, ['rm', 'host-otter', '-f']), {exitCode: 0, stdout: 'host-otter\n', stderr: ''});
});

test('version and info', t => {
  t.regex(either(t, ['--version']).stdout, /^keelbox version \d+\.\d+\.\d+\n$/);
  t.is(either(t, ['-v']).stdout, either(t, ['--version']).stdout);
  t.regex(either(t, ['version']).stdout, /^keelbox version \d.*\n {2}engine {3}0\.1\.0\n/);
  t.like(JSON.parse(either(t, ['version', '--format', 'json']).stdout), {engine: '0.1.0', os: 'linux'});
  t.regex(either(t, ['info']).stdout, /Cgroups: +v2\n/);
  t.deepEqual(either(t, ['system', 'info', '--json']), either(t, ['info', '--format', 'json']));
});

test('every error code has a page', t => {
  for (const code of errorCodes) {
    const {exitCode, stdout} = keelbox(['explain', code]);
    t.is(exitCode, 0, code);
    t.true(stdout.startsWith(`${code}\n\n`) && stdout.length > 150, code);
  }
});

test('every topic has a page, under other spellings too', t => {
  const {stdout} = keelbox(['explain']);
  const topics = [...stdout.matchAll(/^ {2}([a-z_0-9]+) {2}/gm)].map(([, name]) => name ?? '');
  t.true(topics.length >= 12);
  for (const topic of topics) t.regex(keelbox(['explain', topic]).stdout, new RegExp(`^${topic}: `));
  t.is(keelbox(['explain', 'Pivot-Root']).stdout, keelbox(['explain', 'pivot_root']).stdout);
  t.is(keelbox(['explain', 'mount', 'propagation']).stdout, keelbox(['explain', 'mount_propagation']).stdout);
  assertError(t, either(t, ['explain', 'seccom']), 'USAGE', /did you mean keelbox explain seccomp\?/);
});

test('a missing addon says which package, and the pages still work', t => {
  const outcome = either(t, ['ps'], {KEELBOX_NATIVE: '/nowhere/x.node'});
  assertError(t, outcome, 'PLATFORM', /cannot find \/nowhere\/x\.node, which KEELBOX_NATIVE names/);
  t.regex(either(t, ['version'], {KEELBOX_NATIVE: '/nowhere/x.node'}).stdout, /engine {3}cannot be loaded/);
  t.is(either(t, ['run', '--help'], {KEELBOX_NATIVE: '/nowhere/x.node'}).exitCode, 0);
});

test('a file that is no addon says so', t => {
  const file = path.join(folder, 'text.node');
  writeFileSync(file, 'not an addon');
  assertError(t, either(t, ['ps'], {KEELBOX_NATIVE: file}), 'PLATFORM', /cannot load the native part/);
});

test('a reader that has gone away is no error; a full disk is', t => {
  const command = `${process.execPath} dist/cli.cjs run --help`;
  const run = (line: string) => spawnSync('bash', ['-c', line], {encoding: 'utf8'});
  t.is(run(`${command} | true; echo \${PIPESTATUS[0]}`).stdout, '0\n');
  const full = openSync('/dev/full', 'w');
  const {status, stderr} = spawnSync(process.execPath, ['dist/cli.cjs', 'run', '--help'], {
    stdio: ['ignore', full, 'pipe'],
    encoding: 'utf8',
  });
  closeSync(full);
  t.is(status, 125);
  t.regex(stderr, /^error: cannot write to stdout\n {2}why: .*ENOSPC/);
});

test('inspect is the same through both doors, and needs no framework', t => {
  const [container] = JSON.parse(either(t, ['inspect', 'host-heron']).stdout) as {State: {ExitCode: number}}[];
  t.is(container?.State.ExitCode, 7);
  t.is(either(t, ['inspect', '-f', '{{.State.ExitCode}}', 'host-heron']).stdout, '7\n');
  const words = ['inspect', 'host-heron'];
  const clock = {STUB_NOW: '0'};
  for (const name of ['status', 'container inspect', 'container status'])
    t.deepEqual(either(t, [...name.split(' '), 'host-heron'], clock), either(t, words, clock));
  t.deepEqual(hotBundles(words), ['cli.cjs', 'cli-verbs.cjs']);
  t.deepEqual(hotBundles(['ps']), ['cli.cjs']);
});

/** The bundles of ours that a line loads. */
function hotBundles(words: readonly string[]): string[] {
  const listing = path.join(folder, 'listing.cjs');
  const names =
    "Object.keys(require.cache).map(file => require('path').basename(file)).filter(name => /^cli/.test(name))";
  writeFileSync(listing, `process.on('exit', () => process.stderr.write(JSON.stringify(${names})));`);
  const {stderr} = keelbox(words, {STUB_NOW: '0', NODE_OPTIONS: `--require=${listing}`});
  return JSON.parse(stderr) as string[];
}
