/** The store: names, removal, lists; several commands at once; kill -9 at any moment; a disk that is full. */
import {spawn} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {text} from 'node:stream/consumers';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {baseTar, differences, fileTar, Layout, layersOf, ownFolder, simpleImage, tool} from './helpers/archives';
import {type CallOptions, command, keelbox} from './helpers/cli';
import {ownState, refused} from './helpers/inside';
import {lane, patience, scaled, type Who} from './helpers/lane';
import {busybox} from './helpers/roots';

const test = lane({host: true, guest: true, rootless: true}).needing(busybox);

/** What must succeed, for its stdout. */
async function good(t: ExecutionContext, args: string[], options: CallOptions): Promise<string> {
  const {exitCode, stdout, stderr} = await keelbox(args, options);
  t.is(exitCode, 0, `${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

const files = (root: string, name: string) => readdirSync(path.join(root, name));

/** Nothing of any image is left. */
function empty(t: ExecutionContext, root: string): void {
  for (const name of ['blobs/sha256', 'layers/sha256', 'images/sha256', 'images/names', 'tmp']) {
    t.deepEqual(files(root, name), [], name);
  }
}

test.asEach('an image has a name for as long as somebody wants it, and goes with its last one', async (t, who) => {
  const {root, env} = ownState(who);
  const say = (...args: string[]) => good(t, args, {...who, env});
  await say('load', '-i', await simpleImage('docker.io/library/app:1'));
  await say('tag', 'app:1', 'localhost/other', 'registry.example:5000/a/b:2');
  const rows = (await say('images'))
    .trim()
    .split('\n')
    .map(line => line.split(/ {3,}/));
  t.deepEqual(rows[0], ['REPOSITORY', 'TAG', 'IMAGE ID', 'CREATED', 'SIZE']);
  t.deepEqual(
    rows.slice(1).map(([repository, tag]) => `${repository}:${tag}`),
    ['app:1', 'localhost/other:latest', 'registry.example:5000/a/b:2'],
  );
  const id = (await say('images', '-q')).trim();
  t.regex(id, /^[0-9a-f]{12}$/);
  t.is(await say('run', '--rm', 'other', 'cat', '/hello'), 'hello');
  t.is(await say('run', '--rm', id.slice(0, 6), 'cat', '/hello'), 'hello');
  t.is(await say('run', '--rm', 'docker.io/library/app:1', 'cat', '/hello'), 'hello');
  t.is(await say('rmi', 'other'), 'Untagged: localhost/other:latest\n');
  refused(t, await keelbox(['rmi', id], {...who, env}), {
    code: 'ERR_KEELBOX_IMAGE_IN_USE',
    exitCode: 2,
    says: id,
    why: /2 names: app:1, registry/,
    fix: 'rmi -f',
  });
  t.is(await say('untag', 'app:1'), 'Untagged: app:1\nUntagged: registry.example:5000/a/b:2\n');
  t.regex(await say('images'), /^<none> +<none> +/m);
  t.is(await say('images', '-q', '--filter', 'dangling=true'), `${id}\n`);
  t.regex(await say('rmi', id), /^Deleted: sha256:[0-9a-f]{64}\nDeleted: /);
  empty(t, root);
  refused(t, await keelbox(['rmi', 'app:1'], {...who, env}), {
    code: 'ERR_KEELBOX_IMAGE_NOT_FOUND',
    exitCode: 1,
    says: 'app:1',
  });
  t.is(await say('images'), 'REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n');
});

test.asEach(
  'an image that a container was made of stays, and with -f its layers until the container goes',
  async (t, who) => {
    const {root, env} = ownState(who);
    const say = (...args: string[]) => good(t, args, {...who, env});
    await say('load', '-i', await simpleImage('app:1'));
    await say('run', '--name', 'user', 'app:1', 'true');
    refused(t, await keelbox(['rmi', 'app:1'], {...who, env}), {
      code: 'ERR_KEELBOX_IMAGE_IN_USE',
      exitCode: 2,
      says: 'app:1',
      why: 'user',
    });
    t.regex(await say('rmi', '-f', 'app:1'), /^Untagged: app:1\nDeleted: sha256:[0-9a-f]{64}\n$/);
    t.is(files(root, 'layers/sha256').length, 2);
    t.is(await say('system', 'check'), '');
    await say('rm', 'user');
    empty(t, root);
  },
);

test.asEach('layers are shared, and go with the last image that has them', async (t, who) => {
  const {root, env} = ownState(who);
  const say = (...args: string[]) => good(t, args, {...who, env});
  await say('load', '-i', await simpleImage('one:1', 'one'));
  await say('load', '-i', await simpleImage('two:1', 'two'));
  t.is(files(root, 'layers/sha256').length, 3);
  await say('rmi', 'one:1');
  t.is(files(root, 'layers/sha256').length, 2);
  t.is(await say('run', '--rm', 'two:1', 'cat', '/hello'), 'two');
  await say('image', 'prune', '-a', '-f');
  empty(t, root);
});

test.asEach('lists: filters, templates, JSON, history, inspect', async (t, who) => {
  const {env} = ownState(who);
  const say = (...args: string[]) => good(t, args, {...who, env});
  const created = (day: number) => `2026-01-0${day}T00:00:00Z`;
  const history = [
    {created: created(1), created_by: 'ADD root'},
    {created: created(1), created_by: 'ENV', empty_layer: true},
  ];
  const config = {Cmd: ['sh'], Env: ['A=B'], Labels: {team: 'red'}};
  await say('load', '-i', await simpleImage('old:1', 'o', {created: created(1)}));
  await say('load', '-i', await simpleImage('lib/new:2', 'n', {created: created(2), config, history}));
  t.is(await say('images', '--format', '{{.Repository}}:{{.Tag}}'), 'lib/new:2\nold:1\n');
  t.is(await say('images', '--format', '{{.Tag}}', '--filter', 'label=team=red'), '2\n');
  t.is(await say('images', '--format', '{{.Tag}}', '--filter', 'reference=*/n*'), '2\n');
  t.is(await say('images', '--format', '{{.Tag}}', '--filter', 'before=lib/new:2'), '1\n');
  t.is(await say('images', '--format', '{{.Tag}}', '--filter', 'since=old:1'), '2\n');
  t.is(await say('images', '--format', '{{.Tag}}', 'old'), '1\n');
  t.like(JSON.parse(await say('images', '--format', 'json', 'old')), {Repository: 'old', Tag: '1'});
  t.is(JSON.parse(await say('images', '--json')).length, 2);
  t.regex(
    await say('history', '--no-trunc', 'lib/new:2'),
    /^IMAGE +CREATED +CREATED BY +SIZE +COMMENT\nsha256:\S+ .*ENV +0B.*\n<missing>.*ADD root/,
  );
  const [image] = JSON.parse(await say('inspect', 'lib/new:2'));
  t.like(image, {RepoTags: ['lib/new:2'], Created: created(2), Os: 'linux', Config: config});
  t.is(image.RootFS.Layers.length, 2);
  t.is(
    await say('image', 'inspect', '-f', '{{.Config.Env}} {{index .Config.Labels "team"}}', 'lib/new:2'),
    '[A=B] red\n',
  );
  t.is((await keelbox(['image', 'exists', 'old:1'], {...who, env})).exitCode, 0);
  t.is((await keelbox(['image', 'exists', 'nope'], {...who, env})).exitCode, 1);
  t.is((await keelbox(['inspect', 'nope'], {...who, env})).exitCode, 1);
});

test.asEach('commands at once: loads, runs and removals of one image never see half of it', async (t, who) => {
  const {root, env} = ownState(who);
  const archives = [await simpleImage('x:1', 'one'), await simpleImage('x:1', 'two')];
  const worker = async (index: number) => {
    for (let round = 0; round < scaled(3); round += 1) {
      const loaded = await keelbox(['load', '-q', '-i', archives[index % 2] ?? ''], {...who, env});
      t.is(loaded.exitCode, 0, loaded.stderr);
      const run = await keelbox(['run', '--rm', 'x:1', 'cat', '/hello'], {...who, env});
      if (run.exitCode === 0) t.regex(run.stdout, /^(one|two)$/);
      else t.regex(run.stderr, /no such image/);
      const removed = await keelbox(['rmi', '-f', 'x:1'], {...who, env});
      t.true([0, 1].includes(removed.exitCode ?? -1), removed.stderr);
    }
  };
  await Promise.all([0, 1, 2].map(worker));
  await good(t, ['image', 'prune', '-a', '-f'], {...who, env});
  t.is(await good(t, ['system', 'check'], {...who, env}), '');
  empty(t, root);
});

test.asEach(
  'an image that goes while another one with its layers is made ready takes nothing from it',
  async (t, who) => {
    const {root, env} = ownState(who);
    const options = {...who, env};
    await good(t, ['load', '-q', '-i', await simpleImage('goes:1')], options);
    const layout = new Layout();
    // Long enough to be unpacked that the load is stopped at it, when it has looked at the layers that are there.
    const zeros = await fileTar('zeros', '\0'.repeat(96 << 20));
    layout.index([layout.image([await baseTar(), await fileTar('hello', 'hello'), zeros])], 'comes:1');
    const {file, args, options: spawning} = command(['load', '-q', '-i', layout.folder], options);
    const load = spawn(file, args, {...spawning, stdio: ['ignore', 'ignore', 'pipe']});
    const complaint = text(load.stderr);
    const over = new Promise(resolve => load.on('close', resolve));
    // Looked for by a process of its own: this one is busy with other tests, and would come too late.
    const stop =
      'until set -- "$ROOT"/tmp/*/layer-* && [ -e "$1" ]; do kill -0 $LOAD; done; kill -STOP $LOAD; [ -e "$1" ]';
    await tool('env', [`ROOT=${root}`, `LOAD=${load.pid}`, 'sh', '-ec', stop]);
    await good(t, ['rmi', '-f', 'goes:1'], options);
    load.kill('SIGCONT');
    t.is(await over, 0, await complaint);
    t.is(await good(t, ['run', '--rm', 'comes:1', 'cat', '/hello'], options), 'hello');
    t.is(await good(t, ['system', 'check'], options), '');
    await good(t, ['save', '-q', '-o', path.join(root, 'saved.tar'), 'comes:1'], options);
  },
);

/** Starts a command and kills it and what it started a moment later. */
async function killed(args: string[], options: CallOptions & Who, milliseconds: number): Promise<void> {
  const {file, args: all, options: spawning} = command(args, options);
  const child = spawn(file, all, {...spawning, stdio: 'ignore'});
  const over = new Promise(resolve => child.on('close', resolve));
  await sleep(Math.random() * milliseconds);
  child.kill('SIGKILL');
  await over;
}

test.asEach('kill -9 at any moment of load, import and rmi leaves a store that is whole', async (t, who) => {
  const {root, env} = ownState(who);
  const options = {...who, env};
  const archive = await simpleImage('victim:1');
  const tar = path.join(ownFolder('victim'), 'root.tar');
  writeFileSync(tar, await baseTar());
  await good(t, ['load', '-q', '-i', await simpleImage('stays:1', 'stays')], options);
  const moments = [
    ['load', '-i', archive],
    ['import', tar, 'victim:2'],
    ['rmi', '-f', 'victim:1'],
  ];
  for (let round = 0; round < scaled(15); round += 1) {
    const args = moments[round % moments.length] ?? [];
    if (args[0] === 'rmi') await good(t, ['load', '-q', '-i', archive], options);
    await killed(args, options, patience(args[0] === 'rmi' ? 90 : 160));
    // Whatever there is now is whole: its layers run, and its blobs are what they are called.
    const {stdout, stderr, exitCode} = await keelbox(['run', '--rm', 'victim:1', 'cat', '/hello'], options);
    t.true(exitCode === 0 ? stdout === 'hello' : stderr.includes('no such image'), stderr);
  }
  await good(t, ['load', '-q', '-i', archive], options);
  t.is(await good(t, ['run', '--rm', 'stays:1', 'cat', '/hello'], options), 'stays');
  t.is(await good(t, ['system', 'check'], options), '');
  await good(t, ['image', 'prune', '-a', '-f'], options);
  empty(t, root);
});

test.asEach('system check finds what was damaged, and --repair makes it whole with the least loss', async (t, who) => {
  const {root, env} = ownState(who);
  const options = {...who, env};
  const at = (...names: string[]) => path.join(root, ...names);
  const first = (name: string) => at(name, files(root, name)[0] ?? '');
  const archive = await simpleImage('app:1');
  const load = () => good(t, ['load', '-q', '-i', archive], options);
  await load();
  const before = await layersOf(root);
  const damages: Record<string, {damage: () => void; survives: boolean}> = {
    'a layer is gone': {damage: () => rmSync(first('layers/sha256'), {recursive: true}), survives: true},
    'a layer has no record': {damage: () => rmSync(path.join(first('layers/sha256'), 'layer.json')), survives: true},
    'a blob is empty': {damage: () => writeFileSync(first('blobs/sha256'), ''), survives: false},
    'a blob is changed': {
      damage: () => {
        const file = first('blobs/sha256');
        writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.from('x')]));
      },
      survives: false,
    },
    'a blob is missing': {damage: () => rmSync(first('blobs/sha256')), survives: false},
    'a record is cut short': {damage: () => writeFileSync(first('images/sha256'), '{'), survives: false},
    'a name is cut short': {damage: () => writeFileSync(first('images/names'), ''), survives: true},
    'something nobody needs': {damage: () => writeFileSync(at('blobs/sha256', 'a'.repeat(64)), 'x'), survives: true},
    'something half made': {damage: () => mkdirSync(at('tmp/left')), survives: true},
  };
  for (const [title, {damage, survives}] of Object.entries(damages)) {
    damage();
    const found = await keelbox(['system', 'check'], options);
    t.is(found.exitCode, 1, `${title}: ${found.stdout}${found.stderr}`);
    t.regex(found.stdout, /^[a-z].*: \//, title);
    const repaired = await keelbox(['system', 'check', '--repair'], options);
    t.is(repaired.exitCode, 0, `${title}: ${repaired.stdout}${repaired.stderr}`);
    t.regex(repaired.stdout, /^repaired: /, title);
    t.is(await good(t, ['system', 'check'], options), '', title);
    t.is(files(root, 'images/sha256').length, survives ? 1 : 0, title);
    await load();
    t.deepEqual(differences(await layersOf(root), before), [], title);
    t.is(await good(t, ['run', '--rm', 'app:1', 'cat', '/hello'], options), 'hello', title);
  }
});

function sizeOf(folder: string): number {
  return readdirSync(folder, {withFileTypes: true}).reduce((sum, entry) => {
    const place = path.join(folder, entry.name);
    return sum + (entry.isDirectory() ? sizeOf(place) : statSync(place).size);
  }, 0);
}

test.asRoot('a store without room says so, leaves nothing, and heals', async (t, who) => {
  const archive = await simpleImage('full:1');
  for (const kilobytes of [256, 1024, 2600, 3200, 4400]) {
    const {root, env} = ownState(who);
    await tool('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k,mode=700`, 'tmpfs', root]);
    try {
      const {exitCode, stderr, stdout} = await keelbox(['load', '-i', archive], {...who, env});
      if (exitCode === 0) {
        t.is(stdout, 'Loaded image: full:1\n');
        continue;
      }
      t.is(exitCode, 125);
      t.regex(stderr, /No space left on device/, String(kilobytes));
      t.regex(stderr, /--root/, String(kilobytes));
      t.true(sizeOf(root) < 1 << 20, `${sizeOf(root)} bytes left at ${kilobytes}k`);
      t.is(await good(t, ['images', '-q'], {...who, env}), '');
      await tool('mount', ['-o', 'remount,size=64m', root]);
      await good(t, ['load', '-q', '-i', archive], {...who, env});
      t.is(await good(t, ['run', '--rm', 'full:1', 'cat', '/hello'], {...who, env}), 'hello');
      t.is(await good(t, ['system', 'check'], {...who, env}), '');
    } finally {
      await tool('umount', [root]);
    }
  }
});

