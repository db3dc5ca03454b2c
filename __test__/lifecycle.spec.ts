/** The verbs of a container's life: what they ask the engine for, with an addon that only says what it was asked. */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import ava, {type ExecutionContext} from 'ava';
import {lane} from './helpers/lane';
import {asked, stubbed as keelbox, refusedStub as refused} from './helpers/stubbed';

const test = lane({host: true});
const folder = mkdtempSync(path.join(os.tmpdir(), 'keelbox-lifecycle-'));
ava.after.always(() => rmSync(folder, {recursive: true, force: true}));

const [otter, heron, wren] = ['a', 'b', 'c'].map(letter => letter.repeat(64));

const once: [line: string, action: Record<string, unknown>][] = [
  ['start host-heron', {verb: 'start', reference: 'host-heron'}],
  ['container start bbbb', {verb: 'start', reference: 'bbbb'}],
  ['stop host-otter', {verb: 'stop', reference: 'host-otter'}],
  ['stop -t 3 -s INT host-otter', {verb: 'stop', reference: 'host-otter', timeout: 3, signal: 'INT'}],
  ['stop --time=-1 host-otter', {verb: 'stop', reference: 'host-otter', timeout: -1}],
  ['container restart --timeout 0 host-otter', {verb: 'restart', reference: 'host-otter', timeout: 0}],
  ['kill host-otter', {verb: 'kill', reference: 'host-otter', signal: 'KILL'}],
  ['kill -s SIGRTMIN+3 host-otter', {verb: 'kill', reference: 'host-otter', signal: 'SIGRTMIN+3'}],
  ['pause host-otter', {verb: 'pause', reference: 'host-otter'}],
  ['freeze host-otter', {verb: 'pause', reference: 'host-otter'}],
  ['unpause host-otter', {verb: 'unpause', reference: 'host-otter'}],
  ['container thaw host-otter', {verb: 'unpause', reference: 'host-otter'}],
  ['update --restart on-failure:3 host-otter', {verb: 'update', reference: 'host-otter', restart: 'on-failure:3'}],
];

for (const [line, action] of once) {
  test(`${line}: one action, and the name as typed`, t => {
    t.deepEqual(asked(t, line), {actions: [action], stdout: `${action.reference}\n`});
  });
}

test('several names: each is asked for, a failure keeps no other, and the order is that of the names', t => {
  const outcome = keelbox('stop host-wren nope host-otter bbb');
  t.like(outcome, {exitCode: 1, stdout: 'host-wren\nhost-otter\nbbb\n'});
  t.regex(outcome.stderr, /^error: there is no container "nope"\n {2}code: ERR_KEELBOX_NOT_FOUND/);
  t.like(keelbox('stop --ignore host-wren nope'), {exitCode: 0, stdout: 'host-wren\n', stderr: ''});
});

test('-a means those that it makes sense for, -l the last one, a filter those that match', t => {
  const more = {
    STUB_MORE: JSON.stringify([
      {id: 'e'.repeat(64), name: 'vole', status: 'paused', createdAt: 5, labels: {tier: 'front'}},
    ]),
  };
  const targets = (line: string) => asked(t, line, more).stdout.trim().split('\n');
  t.deepEqual(targets('stop -a'), [otter, 'e'.repeat(64)]);
  t.deepEqual(targets('pause -a'), [otter]);
  t.deepEqual(targets('unpause --all'), ['e'.repeat(64)]);
  t.deepEqual(targets('start --all'), [heron, wren]);
  t.deepEqual(targets('restart --running'), [otter]);
  t.deepEqual(targets('rm -f --latest'), [otter]);
  t.deepEqual(targets('start --filter label=tier=front'), [heron]);
  t.deepEqual(targets('rm --filter status=exited'), [heron]);
});

test('--cidfile names the container in a file', t => {
  const file = path.join(folder, 'cid');
  writeFileSync(file, `${heron}\n`);
  t.deepEqual(asked(t, ['start', '--cidfile', file]).actions, [{verb: 'start', reference: heron}]);
  refused(t, 'stop --cidfile nowhere', /cannot read --cidfile nowhere\n {2}why: there is no such file/);
  t.like(keelbox('stop --ignore --cidfile nowhere'), {exitCode: 0, stdout: ''});
});

