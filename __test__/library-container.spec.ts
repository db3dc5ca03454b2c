/** Containers of the library that stay: made, used, found, ended. */
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {Readable} from 'node:stream';
import {pathToFileURL} from 'node:url';
import {homeOf, keelbox, specFolder} from './helpers/cli';
import {lane} from './helpers/lane';

const test = lane({host: true, guest: true, rootless: true});
const {root, runRoot} = homeOf();
process.env.KEELBOX_ROOT = root;
process.env.KEELBOX_RUNROOT = runRoot;

const entry = pathToFileURL(path.join(specFolder(), 'dist/index.mjs')).href;
const library = import(entry) as Promise<typeof import('../src/index')>;

/** What `keelbox ps -a` says of a name; empty when there is no such container. */
const statusOf = async (name: string) =>
  (await keelbox(['ps', '-a', '--filter', `name=^${name}$`, '--format', '{{.State}}'])).stdout.trim();

test('a container runs many commands, and they share its files', async t => {
  const {Container} = await library;
  await using box = await Container.create('host', {name: 'many'});
  t.regex(box.id, /^[0-9a-f]{64}$/);
  t.is(box.name, 'many');
  t.is(await statusOf('many'), 'running');
  await box.exec(['sh', '-c', 'echo one > /tmp/file']);
  t.is(await box.exec(['cat', '/tmp/file']).text(), 'one\n');
  await box.remove({force: true});
  t.is(await statusOf('many'), '');
});

test('a command has its own streams, exit code, environment, directory and user', async t => {
  const {Container, ExitError} = await library;
  await using box = await Container.create('host', {env: {A: 'a'}});
  const script = 'echo $A $B $(pwd) $(id -u); echo err >&2; cat; exit 3';
  const error = await t.throwsAsync(
    box.exec(['sh', '-c', script], {env: {B: 'b c'}, cwd: '/etc', user: '5', stdin: 'in'}).then(() => {}),
    {instanceOf: ExitError, code: 'ERR_KEELBOX_EXIT'},
  );
  t.like((error as InstanceType<typeof ExitError>).result, {exitCode: 3, stdout: 'a b c /etc 5\nin', stderr: 'err\n'});
  const lines: string[] = [];
  for await (const line of box.exec(['seq', '3'])) lines.push(line);
  t.deepEqual(lines, ['1', '2', '3']);
});

test('$ takes each value as one word', async t => {
  const {Container} = await library;
  await using box = await Container.create('host');
  const odd = `a 'b' "c" $d \\ \` ; rm *`;
  t.is(await box.$`printf '%s|' ${odd} ${['x y', 'z']} ${7} | tr -d '\n'`.text(), `${odd}|x y|z|7|`);
});

test('abort and timeout end the command and leave the container', async t => {
  const {Container} = await library;
  await using box = await Container.create('host');
  await t.throwsAsync(box.exec(['sleep', '100'], {timeout: 200}), {code: 'ERR_KEELBOX_TIMEOUT'});
  const controller = new AbortController();
  const proc = box.exec(['sh', '-c', 'echo ready; exec sleep 100'], {signal: controller.signal});
  await t.throwsAsync(
    (async () => {
      for await (const line of proc) if (line === 'ready') controller.abort('enough');
    })(),
    {code: 'ABORT_ERR'},
  );
  t.is(await box.exec(['pgrep', '-c', 'sleep'], {reject: false}).then(({stdout}) => stdout), '0\n');
});

test('files are written, read, listed, made and removed from outside', async t => {
  const {Container} = await library;
  await using box = await Container.create('host');
  await box.fs.mkdir('/tmp/a/b', {recursive: true});
  await box.fs.writeFile('/tmp/a/b/text', 'héllo', {mode: 0o600});
  await box.fs.writeFile('/tmp/a/stream', Readable.from([Buffer.alloc(200_000, 'x')]));
  t.is(await box.$`stat -c '%a %U' /tmp/a/b/text`.text(), '600 root\n');
  t.is(await box.fs.readFile('/tmp/a/b/text', 'utf8'), 'héllo');
  t.deepEqual(Buffer.from(await box.fs.readFile('/tmp/a/b/text')), Buffer.from('héllo'));
  t.deepEqual(await box.fs.readdir('/tmp/a'), ['b', 'stream']);
  let length = 0;
  for await (const chunk of box.fs.createReadStream('/tmp/a/stream')) length += (chunk as Buffer).length;
  t.is(length, 200_000);
  await box.fs.rm('/tmp/a', {recursive: true});
  t.is((await box.exec(['ls', '/tmp/a'], {reject: false})).ok, false);
  await t.throwsAsync(box.fs.readFile('/tmp/a'));
  await box.fs.rm('/tmp/a', {force: true});
  // A link leads nowhere outside.
  await box.$`ln -s /../../../../etc/passwd /tmp/link`;
  t.is(await box.fs.readFile('/tmp/link', 'utf8'), await box.$`cat /etc/passwd`.text());
});

