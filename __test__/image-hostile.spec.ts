/**
 * Archives whose documents lie. Each is refused with the rule that it breaks, nothing of it becomes visible, and nothing is
 * left (security.md, 1c; `CVE-...`: whom it once got).
 */
import {existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {
  baseTar,
  type Descriptor,
  fileTar,
  Layout,
  mediaTypes,
  ownFolder,
  sha256,
  simpleImage,
  tool,
} from './helpers/archives';
import {keelbox} from './helpers/cli';
import {ownState, refused} from './helpers/inside';
import {lane, type Who} from './helpers/lane';
import {busybox} from './helpers/roots';

const test = lane({host: true, guest: true, rootless: true}).needing(busybox);

const INVALID = 'ERR_KEELBOX_IMAGE_INVALID';

/** Files in the store that hold something; directories and the lock do not count. */
function kept(root: string): string[] {
  const found = ['blobs/sha256', 'layers/sha256', 'images/sha256', 'images/names', 'tmp'];
  return found.flatMap(name => {
    const folder = path.join(root, name);
    return existsSync(folder) ? readdirSync(folder).map(entry => path.join(name, entry)) : [];
  });
}

/** Loading it is refused, and the store is as empty as before. */
async function hostile(
  t: ExecutionContext,
  who: Who,
  file: string,
  {code = INVALID, says = /\S/, why}: {code?: string; says?: RegExp; why?: RegExp},
): Promise<void> {
  const {root, env} = ownState(who);
  const result = await keelbox(['load', '-i', file], {...who, env});
  refused(t, result, {code, says, ...(why && {why})});
  t.deepEqual(kept(root), []);
}

/** A whole image whose parts a test then changes. */
async function layers(): Promise<Buffer[]> {
  return [await baseTar(), await fileTar('hello', 'x')];
}

function blobPath(layout: Layout, {digest}: Descriptor): string {
  return path.join(layout.folder, 'blobs/sha256', digest.replace('sha256:', ''));
}

type Change = (layout: Layout, manifest: ReturnType<Layout['manifest']>) => Descriptor | undefined;

/** What is done to a good image, and what is said about it then. */
const LIES: Record<string, {change: Change; code?: string; says?: RegExp; why?: RegExp}> = {
  'a layer with other bytes than its digest (blob_corrupt)': {
    change: (layout, {layers}) => {
      const file = blobPath(layout, layers[1] as Descriptor);
      const bytes = readFileSync(file);
      // Behind the last header, which begins with its name: the file's own text.
      bytes.write('y', bytes.lastIndexOf('./hello') + 512);
      writeFileSync(file, bytes);
      return undefined;
    },
    says: /another digest/,
  },
  'layers that have changed places (blob_swapped)': {
    change: (layout, manifest) => {
      manifest.layers.reverse();
      return layout.json(manifest, mediaTypes.manifest);
    },
    says: /another diff id/,
  },
  'a layer of another size than its descriptor says (size_lie)': {
    change: (layout, manifest) => {
      (manifest.layers[1] as Descriptor).size += 1;
      return layout.json(manifest, mediaTypes.manifest);
    },
    says: /another size/,
  },
  'a configuration whose diff ids are not those of the layers (diffid_mismatch, CVE-2024-3727)': {
    change: (layout, manifest) => {
      const config = {
        os: 'linux',
        rootfs: {type: 'layers', diff_ids: ['a', 'b'].map(text => `sha256:${sha256(text)}`)},
      };
      return layout.json({...manifest, config: layout.json(config, mediaTypes.config)}, mediaTypes.manifest);
    },
    says: /another diff id/,
  },
  'more layers than diff ids (layers_gt_diffids)': {
    change: (layout, manifest) => {
      manifest.layers.push(manifest.layers[1] as Descriptor);
      return layout.json(manifest, mediaTypes.manifest);
    },
    why: /names 2 layers, and the image has 3/,
  },
  'a digest that is a path (digest_path, CVE-2014-9356)': {
    change: (layout, manifest) => {
      (manifest.layers[1] as Descriptor).digest = 'sha256:../../../../etc/passwd';
      return layout.json(manifest, mediaTypes.manifest);
    },
    why: /not a sha256 digest/,
  },
  'a digest of an unknown kind (digest_unknown_alg)': {
    change: (layout, manifest) => {
      (manifest.layers[1] as Descriptor).digest = 'md5:d41d8cd98f00b204e9800998ecf8427e';
      return layout.json(manifest, mediaTypes.manifest);
    },
    why: /another kind than sha256/,
  },
  'a manifest that is an index as well (ambiguous_manifest, CVE-2021-41190)': {
    change: (layout, manifest) => layout.json({...manifest, manifests: []}, mediaTypes.manifest),
    why: /as well as an index/,
  },
  'a manifest that is called an index': {
    change: (layout, manifest) => ({
      ...layout.json({...manifest, mediaType: undefined}, mediaTypes.index),
      mediaType: mediaTypes.index,
    }),
    why: /is something else/,
  },
  'a layer that is none': {
    change: (layout, manifest) => {
      (manifest.layers[1] as Descriptor).mediaType = 'application/json';
      return layout.json(manifest, mediaTypes.manifest);
    },
    why: /a layer of the kind/,
  },
  'an artifact that is no image': {
    change: (layout, manifest) => {
      manifest.config.mediaType = 'application/vnd.example.config.v1+json';
      return layout.json(manifest, mediaTypes.manifest);
    },
    why: /no image/,
  },
  'an image for Windows': {
    change: (layout, manifest) => {
      const config = JSON.parse(readFileSync(blobPath(layout, manifest.config), 'utf8'));
      return layout.json(
        {...manifest, config: layout.json({...config, os: 'windows'}, mediaTypes.config)},
        mediaTypes.manifest,
      );
    },
    why: /for windows/,
  },
  'a layer that is missing': {
    change: (layout, manifest) => {
      const lost = {...(manifest.layers[1] as Descriptor), digest: `sha256:${sha256('lost')}`};
      return layout.json({...manifest, layers: [manifest.layers[0], lost]}, mediaTypes.manifest);
    },
    says: /not in the archive/,
  },
  'a configuration with other bytes than its digest': {
    change: (layout, manifest) => {
      const file = blobPath(layout, manifest.config);
      writeFileSync(file, readFileSync(file, 'utf8').replace('"sh"', '"rm"'));
      return undefined;
    },
    says: /another digest/,
  },
};

for (const [title, {change, ...refusal}] of Object.entries(LIES)) {
  test.asEach(`${title} is refused`, async (t, who) => {
    const layout = new Layout();
    const manifest = layout.manifest(await layers());
    const good = layout.json(manifest, mediaTypes.manifest);
    layout.index([change(layout, manifest) ?? good], 'evil:1');
    await hostile(t, who, await layout.archive(), refusal);
    await hostile(t, who, layout.folder, refusal);
  });
}

test.asEach('a manifest of 64 MiB is refused (manhuge)', async (t, who) => {
  const layout = new Layout();
  const manifest = JSON.stringify({...layout.manifest(await layers()), padding: 'x'.repeat(64 << 20)});
  layout.index([layout.blob(manifest, mediaTypes.manifest)], 'huge:1');
  await hostile(t, who, layout.folder, {says: /too large/, why: /67\d{6} bytes/});
});

test.asEach(
  'indexes without end, and one that names another a thousand times, are refused (GO-2026-6597)',
  async (t, who) => {
    const layout = new Layout();
    let inner = layout.image(await layers());
    const index = (manifests: Descriptor[]) =>
      layout.json({schemaVersion: 2, mediaType: mediaTypes.index, manifests}, mediaTypes.index);
    for (let depth = 0; depth < 6; depth += 1) inner = index([inner]);
    layout.index([inner], 'deep:1');
    await hostile(t, who, layout.folder, {says: /indexes of indexes/});
    const wide = new Layout();
    const one = wide.image(await layers());
    wide.index(Array.from({length: 1000}, () => one));
    await hostile(t, who, wide.folder, {says: /too many manifests/});
  },
);

test.asEach('an archive that was cut short anywhere is refused', async (t, who) => {
  const whole = await simpleImage('cut:1');
  const bytes = readFileSync(whole);
  for (const part of [0.05, 0.3, 0.6, 0.9]) {
    const file = path.join(ownFolder('cut'), 'cut.tar');
    writeFileSync(file, bytes.subarray(0, Math.floor(bytes.length * part)));
    await hostile(t, who, file, {});
  }
});

test.asEach('what is no archive is refused', async (t, who) => {
  const folder = ownFolder('none');
  const at = (name: string) => path.join(folder, name);
  writeFileSync(at('text'), 'hello\n'.repeat(1000));
  writeFileSync(at('empty'), '');
  writeFileSync(at('xz'), Buffer.from('fd377a585a000000', 'hex'));
  mkdirSync(at('folder'));
  writeFileSync(at('root.tar'), await baseTar());
  for (const name of ['text', 'empty', 'xz', 'folder', 'root.tar']) await hostile(t, who, at(name), {});
  const {env} = ownState(who);
  const missing = await keelbox(['load', '-i', at('missing')], {...who, env});
  refused(t, missing, {code: 'ERR_KEELBOX_INVALID_ARG', says: 'missing', why: 'No such file'});
});

test.asEach("docker's manifest.json cannot name files outside, by .. or by links (darch)", async (t, who) => {
  const config = JSON.stringify({os: 'linux', rootfs: {diff_ids: [`sha256:${sha256('x')}`]}});
  const archives: Record<string, (folder: string) => object> = {
    'layer by ..': () => ({Config: 'config.json', Layers: ['../../../../../../etc/passwd']}),
    'layer by absolute path': () => ({Config: 'config.json', Layers: ['/etc/passwd']}),
    'config by ..': () => ({Config: '../../../../../../etc/passwd', Layers: []}),
    'layer that is a link': folder => {
      symlinkSync('/etc/passwd', path.join(folder, 'layer.tar'));
      return {Config: 'config.json', Layers: ['layer.tar']};
    },
    'config that is a link': folder => {
      symlinkSync('/etc/passwd', path.join(folder, 'link.json'));
      return {Config: 'link.json', Layers: []};
    },
  };
  for (const [title, make] of Object.entries(archives)) {
    const folder = ownFolder('docker');
    writeFileSync(path.join(folder, 'config.json'), config);
    writeFileSync(path.join(folder, 'manifest.json'), JSON.stringify([{RepoTags: ['x:1'], ...make(folder)}]));
    const file = `${folder}.tar`;
    await tool('tar', ['-C', folder, '-cf', file, '.']);
    await hostile(t, who, file, {says: /not in the archive/});
    t.pass(title);
  }
});

test.asEach("a layout directory's links lead nowhere outside", async (t, who) => {
  const layout = new Layout();
  const manifest = layout.manifest(await layers());
  const lost = `sha256:${sha256('lost')}`;
  symlinkSync('/etc/passwd', path.join(layout.folder, 'blobs/sha256', sha256('lost')));
  const lie = {...manifest, layers: [manifest.layers[0], {...(manifest.layers[1] as Descriptor), digest: lost}]};
  layout.index([layout.json(lie, mediaTypes.manifest)], 'link:1');
  await hostile(t, who, layout.folder, {code: 'ERR_KEELBOX_STORE', says: /cannot read/});
});

test.asEach('a name twice in an archive is refused (CVE-2025-62518)', async (t, who) => {
  const layout = new Layout();
  layout.index([layout.image(await layers())], 'twice:1');
  const file = await layout.archive();
  await tool('tar', ['-C', layout.folder, '-rf', file, 'index.json']);
  await hostile(t, who, file, {why: /twice/});
});

test.asEach('a compressed archive that is a bomb is refused', async (t, who) => {
  const folder = ownFolder('bomb');
  const zeroes = path.join(folder, 'zeroes');
  writeFileSync(zeroes, '');
  truncateSync(zeroes, 300 << 20);
  await tool('gzip', ['-1', zeroes]);
  await hostile(t, who, `${zeroes}.gz`, {says: /is refused/, why: /packed so tightly/});
});

test.asEach(
  'what an image says of itself is data: labels and names change nothing (CVE-2026-53488, CVE-2024-3154)',
  async (t, who) => {
    const {env} = ownState(who);
    const Labels = {
      'io.podman.annotations.privileged': 'TRUE',
      'run.oci.hooks': '/bin/sh',
      'org.systemd.property.X': '1',
    };
    const file = await simpleImage('labels:1', 'x', {config: {Cmd: ['cat', '/proc/self/status'], Labels}});
    const plain = await simpleImage('plain:1', 'x', {config: {Cmd: ['cat', '/proc/self/status']}});
    for (const each of [file, plain]) await keelbox(['load', '-i', each], {...who, env});
    const rights = async (name: string) => {
      const {stdout} = await keelbox(['run', '--rm', name], {...who, env});
      return stdout.split('\n').filter(line => /^(Cap|NoNewPrivs|Seccomp|Uid|Gid)/.test(line));
    };
    const [labelled, without] = [await rights('labels:1'), await rights('plain:1')];
    t.true(labelled.length > 5);
    t.deepEqual(labelled, without);
  },
);