test('what contradicts itself is refused', t => {
  refused(t, 'stop', /keelbox stop needs an argument: CONTAINER/);
  refused(t, 'stop -a host-otter', /--all and names are two answers/);
  refused(t, 'kill -s 9x host-otter', /invalid value "9x" for -s/);
  refused(t, 'stop -t soon host-otter', /expected a whole number/);
  refused(t, 'update host-otter', /provide one or more flags/);
  refused(t, 'update --restart sometimes host-otter', /expected no, on-failure\[:N\], always or unless-stopped/);
  refused(t, 'start -a host-heron host-wren', /cannot start and attach multiple/);
  refused(t, 'rename host-otter a/b', /invalid value "a\/b" for the new name/);
  refused(t, 'wait --condition bored host-otter', /expected one of stopped/);
});

test('wait prints the code of each, and asks for the condition in our words', t => {
  t.deepEqual(asked(t, 'wait host-heron host-otter').stdout, '7\n0\n');
  t.like(asked(t, 'wait --condition not-running host-heron').actions[0], {verb: 'wait', condition: 'stopped'});
  t.like(asked(t, 'wait --condition=removed host-heron').actions[0], {condition: 'removed'});
  t.like(keelbox('wait nope'), {exitCode: 1, stdout: ''});
  t.like(keelbox('wait --ignore nope host-heron'), {exitCode: 0, stdout: '-1\n7\n'});
});

test('start -a and attach become the client', t => {
  const client = (line: string) => JSON.parse(asked(t, line).stdout) as Record<string, unknown>;
  t.deepEqual(client('start -a host-heron'), {
    reference: 'host-heron',
    start: true,
    stdin: false,
    output: true,
    handle: 9,
  });
  t.like(client('start -ai --detach-keys ctrl-p,ctrl-q --sig-proxy=false host-heron'), {
    stdin: true,
    detachKeys: 'ctrl-p,ctrl-q',
    sigProxy: false,
    client: {detachKeys: 'ctrl-p,ctrl-q', sigProxy: false},
  });
  t.like(client('attach host-otter'), {reference: 'host-otter', start: false, stdin: true});
  t.like(client('container attach --no-stdin host-otter'), {stdin: false});
  t.is(keelbox('attach host-otter', {STUB_EXIT: '9'}).exitCode, 9);
});

test('rename says nothing, and a leading slash is docker’s', t => {
  t.deepEqual(asked(t, 'rename host-otter /web'), {
    actions: [{verb: 'rename', reference: 'host-otter', name: 'web'}],
    stdout: '',
  });
});

test('container exists answers with its exit code', t => {
  t.deepEqual(keelbox('container exists host-otter'), {exitCode: 0, stdout: '', stderr: ''});
  t.deepEqual(keelbox('container exists nope'), {exitCode: 1, stdout: '', stderr: ''});
});

test('healthcheck run: 0 well, 1 not, 125 cannot tell', t => {
  t.like(keelbox('healthcheck run host-otter'), {exitCode: 0, stdout: ''});
  t.like(keelbox('healthcheck run host-otter', {STUB_EXIT: '3'}), {exitCode: 1, stdout: 'unhealthy\n'});
  t.is(keelbox('healthcheck run --ignore-result host-otter', {STUB_EXIT: '3'}).exitCode, 0);
  t.is(keelbox('healthcheck run nope').exitCode, 125);
});

test('rm -f -t stops first, and one that is not there is no failure with -f', t => {
  t.deepEqual(asked(t, 'rm -f -t 5 host-otter').actions, [
    {verb: 'stop', reference: 'host-otter', timeout: 5},
    {verb: 'remove', reference: 'host-otter', force: true},
  ]);
  t.like(keelbox('rm -f nope'), {exitCode: 0, stdout: '', stderr: 'notice: there is no container "nope"\n'});
  t.like(keelbox('rm nope'), {exitCode: 1, stdout: ''});
  t.like(keelbox('rm --ignore nope'), {exitCode: 0, stdout: '', stderr: ''});
});

function life(t: ExecutionContext, line: string | readonly string[]): unknown {
  const words = typeof line === 'string' ? line.split(' ') : line;
  const [action] = asked(t, ['create', ...words, 'host']).actions as {request: {life?: unknown}}[];
  return action?.request.life;
}

test('run -d and create ask for the same, print the id, and notices only without -q', t => {
  const run = keelbox('run -d --name web host httpd -f', {STUB_TELL: '1'});
  const id = 'd'.repeat(64);
  t.like(run, {exitCode: 0, stdout: `${id}\n`});
  t.regex(run.stderr, /\nnotice: no user namespace\n$/);
  t.like(JSON.parse(run.stderr.split('\n')[0] ?? ''), {
    verb: 'run',
    request: {name: 'web', command: ['httpd', '-f'], life: {detach: true}},
  });
  const {actions, stdout} = asked(t, 'container create -q -it --rm host');
  t.is(stdout, `${id}\n`);
  t.like(actions, [{verb: 'create', request: {interactive: true, tty: true, rm: true}}]);
  t.like(asked(t, 'run -dit host').actions, [{verb: 'run', request: {tty: true, life: {detach: true}}}]);
});