test('copyIn and copyOut carry files and directories', async t => {
  const {Container} = await library;
  await using box = await Container.create('host');
  const folder = path.join(specFolder(), 'copied');
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'a'), 'from here');
  await box.copyIn(folder, '/tmp');
  t.is(await box.$`cat /tmp/copied/a`.text(), 'from here');
  await box.$`echo from there > /tmp/copied/b`;
  await box.copyOut('/tmp/copied/b', folder);
  t.is(readFileSync(path.join(folder, 'b'), 'utf8'), 'from there\n');
  await t.throwsAsync(box.copyIn(folder, '/tmp', {signal: AbortSignal.abort()}), {code: 'ABORT_ERR'});
  await t.throwsAsync(box.copyOut('/tmp/nothing', folder));
});

test('its own command is in the log, and can be waited for', async t => {
  const {Container} = await library;
  await using box = await Container.create('host', {
    command: ['sh', '-c', 'echo booting; echo oops >&2; sleep 0.3; echo listening on 80; exec sleep 1000'],
  });
  await box.ready({log: /listening on \d+/});
  const lines = [];
  for await (const {stream, line, time} of box.logs()) {
    t.true(time instanceof Date && !Number.isNaN(time.getTime()));
    lines.push(`${stream} ${line}`);
  }
  t.deepEqual(lines.sort(), ['stderr oops', 'stdout booting', 'stdout listening on 80']);
  await t.throwsAsync(box.ready({log: /never/}, {timeout: 200}), {code: 'ERR_KEELBOX_TIMEOUT'});
  await t.throwsAsync(box.ready({log: /never/}, {signal: AbortSignal.timeout(100)}), {code: 'ABORT_ERR'});
});

test('ready tries a command until it succeeds', async t => {
  const {Container} = await library;
  await using box = await Container.create('host', {
    command: ['sh', '-c', 'sleep 0.3; echo x > /tmp/ready; exec sleep 1000'],
  });
  await box.ready({exec: ['test', '-e', '/tmp/ready']});
  t.is(await box.fs.readFile('/tmp/ready', 'utf8'), 'x\n');
  await t.throwsAsync(box.ready({port: 80}), {code: 'ERR_KEELBOX_NOT_YET'});
  await t.throwsAsync(box.ready({} as {port: number}));
});

test('a paused container does nothing, and goes on', async t => {
  const {Container} = await library;
  await using box = await Container.create('host', {name: 'frozen'});
  await box.pause();
  t.is(await statusOf('frozen'), 'paused');
  await box.resume();
  t.is(await statusOf('frozen'), 'running');
  t.true((await box.exec(['true'])).ok);
});

test('found by name, id and the beginning of one; by its labels', async t => {
  const {Container} = await library;
  await using box = await Container.create('host', {name: 'found', labels: {tier: 'front', x: 'y'}});
  for (const reference of ['found', box.id, box.id.slice(0, 12)]) t.is((await Container.get(reference)).id, box.id);
  await t.throwsAsync(Container.get('nobody'), {code: 'ERR_KEELBOX_NOT_FOUND'});
  const names = async (label: Record<string, string>) => {
    const all = [];
    for await (const {name} of Container.list({label})) all.push(name);
    return all;
  };
  t.deepEqual(await names({tier: 'front'}), ['found']);
  t.deepEqual(await names({tier: 'front', x: 'z'}), []);
  // Who has only found it leaves it when he goes.
  await (await Container.get('found'))[Symbol.asyncDispose]();
  t.is(await statusOf('found'), 'running');
});

test('disposing removes what the scope or the process owns, and is harmless twice', async t => {
  const {Container} = await library;
  for (const lifetime of ['process', 'scope'] as const) {
    await using box = await Container.create('host', {name: `own-${lifetime}`, lifetime});
    t.is(await statusOf(box.name), 'running');
    await Promise.all([box[Symbol.asyncDispose](), box[Symbol.asyncDispose]()]);
    await box[Symbol.asyncDispose]();
    t.is(await statusOf(box.name), '');
    await box.remove({force: true});
    await t.throwsAsync(box.exec(['true']), {code: 'ERR_KEELBOX_NOT_FOUND'});
  }
});

