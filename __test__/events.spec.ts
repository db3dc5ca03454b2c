/** `keelbox events`: the journal, filtered, shown and followed. */
import {renameSync} from 'node:fs';
import path from 'node:path';
import {simpleImage} from './helpers/archives';
import {homeOf, keelbox} from './helpers/cli';
import {at, Following, until, writeEvents} from './helpers/journal';
import {lane, type Who} from './helpers/lane';
import {nodeProgram, outcome} from './helpers/node-program';
import {busybox} from './helpers/roots';
import {running} from './helpers/running';

const test = lane({host: true, guest: true, rootless: true});

const id = 'f00d'.repeat(16);
const other = 'beef'.repeat(16);

/** The journal is one for the whole file, so all of it is written once. */
const events = [
  {action: 'create', attributes: {image: 'alpine:3', tier: 'db'}},
  {action: 'start', attributes: {image: 'alpine:3', tier: 'db'}},
  {action: 'health_status: healthy', attributes: {image: 'alpine:3'}},
  {action: 'create', id: other, name: 'website', attributes: {image: 'host', note: 'a\nb\x1b[0m'}},
  {action: 'exec_start: sh -c true', id: other, name: 'website', attributes: {image: 'host'}},
  {action: 'die', attributes: {image: 'alpine:3', exitCode: '137', tier: 'db'}},
  {action: 'tag', type: 'image', id: `sha256:${id}`, name: 'alpine:3'},
  {action: 'create', type: 'volume', id: 'web', name: 'web'},
];

/** One that happens now. */
const fresh = (action: string, name = 'new') => ({
  action,
  name,
  time: new Date().toISOString().replace('Z', '000000Z'),
});

const written = new Set<boolean>();

async function shown(who: Who, ...args: string[]): Promise<string> {
  if (!written.has(who.asUser)) {
    written.add(who.asUser);
    writeEvents(who, events);
  }
  const {exitCode, stdout, stderr} = await keelbox(['events', '--since', at(0), '--until', at(59), ...args], who);
  return exitCode === 0 ? stdout : `${exitCode}: ${stderr}`;
}

test.asEach("an event is docker's line", async (t, who) => {
  const lines = (await shown(who)).split('\n');
  t.is(lines.length, events.length + 1);
  t.is(lines[0], `${at(0)} container create ${id} (image=alpine:3, name=web, tier=db)`);
  t.is(lines[3], `${at(3)} container create ${other} (image=host, name=website, note=a\\x0ab\\x1b[0m)`);
  t.is(lines[7], `${at(7)} volume create web (name=web)`);
});

test.serial('filters have the meaning that docker gives them', async t => {
  const seconds = async (...filters: string[]) => {
    const text = await shown(
      {asUser: false},
      ...filters.flatMap(filter => ['--filter', filter]),
      '--format',
      '{{.Time}}',
    );
    return text
      .split('\n')
      .filter(Boolean)
      .map(time => Number(time) - Date.parse(at(0)) / 1000)
      .join(' ');
  };
  t.is(await seconds('container=web'), '0 1 2 3 4 5', 'the beginning of a name');
  t.is(await seconds('container=beef'), '3 4', 'the beginning of an id');
  t.is(await seconds('name=web', 'type=container'), '0 1 2 5', 'a whole name');
  t.is(await seconds('event=start'), '1');
  t.is(await seconds('event=health_status'), '2');
  t.is(await seconds('event=exec_start', 'event=die'), '4 5', 'one key: any of them');
  t.is(await seconds('event=exec', 'event=died'), '4 5', 'podman’s words');
  t.is(await seconds('event=create', 'type=volume'), '7', 'several keys: all of them');
  t.is(await seconds('image=alpine'), '0 1 2 5 6');
  t.is(await seconds('image=alpine:3', 'type=image'), '6');
  t.is(await seconds('label=tier=db', 'label=exitCode=137'), '5', 'all labels');
  t.is(await seconds('volume=web'), '7');
  t.is(await seconds('type=image', 'type=volume'), '6 7');
  const wrong = await keelbox(['events', '--filter', 'colour=red']);
  t.is(wrong.exitCode, 125);
  t.regex(wrong.stderr, /unknown filter "colour".*container, event, image, label, name, type, volume/s);
});