test('what is said about the life of a container', t => {
  t.is(life(t, '--rm'), undefined);
  t.deepEqual(
    life(
      t,
      '--restart on-failure:5 --stop-signal INT --stop-timeout -1 --timeout 60 --log-driver journald --log-opt max-size=1m --expose 80 --expose 5000-5001/udp -a STDIN -a stdout',
    ),
    {
      restart: 'on-failure:5',
      stopSignal: 'INT',
      stopTimeout: -1,
      timeout: 60,
      logDriver: 'journald',
      logOpts: ['max-size=1m'],
      attach: ['stdin', 'stdout'],
      expose: ['80/tcp', '5000/udp', '5001/udp'],
    },
  );
  t.deepEqual(
    life(t, [
      ...['--health-cmd', 'curl -f localhost || exit 1', '--health-interval', '1m30s', '--health-timeout=500ms'],
      ...['--health-retries', '5', '--health-start-period', '1.5h', '--health-start-interval', '2s'],
      ...['--health-on-failure', 'kill'],
    ]),
    {
      health: {
        test: ['CMD-SHELL', 'curl -f localhost || exit 1'],
        interval: 90_000,
        timeout: 500,
        retries: 5,
        startPeriod: 5_400_000,
        startInterval: 2000,
        onFailure: 'kill',
      },
    },
  );
  t.deepEqual(life(t, ['--health-cmd', '["a", "b c"]']), {health: {test: ['CMD', 'a', 'b c']}});
  t.deepEqual(life(t, ['--health-cmd', '[ -e /ready ]']), {health: {test: ['CMD-SHELL', '[ -e /ready ]']}});
  t.deepEqual(life(t, '--no-healthcheck'), {health: {test: ['NONE']}});
  t.deepEqual(life(t, '--health-interval 0 --health-retries 0'), undefined);
});

const badLives: [line: string, text: RegExp][] = [
  ['run --rm --restart always host', /cannot specify both --restart and --rm/],
  ['run --restart always:3 host', /only on-failure can have a number/],
  ['run -d -a stdout host', /cannot specify both --attach and --detach/],
  ['run -d --explain host', /cannot specify both --explain and --detach/],
  ['run --replace host', /cannot replace a container without --name/],
  ['run --log-driver syslog host', /expected one of json-file/],
  ['run --log-opt max-size host', /expected KEY=VALUE/],
  ['run --health-interval soon host', /expected a duration, such as 30s/],
  ['run --no-healthcheck --health-retries 3 host', /--no-healthcheck conflicts with --health-\*/],
  ['run -a stderror host', /expected stdin, stdout or stderr/],
  ['run --expose 80000 host', /expected PORT/],
  ['run --stop-timeout 1s host', /expected a whole number/],
];

for (const [line, text] of badLives) test(`${line} is refused`, t => refused(t, line, text));

test('--rm goes with --restart no', t => {
  t.deepEqual(life(t, '--rm --restart no'), {restart: 'no'});
});

test('--replace removes the one of that name first, if there is one', t => {
  t.like(asked(t, 'run -d --replace --name host-otter host').actions, [
    {verb: 'remove', reference: 'host-otter', force: true},
    {verb: 'run'},
  ]);
  t.like(asked(t, 'create --replace --name fresh host').actions[1], {verb: 'create'});
});

test('the client’s flags of a foreground run reach the client', t => {
  const {stdout} = asked(t, 'run --detach-keys= --sig-proxy=false host');
  t.deepEqual((JSON.parse(stdout) as {client: unknown}).client, {detachKeys: '', sigProxy: false});
});

test('detach keys that are none are refused before anything is done', t => {
  for (const line of ['run host', 'run -d host', 'start -a host-heron', 'attach host-otter', 'exec host-otter sh']) {
    const [verb, ...words] = line.split(' ');
    const {exitCode, stdout, stderr} = keelbox([String(verb), '--detach-keys', 'ctrl-1', ...words], {STUB_TELL: '1'});
    t.deepEqual([exitCode, stdout], [125, ''], line);
    t.regex(stderr, /^error: ctrl-1 are no detach keys\n/, 'and nothing was asked for before');
  }
});