test('a detached one outlives its handle', async t => {
  const {Container} = await library;
  await using box = await Container.create('host', {name: 'stays', lifetime: 'detached'});
  await box[Symbol.asyncDispose]();
  t.is(await statusOf('stays'), 'running');
  await box.stop();
  t.is(await statusOf('stays'), 'exited');
  await t.throwsAsync(box.exec(['true']), {code: 'ERR_KEELBOX_STATE'});
  await t.throwsAsync(box.pause(), {code: 'ERR_KEELBOX_STATE'});
  await box.remove();
  t.is(await statusOf('stays'), '');
});

test('remove without force gives its command time to end', async t => {
  const {Container, run} = await library;
  const mounts = {'/out': {volume: 'ending'}};
  for (const lifetime of ['process', 'scope'] as const) {
    const script = `trap "echo bye > /out/${lifetime}; exit" TERM; echo up; while :; do sleep 1000 & wait; done`;
    await using box = await Container.create('host', {lifetime, mounts, command: ['sh', '-c', script]});
    await box.ready({log: /up/});
    await box.remove();
    t.is(await run('host', ['cat', `/out/${lifetime}`], {mounts}).text(), 'bye\n');
  }
  t.is((await keelbox(['volume', 'rm', 'ending'])).exitCode, 0);
});

test('called off before and during the start: there is nothing', async t => {
  const {Container} = await library;
  await t.throwsAsync(Container.create('host', {name: 'off', signal: AbortSignal.abort()}), {code: 'ABORT_ERR'});
  const controller = new AbortController();
  const created = Container.create('host', {name: 'off', signal: controller.signal});
  controller.abort();
  await t.throwsAsync(created, {code: 'ABORT_ERR'});
  t.is(await statusOf('off'), '');
});

test('the plan says what was done', async t => {
  const {Container} = await library;
  await using box = await Container.create('host');
  const plan = await box.plan();
  t.true(plan.steps.length > 10);
  t.true(plan.namespaces.includes('pid'));
});

test('wrong arguments reject with what is wrong', async t => {
  const {Container} = await library;
  const bad: [string, Promise<unknown>][] = [
    ['image', Container.create('')],
    ['option', Container.create('host', {nmae: 'x'} as object)],
    ['lifetime', Container.create('host', {lifetime: 'for ever' as 'scope'})],
    ['command', Container.create('host', {command: 'sh' as unknown as string[]})],
    ['limits', Container.create('host', {limits: {}} as object)],
  ];
  for (const [what, promise] of bad)
    await t.throwsAsync(promise, {code: what === 'limits' ? 'ERR_KEELBOX_NOT_YET' : 'ERR_KEELBOX_INVALID_ARG'}, what);
  await using box = await Container.create('host');
  await t.throwsAsync(box.exec([]), {code: 'ERR_KEELBOX_INVALID_ARG'});
  await t.throwsAsync(box.exec(['true'], {tty: {columns: 0, rows: 24}}), {code: 'ERR_KEELBOX_INVALID_ARG'});
  await t.throwsAsync(box.exec(['true'], {tty: true, stderr: 'inherit'}), {code: 'ERR_KEELBOX_INVALID_ARG'});
  await t.throwsAsync(box.exec(['true'], {workdir: '/'} as object), {code: 'ERR_KEELBOX_INVALID_ARG'});
  await t.throwsAsync(box.exec(['no-such-command']), {code: 'ERR_KEELBOX_COMMAND_NOT_FOUND'});
  await t.throwsAsync(box.kill('SIGNOPE' as 'SIGTERM'), {code: 'ERR_KEELBOX_INVALID_ARG'});
});

test('another container’s network can be joined', async t => {
  const {Container} = await library;
  await using one = await Container.create('host');
  const two = await Container.create('host', {network: {join: one}, security: {userns: 'host'}}).catch(error => error);
  if (two instanceof Container) {
    const links = [one, two].map(each => each.exec(['readlink', '/proc/self/ns/net']).text());
    t.is(await links[0], await links[1]);
    await two.remove({force: true});
  } else t.regex(String(two.code), /^ERR_KEELBOX_/);
});
