/**
 * Images come from what other tools write, and what is written here is read by them: whatever the way, the files are the
 * same to the last attribute.
 */
import {execFileSync} from 'node:child_process';
import {chmodSync, linkSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {
  baseTar,
  differences,
  fileTar,
  Layout,
  layersOf,
  mediaTypes,
  ownFolder,
  simpleImage,
  tarOf,
  tool,
} from './helpers/archives';
import {type CallOptions, keelbox, type Result, specFolder} from './helpers/cli';
import {ownState} from './helpers/inside';
import {lane, patience} from './helpers/lane';
import {busybox} from './helpers/roots';

const test = lane({host: true, guest: true, rootless: true}).needing(busybox);
const withTools = lane({host: true, guest: true, rootless: true}).needing(busybox, 'skopeo', 'umoci', 'podman', 'zstd');

/** Files that a careless reader gets wrong. */
async function oddTar(): Promise<Buffer> {
  const tree = ownFolder('odd');
  const at = (name: string) => path.join(tree, name);
  mkdirSync(at('odd'));
  chmodSync(tree, 0o755);
  writeFileSync(at('odd/setuid'), '#!/bin/sh\n');
  chmodSync(at('odd/setuid'), 0o6755);
  writeFileSync(at('odd/first'), 'linked');
  linkSync(at('odd/first'), at('odd/second'));
  writeFileSync(at('odd/owned'), 'x');
  execFileSync('chown', ['1000:50', at('odd/owned')]);
  execFileSync('mkfifo', [at('odd/pipe')]);
  execFileSync('mknod', [at('odd/null'), 'c', '1', '3']);
  execFileSync('python3', ['-c', `import os; os.setxattr(${JSON.stringify(at('odd/owned'))}, 'user.note', b'kept')`]);
  writeFileSync(at('.wh.hello'), '');
  return tarOf(tree);
}

interface Made {
  /** Format to file or folder; none is the other's copy. */
  archives: Record<string, string>;
}

let made: Promise<Made> | undefined;

/** One image in every form, by umoci and skopeo; made once. */
function fixture(): Promise<Made> {
  made ??= make();
  return made;
}

async function make(): Promise<Made> {
  const folder = ownFolder('fixture');
  const at = (name: string) => path.join(folder, name);
  const layers = [await baseTar(), await fileTar('hello', 'gone'), await oddTar(), await fileTar('there', 'here')];
  await tool('umoci', ['init', '--layout', at('oci')]);
  await tool('umoci', ['new', '--image', `${at('oci')}:img`]);
  for (const [index, layer] of layers.entries()) {
    writeFileSync(at(`${index}.tar`), layer);
    await tool('umoci', ['raw', 'add-layer', '--image', `${at('oci')}:img`, at(`${index}.tar`)]);
  }
  const settings = {cmd: 'sh', env: 'A=from-image', workingdir: '/made/here', user: '1000:50'};
  const flags = Object.entries(settings).flatMap(([key, value]) => [`--config.${key}`, value]);
  await tool('umoci', ['config', '--image', `${at('oci')}:img`, ...flags]);
  const copy = (to: string, ...more: string[]) => tool('skopeo', ['copy', '-q', ...more, `oci:${at('oci')}:img`, to]);
  await copy(`docker-archive:${at('docker.tar')}:localhost/img:1`);
  await copy(`oci-archive:${at('oci.tar')}:localhost/img:1`);
  await copy(`oci:${at('zstd')}:img`, '--dest-compress-format', 'zstd');
  for (const [program, suffix] of [
    ['gzip', 'gz'],
    ['zstd', 'zst'],
  ]) {
    writeFileSync(
      at(`docker.tar.${suffix}`),
      execFileSync(program ?? '', ['-c', at('docker.tar')], {maxBuffer: 1 << 28}),
    );
  }
  await byPodman(at);
  await tool('chmod', ['-R', 'a+rX', folder]);
  return {
    archives: {
      'umoci layout': at('oci'),
      'layout with zstd layers': at('zstd'),
      'OCI archive': at('oci.tar'),
      'docker archive': at('docker.tar'),
      'docker archive in gzip': at('docker.tar.gz'),
      'docker archive in zstd': at('docker.tar.zst'),
      'podman docker-archive': at('podman.tar'),
      'podman oci-archive': at('podman-oci.tar'),
    },
  };
}

/** With a store of its own below `/tmp`: podman wants short paths. */
let stores = 0;

function podmanIn(): (...args: string[]) => Promise<string> {
  stores += 1;
  const store = path.join(specFolder(), `p${stores}`);
  const flags = ['--root', path.join(store, 'root'), '--runroot', path.join(store, 'run'), '--storage-driver', 'vfs'];
  return (...args) => tool('podman', [...flags, ...args]);
}

async function byPodman(at: (name: string) => string): Promise<void> {
  const podman = podmanIn();
  await podman('load', '-q', '-i', at('docker.tar'));
  await podman('save', '-q', '-o', at('podman.tar'), 'localhost/img:1');
  await podman('save', '-q', '--format', 'oci-archive', '-o', at('podman-oci.tar'), 'localhost/img:1');
}

/** What must succeed, for its stdout. */
async function good(t: ExecutionContext, args: string[], options: CallOptions): Promise<string> {
  const {exitCode, stdout, stderr} = await keelbox(args, options);
  t.is(exitCode, 0, `${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

const QUESTIONS =
  'pwd; echo $A; id -u; id -g; cat /there; ls /hello; stat -c "%a %h %u:%g" /odd/setuid /odd/first /odd/owned';

withTools.asEach('what umoci, skopeo and podman write is loaded and runs, alike from each', async (t, who) => {
  const {archives} = await fixture();
  const trees = new Map<string, string>();
  for (const [kind, file] of Object.entries(archives)) {
    const {root, env} = ownState(who);
    const lines = await good(t, ['load', '-i', file], {...who, env});
    const [, name = ''] = /^Loaded image: (\S+)\n$/.exec(lines) ?? [];
    t.regex(name, /^(localhost\/)?img(:|$)/, `${kind}: ${lines}`);
    const run = await keelbox(['run', '--rm', name, 'sh', '-c', QUESTIONS], {...who, env});
    t.is(
      run.stdout,
      '/made/here\nfrom-image\n1000\n50\nhere6755 1 0:0\n644 2 0:0\n644 1 1000:50\n',
      `${kind}: ${run.stderr}`,
    );
    t.regex(run.stderr, /hello/, `${kind}: a whiteout hides /hello`);
    trees.set(kind, await layersOf(root));
  }
  const [first, ...others] = [...trees.values()];
  for (const other of others) t.deepEqual(differences(other, first ?? ''), []);
  const all = first ?? '';
  t.regex(all, /odd\/owned.*user\.note.*kept/);
  if (!who.asUser) t.regex(all, /odd\/null' 0o20[0-7]+ 0 0 259 /);
});

withTools.asEach(
  'what is saved is loaded elsewhere with the same files, and saved again with the same bytes',
  async (t, who) => {
    const {archives} = await fixture();
    const [one, two] = [ownState(who), ownState(who)];
    await good(t, ['load', '-q', '-i', archives['OCI archive'] ?? ''], {...who, env: one.env});
    for (const format of ['docker-archive', 'oci-archive', 'oci-dir']) {
      const file = path.join(one.home, `saved.${format}`);
      await good(t, ['save', '--format', format, '-o', file, 'localhost/img:1'], {...who, env: one.env});
      const elsewhere = ownState(who);
      t.is(await good(t, ['load', '-i', file], {...who, env: elsewhere.env}), 'Loaded image: localhost/img:1\n');
      t.deepEqual(differences(await layersOf(elsewhere.root), await layersOf(one.root)), [], format);
      if (format === 'oci-dir') continue;
      const {bytes} = await keelbox(['save', '--format', format, 'img:1'], {...who, env: elsewhere.env});
      t.true(bytes.equals(readFileSync(file)), `${format}: other bytes`);
      await good(t, ['load', '-q'], {...who, env: two.env, input: bytes});
    }
    t.deepEqual(differences(await layersOf(two.root), await layersOf(one.root)), []);
  },
);

withTools.asRoot('skopeo, podman and umoci read what is saved', async (t, who) => {
  const {archives} = await fixture();
  const {home, env} = ownState(who);
  const at = (name: string) => path.join(home, name);
  await good(t, ['load', '-q', '-i', archives['docker archive in gzip'] ?? ''], {...who, env});
  const id = (await good(t, ['images', '-q', '--no-trunc'], {...who, env})).trim().replace('sha256:', '');
  for (const [format, transport] of [
    ['docker-archive', 'docker-archive'],
    ['oci-archive', 'oci-archive'],
    ['oci-dir', 'oci'],
  ]) {
    const file = at(`saved-${format}`);
    await good(t, ['save', '--format', format ?? '', '-o', file, 'img:1'], {...who, env});
    const inspected = JSON.parse(await tool('skopeo', ['inspect', '--config', `${transport}:${file}`]));
    t.deepEqual(inspected.config.Env.at(-1), 'A=from-image', format);
    const podman = podmanIn();
    // Podman takes no directory with capital letters in its path.
    if (format === 'oci-dir') continue;
    await podman('load', '-q', '-i', file);
    t.is((await podman('images', '-q', '--no-trunc')).trim(), `sha256:${id}`, format);
  }
  await tool('umoci', ['unpack', '--image', `${at('saved-oci-dir')}:localhost/img:1`, at('bundle')]);
  t.is(readFileSync(at('bundle/rootfs/there'), 'utf8'), 'here');
});

test.asEach('several images in one archive, a name each, from stdin', async (t, who) => {
  const {env} = ownState(who);
  const layout = new Layout();
  const base = await baseTar();
  const [one, two] = [
    layout.image([base, await fileTar('hello', '1')]),
    layout.image([base, await fileTar('hello', '2')]),
  ];
  const named = (descriptor: typeof one, name: string) => ({
    ...descriptor,
    annotations: {'io.containerd.image.name': name},
  });
  layout.index([
    named(one, 'docker.io/library/one:1'),
    named(two, 'localhost/two:2'),
    named(one, 'docker.io/library/uno:1'),
  ]);
  const input = readFileSync(await layout.archive());
  const lines = await good(t, ['load'], {...who, env, input});
  t.is(lines, 'Loaded image: one:1\nLoaded image: uno:1\nLoaded image: localhost/two:2\n');
  t.is(await good(t, ['run', '--rm', 'two:2', 'cat', '/hello'], {...who, env}), '2');
  t.is(await good(t, ['run', '--rm', 'uno:1', 'cat', '/hello'], {...who, env}), '1');
});

test.asEach('of an index, the manifest for this machine is taken, and no attestation', async (t, who) => {
  const {env} = ownState(who);
  const layout = new Layout();
  const here = layout.image([await baseTar(), await fileTar('hello', 'here')]);
  const other = layout.image([await baseTar(), await fileTar('hello', 'other')]);
  const goArch = process.arch === 'x64' ? 'amd64' : process.arch;
  const manifests = [
    {...other, platform: {os: 'unknown', architecture: 'unknown'}},
    {...other, platform: {os: 'linux', architecture: 's390x'}},
    {...other, platform: {os: 'windows', architecture: goArch}},
    {...here, platform: {os: 'linux', architecture: goArch}},
  ];
  layout.index([layout.json({schemaVersion: 2, mediaType: mediaTypes.index, manifests}, mediaTypes.index)], 'multi:1');
  await good(t, ['load', '-i', layout.folder], {...who, env});
  t.is(await good(t, ['run', '--rm', 'multi:1', 'cat', '/hello'], {...who, env}), 'here');
});

test.asEach("what docker 25 and later write is read: an OCI layout that also has docker's manifest", async (t, who) => {
  const {env} = ownState(who);
  const layout = new Layout();
  const manifest = layout.manifest([await baseTar(), await fileTar('hello', 'both')]);
  layout.index([layout.json(manifest, mediaTypes.manifest)], 'both:1');
  const place = (digest: string) => `blobs/sha256/${digest.replace('sha256:', '')}`;
  layout.file('manifest.json', [
    {
      Config: place(manifest.config.digest),
      RepoTags: ['both:1'],
      Layers: manifest.layers.map(layer => place(layer.digest)),
    },
  ]);
  await good(t, ['load', '-i', await layout.archive()], {...who, env});
  t.is(await good(t, ['run', '--rm', 'both:1', 'cat', '/hello'], {...who, env}), 'both');
});

test.asEach('import makes an image of a tree, with what --change says', async (t, who) => {
  const {env} = ownState(who);
  const changes = [
    'CMD ["sh", "-c", "echo $A; pwd"]',
    'ENV A="b c"',
    'WORKDIR /w',
    'LABEL k=v',
    'EXPOSE 80',
    'VOLUME /data',
  ];
  const flags = changes.flatMap(change => ['-c', change]);
  const id = await good(t, ['import', ...flags, '-m', 'mine', '-', 'made:1'], {...who, env, input: await baseTar()});
  t.regex(id, /^sha256:[0-9a-f]{64}\n$/);
  t.is(await good(t, ['run', '--rm', 'made:1'], {...who, env}), 'b c\n/w\n');
  const [image] = JSON.parse(await good(t, ['inspect', 'made:1'], {...who, env}));
  t.is(image.Id, id.trim());
  t.like(image.Config, {Labels: {k: 'v'}, ExposedPorts: {'80/tcp': {}}, Volumes: {'/data': {}}, WorkingDir: '/w'});
  const wrong: Result = await keelbox(['import', '-c', 'RUN x', '-', 'x'], {...who, env, input: ''});
  t.is(wrong.exitCode, 125);
});

test.asEach('an image with 127 layers runs', async (t, who) => {
  const {env} = ownState(who);
  const layout = new Layout();
  const small = await Promise.all(Array.from({length: 4}, (_, index) => fileTar(`f${index}`, String(index))));
  const layers = [await baseTar(), ...Array.from({length: 126}, (_, index) => small[index % 4] ?? Buffer.alloc(0))];
  layout.index([layout.image(layers)], 'many:1');
  await good(t, ['load', '-i', layout.folder], {...who, env, timeout: patience(120_000)});
  t.is(await good(t, ['run', '--rm', 'many:1', 'cat', '/f1', '/f3'], {...who, env}), '13');
});

test.asEach('an image for another machine is taken with a warning', async (t, who) => {
  const {env} = ownState(who);
  const file = await simpleImage('foreign:1', 'x', {architecture: 's390x'});
  await good(t, ['load', '-i', file], {...who, env});
  const {stdout, stderr} = await keelbox(['run', '--rm', 'foreign:1', 'cat', '/hello'], {...who, env});
  t.is(stdout, 'x');
  t.regex(stderr, /is for s390x, and this machine is/);
});