test.serial("JSON is docker's, ours with --json, and templates have docker's fields", async t => {
  const who = {asUser: false};
  const filter = ['--filter', 'event=die'];
  const [line = ''] = (await shown(who, ...filter, '--format', 'json')).split('\n');
  const seconds = Date.parse(at(5)) / 1000;
  t.true(line.endsWith(`"time":${seconds},"timeNano":${seconds}000000000}`));
  t.like(JSON.parse(line), {
    status: 'die',
    id,
    from: 'alpine:3',
    Type: 'container',
    Action: 'die',
    Actor: {ID: id, Attributes: {name: 'web', image: 'alpine:3', exitCode: '137', tier: 'db'}},
    scope: 'local',
  });
  t.is(await shown(who, ...filter, '--format', '{{json .}}'), `${line}\n`);
  t.is(
    await shown(
      who,
      ...filter,
      '--format',
      '{{.Type}} {{.Status}} {{.Actor.Attributes.exitCode}} {{.Actor.Attributes.no}}',
    ),
    'container die 137 <no value>\n',
  );
  const ours = JSON.parse(await shown(who, ...filter, '--json'));
  t.deepEqual(ours, {
    time: at(5),
    type: 'container',
    action: 'die',
    id,
    attributes: {name: 'web', image: 'alpine:3', exitCode: '137', tier: 'db'},
  });
  const wrong = await keelbox(['events', '--format', '{{.Nope}}']);
  t.is(wrong.exitCode, 125, 'said at once, before there is an event');
  t.regex(wrong.stderr, /unknown field .Nope/);
});

test.serial('the past has an end, with or without a beginning', async t => {
  const who = {asUser: false};
  await shown(who);
  const count = async (...args: string[]) => (await keelbox(['events', ...args])).stdout.split('\n').length - 1;
  t.is(await count('--until', at(2)), 3);
  t.is(await count('--stream=false'), events.length);
  t.is(await count('--stream=false', '--since', at(6)), 2);
  t.is(await count('--since', at(2), '--until', at(4)), 3);
});

test.serial('what comes is followed, over a renamed file, until nobody reads or a time has passed', async t => {
  const who = {asUser: false};
  await shown(who);
  const following = new Following(['events', '--filter', 'container=new', '--format', '{{.Action}}'], who);
  const all = new Following(['events', '--since', at(7), '--until', '-15s', '--format', '{{.Action}}'], who);
  t.true(await all.says('create\n'), 'it reads from the journal by now');
  // The other one says nothing of its readiness: it is there when one of these has come.
  for (let attempt = 0; attempt < 100 && following.stdout === ''; attempt += 1) {
    writeEvents(who, [fresh('first')]);
    await following.says('first', 200);
  }
  const journal = path.join(homeOf().root, 'journal');
  writeEvents(who, [fresh('second')]);
  renameSync(path.join(journal, 'events'), path.join(journal, 'events.1'));
  writeEvents(who, [fresh('third'), fresh('not', 'other')]);
  t.true(await following.says('third\n'));
  t.regex(following.stdout, /^(first\n)+second\nthird\n$/);
  following.child.stdout?.destroy();
  writeEvents(who, [fresh('fourth')]);
  t.deepEqual(await following.ended, {exitCode: 0, signal: null});
  t.deepEqual(await all.ended, {exitCode: 0, signal: null});
  t.regex(all.stdout, /^create\n(first\n)+second\nthird\nnot\nfourth\n$/);
});

test.serial('a container that lives and ends is told by whoever sees it', async t => {
  const who = {asUser: false};
  const template = '{{.Action}} {{.Actor.Attributes.image}} {{.Actor.Attributes.tier}} {{.Actor.Attributes.exitCode}}';
  const since = String(Date.now() / 1000);
  const flags = ['--name', 'lives', '--label', 'tier=web'];
  const {exitCode, stdout} = await keelbox(['run', ...flags, 'host', '--', 'sh', '-c', 'exit 3'], who);
  t.is(exitCode, 3, stdout);
  const told = async () =>
    (await keelbox(['events', '--since', since, '--until', '0s', '--filter', 'name=lives', '--format', template]))
      .stdout;
  t.true(await until(async () => (await told()).includes('die')));
  const lines = await told();
  t.regex(lines, /^start host web <no value>$/m);
  t.regex(lines, /^die host web 3$/m);
  await keelbox(['rm', 'lives'], who);
});

interface Told {
  Action: string;
  Actor: {ID: string; Attributes: Record<string, string>};
}

/** What the journal has, in docker's JSON. */
async function journal(who: Who, since: string, ...filters: string[]): Promise<Told[]> {
  const flags = filters.flatMap(filter => ['--filter', filter]);
  const {stdout} = await keelbox(['events', '--since', since, '--until', '0s', ...flags, '--format', 'json'], who);
  const lines = stdout.split('\n').filter(Boolean);
  return lines.map(line => JSON.parse(line) as Told);
}

