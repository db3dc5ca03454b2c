/** The library's uses as its documentation writes them, over images of those names made here. */
import {createWriteStream, mkdirSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {pipeline} from 'node:stream/promises';
import {pathToFileURL} from 'node:url';
import ava from 'ava';
import {tool} from './helpers/archives';
import {homeOf, keelbox, specFolder} from './helpers/cli';
import {lane} from './helpers/lane';
import {busyboxRoot} from './helpers/roots';

const test = lane({host: true, guest: true, rootless: true});
const {root, runRoot} = homeOf();
process.env.KEELBOX_ROOT = root;
process.env.KEELBOX_RUNROOT = runRoot;

const entry = pathToFileURL(path.join(specFolder(), 'dist/index.mjs')).href;
const library = import(entry) as Promise<typeof import('../src/index')>;

ava.before('images of those names', async t => {
  const tree = await busyboxRoot();
  await tool('tar', ['-C', tree, '-cf', path.join(specFolder(), 'alpine.tar'), '.']);
  const alpine = await keelbox(['import', '-c', 'CMD ["sh"]', path.join(specFolder(), 'alpine.tar'), 'alpine']);
  t.is(alpine.exitCode, 0, alpine.stderr);
  const node = await keelbox([
    'import',
    '--from-binary',
    process.execPath,
    '-c',
    'ENV PATH=/bin:/usr/bin:/usr/local/bin',
    'node:24-alpine',
  ]);
  t.is(node.exitCode, 0, node.stderr);
});

test.serial('1. one command, gone afterwards', async t => {
  const {run} = await library;
  const {stdout, usage} = await run('alpine', ['uname', '-r']);
  t.regex(stdout.trim(), /^\d+\./);
  t.true(usage.maxMemoryBytes > 0);
  t.is((await keelbox(['ps', '-aq'])).stdout, '');
});

test.serial('3. a long-lived box in a scope; line iteration', async t => {
  const {Container} = await library;
  const folder = path.join(specFolder(), 'app');
  mkdirSync(folder, {recursive: true});
  writeFileSync(path.join(folder, 'a.test.mjs'), `import test from 'node:test'; test('adds', () => {});`);
  const here = process.cwd();
  process.chdir(folder);
  const seen: string[] = [];
  let name: string;
  try {
    await using box = await Container.create('node:24-alpine', {
      mounts: {'/app': {source: '.', readonly: true}},
      cwd: '/app',
    });
    ({name} = box);
    for await (const line of box.exec([process.execPath, '--test', '--test-reporter=tap'])) seen.push(line);
  } finally {
    process.chdir(here);
  }
  t.true(
    seen.some(line => /^ok \d/.test(line)),
    seen.join('\n'),
  );
  t.false(seen.some(line => line.startsWith('not ok')));
  t.is((await keelbox(['ps', '-aq', '--filter', `name=${name}`])).stdout, '');
});

test.serial('3. the box is gone when its scope throws', async t => {
  const {Container} = await library;
  await t.throwsAsync(
    async () => {
      await using box = await Container.create('alpine', {name: 'thrown'});
      throw new Error(`in the middle of ${box.name}`);
    },
    {message: 'in the middle of thrown'},
  );
  t.is((await keelbox(['ps', '-aq', '--filter', 'name=thrown'])).stdout, '');
});

test.serial('4. streams both ways: Node streams and Web streams', async t => {
  const {Container} = await library;
  const file = path.join(specFolder(), 'etc.tar');
  {
    await using box = await Container.create('alpine');
    const tar = box.exec(['tar', '-c', '/etc'], {stderr: 'ignore'});
    await Promise.all([pipeline(tar.stdout, createWriteStream(file)), tar]);
    const up = box.exec(['wc', '-c']);
    await new Response('hello').body?.pipeTo(up.web.stdin);
    t.is((await up.text()).trim(), '5');
  }
  t.true(statSync(file).size > 512);
  t.regex(await tool('tar', ['-tf', file]), /^etc\//m);
});

test.serial('7. typed failures that say what to do', async t => {
  const {run, Container, ExitError, KeelboxError} = await library;
  const said: unknown[] = [];
  const report = (error: unknown) => {
    if (error instanceof ExitError) said.push(error.result.exitCode, error.result.stderr);
    else if (error instanceof KeelboxError) said.push(error.code, typeof error.hint);
    else throw error;
  };
  await run('alpine', ['sh', '-c', 'echo no >&2; exit 3']).catch(report);
  t.deepEqual(said.splice(0), [3, 'no\n']);
  await run('no-such-image', ['true']).catch(report);
  t.deepEqual(said.splice(0), ['ERR_KEELBOX_IMAGE_NOT_FOUND', 'string']);
  await Container.create('no-such-image').catch(report);
  t.deepEqual(said.splice(0), ['ERR_KEELBOX_IMAGE_NOT_FOUND', 'string']);
  await using box = await Container.create('alpine', {name: 'taken'});
  await Container.create('alpine', {name: box.name}).catch(report);
  t.deepEqual(said.splice(0), ['ERR_KEELBOX_NAME_TAKEN', 'string']);
  await box.exec(['sh', '-c', 'kill -9 $$']).catch(error => said.push(error.result.signal));
  t.deepEqual(said.splice(0), ['SIGKILL']);
});

test.serial('a snapshot is what other containers are made of', async t => {
  const {Container, run} = await library;
  await using box = await Container.create('alpine');
  await box.$`echo kept > /etc/kept; head -c 100000 /dev/zero > /var/big`;
  const snapshot = await box.snapshot();
  t.regex(snapshot.id, /^sha256:[0-9a-f]{64}$/);
  t.true(snapshot.bytes > 100_000);
  await using copy = await Container.create(snapshot);
  t.is(await copy.fs.readFile('/etc/kept', 'utf8'), 'kept\n');
  t.is(await run(snapshot, ['cat', '/etc/kept']).text(), 'kept\n');
  await snapshot.remove();
  await t.throwsAsync(snapshot.remove());
});
