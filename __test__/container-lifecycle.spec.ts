/** The verbs of a container's life with the engine behind them, as root and as an ordinary user. */
import {readdirSync, readFileSync, readlinkSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {type CallOptions, command, keelbox, type Result, specFolder} from './helpers/cli';
import {ownState, refused} from './helpers/inside';
import {until} from './helpers/journal';
import {lane, type Who} from './helpers/lane';
import {finish} from './helpers/within';

const test = lane({host: true, guest: true, rootless: true});

/** What a command line that must succeed prints. */
async function ok(t: ExecutionContext, options: CallOptions, line: string, ...more: string[]): Promise<string> {
  const {exitCode, stdout, stderr} = await keelbox([...line.split(' '), ...more], options);
  t.is(exitCode, 0, `${line} ${more.join(' ')}: ${stderr}`);
  return stdout.trimEnd();
}

/** Folders of its own for a test, so that the names and lists of others are not in the way. */
const own = (who: Who) => ({...who, env: ownState(who).env});

const state = (t: ExecutionContext, options: CallOptions, name: string) =>
  ok(t, options, 'inspect -f', '{{.State.Status}}', name);

const stays = 'trap "exit 0" TERM; echo up; while :; do sleep 1000 & wait; done';

/** Until a script has come so far that it made /tmp/up. */
const isUp = (t: ExecutionContext, options: CallOptions, name: string) =>
  ok(t, options, `exec ${name} sh -c`, 'until [ -e /tmp/up ]; do sleep 0.1; done');

test.asEach(
  'run -d prints the id and leaves it running; stop ends it, start brings it back with its files',
  async (t, who) => {
    const options = own(who);
    const id = await ok(t, options, 'run -d --name web host -- sh -c', `echo x >> /var/count; ${stays}`);
    t.regex(id, /^[0-9a-f]{64}$/);
    t.regex(await ok(t, options, 'ps'), new RegExp(`^${id.slice(0, 12)} .*Up .* web$`, 'm'));
    t.is(await ok(t, options, 'stop web'), 'web');
    t.is(await state(t, options, 'web'), 'exited');
    t.is(await ok(t, options, 'stop web'), 'web');
    t.regex(await ok(t, options, 'ps -a'), /Exited \(\d+\) .* web$/m);
    t.is(await ok(t, options, 'start', id.slice(0, 8)), id.slice(0, 8));
    t.is(await state(t, options, 'web'), 'running');
    t.is(await ok(t, options, 'exec web cat /var/count'), 'x\nx');
    t.is(await ok(t, options, 'inspect -f {{.Id}} web'), id);
    t.is(await ok(t, options, 'rm -f web'), 'web');
    t.is(await ok(t, options, 'ps -aq'), '');
  },
);

test.asEach('create makes what start runs, in the foreground too', async (t, who) => {
  const options = own(who);
  await ok(t, options, 'create --name job host -- sh -c', 'cat; exit 7');
  t.is(await state(t, options, 'job'), 'created');
  t.regex(await ok(t, options, 'ps -a'), / Created .* job$/m);
  t.is((await keelbox(['start', '-a', 'job'], options)).exitCode, 7);
  t.is(await ok(t, options, 'wait job'), '7');
  t.regex(await ok(t, options, 'ps -a'), /Exited \(7\) .* job$/m);
  await ok(t, options, 'create -i --name reads host -- sh -c', 'cat; exit 3');
  t.like(await keelbox(['start', '-ai', 'reads'], {...options, input: 'typed'}), {exitCode: 3, stdout: 'typed'});
  t.is(await ok(t, options, 'rm job reads'), 'job\nreads');
});

/** The sockets of its supervisor, which is the parent: one for each that talks to it. */
function sockets(pid: number): string[] {
  const [, parent] = (readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1) ?? '').split(' ');
  const folder = `/proc/${parent}/fd`;
  return readdirSync(folder)
    .map(fd => linkOf(path.join(folder, fd)))
    .filter(link => link.startsWith('socket:'));
}