test.asEach('a command of exec is told as docker tells it, with or without a client', async (t, who) => {
  const {name, exec} = await running(t, who, ['--label', 'tier=web']);
  const since = String(Date.now() / 1000);
  const told = () => journal(who, since, `container=${name}`);
  t.is((await exec(['sh', '-c', 'exit 3'])).exitCode, 3);
  const [created, started, died, ...more] = await told();
  t.deepEqual(more, []);
  t.is(created?.Action, 'exec_create: sh -c exit 3');
  t.is(started?.Action, 'exec_start: sh -c exit 3');
  t.is(died?.Action, 'exec_die');
  const {execID, ...attributes} = died?.Actor.Attributes ?? {};
  t.regex(String(execID), /^[0-9a-f]{64}$/);
  t.deepEqual(attributes, {exitCode: '3', image: 'host', name, tier: 'web'});
  t.is(created?.Actor.Attributes.execID, execID);
  t.is(started?.Actor.Attributes.execID, execID);
  t.is((await exec(['sh', '-c', 'kill -9 $$'])).exitCode, 137);
  t.is((await told())[5]?.Actor.Attributes.exitCode, '137');
  t.is((await exec(['no-such-program'])).exitCode, 127);
  t.is((await told()).length, 6, 'what is not there was not started');
  t.is((await keelbox(['exec', '-d', name, 'sh', '-c', 'exit 4'], who)).exitCode, 0);
  t.is((await told())[7]?.Action, 'exec_start: sh -c exit 4', 'as soon as it runs');
  t.true(await until(async () => (await told())[8]?.Actor.Attributes.exitCode === '4'));
});

test.serial('a command of the library is told too, and one that ends with its container', async t => {
  const who = {asUser: false};
  const since = String(Date.now() / 1000);
  const program = `const box = await Container.create('host', {name: 'told'});
    await box.exec(['true']);
    const proc = box.exec(['sh', '-c', 'echo up; exec sleep 1000'], {reject: false});
    proc.stdout.once('data', () => void box.remove({force: true}));
    console.log((await proc).signal);`;
  t.like(await outcome(nodeProgram(program, who)), {code: 0, stdout: 'SIGKILL\n', stderr: ''});
  const events = () => journal(who, since, 'container=told', 'event=exec_start', 'event=exec_die');
  t.true(await until(async () => (await events()).length === 4));
  t.deepEqual(
    (await events()).map(({Action, Actor}) => `${Action} ${Actor.Attributes.exitCode ?? ''}`),
    ['exec_start: true ', 'exec_die 0', 'exec_start: sh -c echo up; exec sleep 1000 ', 'exec_die 137'],
  );
});

test.asEach('volumes are told when they come and go, also with their container', async (t, who) => {
  const since = String(Date.now() / 1000);
  const good = async (...args: string[]) => t.is((await keelbox(args, who)).exitCode, 0, args.join(' '));
  const told = async () =>
    (await journal(who, since, 'type=volume')).map(({Action, Actor}) => `${Action} ${Actor.Attributes.name}`);
  await good('volume', 'create', 'kept');
  await good('volume', 'create', 'kept');
  t.deepEqual(await told(), ['create kept'], 'once');
  await good('run', '--rm', '-v', '/data', 'host', '--', 'true');
  const [, created, destroyed] = await told();
  t.regex(String(created), /^create [0-9a-f]{64}$/);
  t.is(destroyed, created?.replace('create', 'destroy'));
  await good('volume', 'rm', 'kept');
  await good('volume', 'prune', '-f');
  t.deepEqual((await told()).slice(3), ['destroy kept', 'prune ']);
  const [pruned] = await journal(who, since, 'event=prune');
  t.is(pruned?.Actor.Attributes.reclaimed, '0');
});

test.needing(busybox).asEach('images are told when they come, get names and go', async (t, who) => {
  const since = String(Date.now() / 1000);
  const good = async (...args: string[]) => {
    const {exitCode, stdout, stderr} = await keelbox(args, who);
    t.is(exitCode, 0, stderr);
    return stdout.trim();
  };
  await good('load', '-q', '-i', await simpleImage('docker.io/library/app:1'));
  await good('tag', 'app:1', 'app:2');
  await good('untag', 'app:1', 'app:1');
  const id = await good('images', '-q', '--no-trunc', 'app:2');
  await good('rmi', 'app:2');
  const events = await journal(who, since, 'type=image');
  t.deepEqual(
    events.map(({Action, Actor}) => `${Action} ${Actor.Attributes.name}`),
    ['load app:1', 'tag app:2', 'untag app:1', 'untag app:2', `delete ${id}`],
  );
  t.deepEqual(new Set(events.map(({Actor}) => Actor.ID)), new Set([id]));
});