test.asEach('a load that is interrupted leaves nothing to be seen', async (t, who) => {
  const {root, env} = ownState(who);
  const {file, args, options} = command(['load'], {...who, env});
  const child = spawn(file, args, {...options, stdio: ['pipe', 'ignore', 'ignore']});
  const over = new Promise(resolve => child.on('close', (_, signal) => resolve(signal)));
  child.stdin?.write(readFileSync(await simpleImage('cut:1')).subarray(0, 100_000));
  for (const until = Date.now() + patience(10_000); Date.now() < until && !existsSync(path.join(root, 'tmp')); )
    await sleep(5);
  child.kill('SIGINT');
  t.is(await over, 'SIGINT');
  t.is(await good(t, ['images', '-q'], {...who, env}), '');
  empty(t, root);
});

test.asEach('names that are none are refused', async (t, who) => {
  const {env} = ownState(who);
  const layout = new Layout();
  layout.index([layout.image([await fileTar('hello', 'x')])], 'good:1');
  await good(t, ['load', '-i', layout.folder], {...who, env});
  for (const name of ['Upper', 'a//b', '../x', 'x:', `x@sha256:${'0'.repeat(64)}`, '0'.repeat(64)]) {
    const result = await keelbox(['tag', 'good:1', name], {...who, env});
    refused(t, result, {code: 'ERR_KEELBOX_INVALID_ARG', says: name});
  }
});