/** Nothing for an fd that has been closed meanwhile. */
function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}

test.asEach('wait tells the end of one that runs, and of one that goes at its end', async (t, who) => {
  const options = own(who);
  const told = (code: number) => `trap "exit ${code}" TERM; touch /tmp/up; while :; do sleep 1000 & wait; done`;
  await ok(t, options, 'run -d --name nine host -- sh -c', told(9));
  await ok(t, options, 'run -d --rm --name gone host -- sh -c', told(4));
  for (const name of ['nine', 'gone']) await isUp(t, options, name);
  const pids = (await ok(t, options, 'inspect -f {{.State.Pid}} nine gone')).split('\n').map(Number);
  const before = pids.flatMap(sockets);
  const waiting = ok(t, options, 'wait nine gone');
  t.true(await until(() => pids.every(pid => sockets(pid).some(socket => !before.includes(socket)))));
  await ok(t, options, 'kill -s TERM nine gone');
  t.is(await waiting, '9\n4');
  t.is((await keelbox(['wait', 'gone'], options)).exitCode, 1);
  t.is(await ok(t, options, 'ps -a --format {{.Names}}'), 'nine');
  await ok(t, options, 'rm nine');
});

test.asEach('kill sends any signal; what dies of it is 128 and the signal', async (t, who) => {
  const options = own(who);
  await ok(
    t,
    options,
    'run -d --name hup host -- sh -c',
    'trap "exit 5" HUP; touch /tmp/up; while :; do sleep 1000 & wait; done',
  );
  await isUp(t, options, 'hup');
  t.is(await ok(t, options, 'kill -s HUP hup'), 'hup');
  t.is(await ok(t, options, 'wait hup'), '5');
  await ok(t, options, 'start hup');
  t.is(await ok(t, options, 'kill hup'), 'hup');
  t.is(await ok(t, options, 'wait hup'), '137');
  refused(t, await keelbox(['kill', 'hup'], options), {code: 'ERR_KEELBOX_STATE', exitCode: 1, says: 'not running'});
  await ok(t, options, 'rm hup');
});

test.asEach('restart is a new process in the same container', async (t, who) => {
  const options = own(who);
  await ok(t, options, 'run -d --name again host -- sh -c', stays);
  const pid = await ok(t, options, 'inspect -f {{.State.Pid}} again');
  t.is(await ok(t, options, 'restart again'), 'again');
  t.not(await ok(t, options, 'inspect -f {{.State.Pid}} again'), pid);
  const told = await ok(t, options, 'events --stream=false --filter container=again --format {{.Action}}');
  t.deepEqual(told.split('\n'), ['create', 'start', 'kill', 'die', 'stop', 'start', 'restart']);
  await ok(t, options, 'stop again');
  await ok(t, options, 'restart again');
  t.is(await state(t, options, 'again'), 'running');
  await ok(t, options, 'rm -f again');
});

test.asEach('rename gives the old name free, also while it runs', async (t, who) => {
  const options = own(who);
  await ok(t, options, 'run -d --name old host -- sleep 1000');
  t.is(await ok(t, options, 'rename old new'), '');
  t.is(await ok(t, options, 'ps --format {{.Names}}'), 'new');
  await ok(t, options, 'create --name old host');
  const taken = await keelbox(['rename', 'old', 'new'], options);
  refused(t, taken, {code: 'ERR_KEELBOX_NAME_TAKEN', says: 'new', exitCode: taken.exitCode ?? 0});
  t.not(taken.exitCode, 0);
  await ok(t, options, 'rm -f old new');
});

test.asRoot('pause freezes every process, and unpause lets them go on', async (t, who) => {
  const options = own(who);
  await ok(t, options, 'run -d --name ice host -- sleep 1000');
  t.is(await ok(t, options, 'pause ice'), 'ice');
  t.is(await state(t, options, 'ice'), 'paused');
  t.regex(await ok(t, options, 'ps'), /Up .* \(Paused\) .* ice$/m);
  refused(t, await keelbox(['pause', 'ice'], options), {code: 'ERR_KEELBOX_STATE', exitCode: 1, says: 'paused'});
  t.is(await ok(t, options, 'unpause ice'), 'ice');
  t.is(await state(t, options, 'ice'), 'running');
  await ok(t, options, 'pause ice');
  await ok(t, options, 'rm -f ice');
});

test.asEach('several at once: all that can be done is done', async (t, who) => {
  const options = own(who);
  const names = ['one', 'two', 'three', 'four', 'five', 'six'];
  const made = await Promise.all(
    names.map(name => keelbox(['run', '-d', '--name', name, 'host', '--', 'sh', '-c', stays], options)),
  );
  t.true(made.every(({exitCode}) => exitCode === 0));
  const stopped = await keelbox(['stop', ...names.slice(0, 3), 'nobody', ...names.slice(3)], options);
  t.like(stopped, {exitCode: 1, stdout: `${names.join('\n')}\n`});
  t.regex(stopped.stderr, /nobody[\s\S]*ERR_KEELBOX_NOT_FOUND/);
  t.is(await ok(t, options, 'start', ...names), names.join('\n'));
  t.is((await ok(t, options, 'ps -q')).split('\n').length, 6);
  t.is((await ok(t, options, 'stop -a')).split('\n').length, 6);
  t.is(await ok(t, options, 'ps -q'), '');
  const pruned = await ok(t, options, 'container prune -f');
  t.is(pruned.match(/^[0-9a-f]{64}$/gm)?.length, 6);
  t.is(await ok(t, options, 'ps -aq'), '');
});

test.asEach('a name is free, taken, and replaced', async (t, who) => {
  const options = own(who);
  t.is((await keelbox(['container', 'exists', 'web'], options)).exitCode, 1);
  const first = await ok(t, options, 'run -d --name web host -- sleep 1000');
  t.is((await keelbox(['container', 'exists', first.slice(0, 10)], options)).exitCode, 0);
  refused(t, await keelbox(['run', '-d', '--name', 'web', 'host'], options), {
    code: 'ERR_KEELBOX_NAME_TAKEN',
    says: 'web',
  });
  const second = await ok(t, options, 'run -d --replace --name web host -- sleep 1000');
  t.not(second, first);
  t.is(await ok(t, options, 'ps -a --format {{.ID}} --no-trunc'), second);
  await ok(t, options, 'rm -f web');
});

test.asEach('inspect tells what it was made with', async (t, who) => {
  const options = own(who);
  const flags = ['--label', 'tier=front', '-e', 'A=b c', '-w', '/tmp', '--stop-signal', 'INT', '--stop-timeout', '3'];
  const more = ['--restart', 'on-failure:2', '--hostname', 'box', '--tmpfs', '/x', '--expose', '80'];
  const health = ['--health-cmd', 'true', '--health-interval', '1h'];
  await ok(t, options, 'create --name web', ...flags, ...more, ...health, 'host', 'sleep', '1');
  const [container] = JSON.parse(await ok(t, options, 'inspect web')) as [Record<string, Record<string, unknown>>];
  t.like(container.Config, {
    Labels: {tier: 'front'},
    WorkingDir: '/tmp',
    StopSignal: 'INT',
    StopTimeout: 3,
    Hostname: 'box',
    Cmd: ['sleep', '1'],
    ExposedPorts: {'80/tcp': {}},
    Healthcheck: {Test: ['CMD-SHELL', 'true'], Interval: 3_600_000_000_000},
  });
  t.regex(JSON.stringify(container.Config), /"A=b c"/);
  t.like(container.HostConfig, {RestartPolicy: {Name: 'on-failure', MaximumRetryCount: 2}, Tmpfs: {'/x': ''}});
  t.like(container.State, {Status: 'created', Running: false, Pid: 0});
  t.is(await ok(t, options, 'update --restart no web'), 'web');
  t.is(await ok(t, options, 'inspect -f {{.HostConfig.RestartPolicy.Name}} web'), 'no');
  await ok(t, options, 'rm web');
});

test.asEach(
  'a container whose records are broken is listed with the reason, keeps no other, and can be removed',
  async (t, who) => {
    const options = own(who);
    const id = await ok(t, options, 'create --name torn host');
    await ok(t, options, 'create --name whole host');
    const home = String(options.env.KEELBOX_ROOT);
    writeFileSync(path.join(home, 'containers', id, 'config.json'), '{"torn": ');
    const list = await ok(t, options, 'ps -a --no-trunc');
    t.regex(list, / Created .* whole$/m);
    t.regex(list, new RegExp(`^${id} .*Broken: `, 'm'));
    await ok(t, options, 'rm -f whole', id);
    t.is(await ok(t, options, 'ps -aq'), '');
  },
);

test.asEach('a container is stopped and started again through what generate systemd writes', async (t, who) => {
  const options = own(who);
  await ok(t, options, 'create --name unit host -- sh -c', 'exit 6');
  const unit = await ok(t, options, 'generate systemd --name unit');
  const line = /^ExecStart=(.*)$/m.exec(unit)?.[1]?.split(' ') ?? [];
  t.is(line.slice(-3).join(' '), 'start -a unit');
  t.is((await keelbox(line.slice(3), options)).exitCode, 6);
  await ok(t, options, 'rm unit');
});

test('missing containers: 1 for docker’s verbs', async t => {
  const codes: Record<string, Result['exitCode']> = {};
  for (const verb of ['start', 'stop', 'restart', 'kill', 'wait', 'pause', 'unpause', 'rm', 'inspect', 'attach'])
    codes[verb] = (await keelbox([verb, 'nobody'])).exitCode;
  codes.rename = (await keelbox(['rename', 'nobody', 'x'])).exitCode;
  t.deepEqual(new Set(Object.values(codes)), new Set([1]), JSON.stringify(codes));
  t.is((await keelbox(['healthcheck', 'run', 'nobody'])).exitCode, 125);
});

test.asEach('--cidfile and --pidfile are written for one that stays', async (t, who) => {
  const options = own(who);
  const folder = String(options.env.KEELBOX_ROOT);
  const [cid, pid] = [path.join(folder, 'cid'), path.join(folder, 'pid')];
  const id = await ok(t, options, 'run -d --cidfile', cid, '--pidfile', pid, 'host', 'sleep', '1000');
  t.is(readFileSync(cid, 'utf8').trim(), id);
  t.is(await ok(t, options, 'inspect -f {{.State.Pid}}', id), readFileSync(pid, 'utf8').trim());
  t.is(await ok(t, options, 'stop -t 0 --cidfile', cid), id);
  await ok(t, options, 'rm', id);
});

/** The guest has no strace. */
const onHost = lane({host: true}).needing('strace');

onHost.asRoot('rm -f does not wait for what its supervisor has removed', async (t, who) => {
  const options = {...who, ...ownState(who)};
  await ok(t, options, 'run -d --name gone host sleep 1000');
  const trace = path.join(specFolder(), 'rm.trace');
  const {file, args, options: spawning} = command(['rm', '-f', 'gone'], options);
  const words = ['-f', '-qqq', '-e', 'trace=clock_nanosleep,nanosleep', '-o', trace, file, ...args];
  const removed = await finish('strace', words, spawning);
  t.is(removed.stdout, 'gone\n', removed.stderr);
  const sleeps = readFileSync(trace, 'utf8')
    .split('\n')
    .filter(line => /nanosleep\(/.test(line));
  // One or two for a lock that another command has just then; it was fifty.
  t.true(sleeps.length < 10, `${sleeps.length} sleeps`);
});
