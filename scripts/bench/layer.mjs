/** Images for the bench, as OCI archives: one whose layer is like a distribution's, and a hundred small ones. */
import {spawnSync} from 'node:child_process';
import {createHash, randomBytes} from 'node:crypto';
import {mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {fail} from '../lib.mjs';

const MB = 1e6;
/** Of a layer of 204 MB that gzip makes 95 MB of: this machine's own files, and what has been compressed already. */
const SHARES = {'/usr/bin': 0.3, '/usr/lib': 0.4, '/usr/share': 0.15};
const COMPRESSED = 0.15;
/** One large program would otherwise be most of what is taken. */
const LARGEST = 8 * MB;

function checked(command, words, options) {
  const {status, stderr, error} = spawnSync(command, words, options);
  if (status !== 0) fail(`bench: ${command} failed: ${error ?? `${stderr}`.trim()}`, 125);
}

/** The first regular files below a directory, in the order of their names, until there are so many bytes. */
function take(directory, bytes) {
  const taken = [];
  const names = readdirSync(directory, {recursive: true, withFileTypes: true})
    .filter(entry => entry.isFile())
    .map(entry => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort();
  let left = bytes;
  for (const name of names) {
    const {size} = statSync(name);
    if (size > LARGEST) continue;
    taken.push(name);
    // The header counts as well.
    left -= size + 1024;
    if (left < 0) break;
  }
  return taken;
}

function makeTar(folder, bytes) {
  const files = Object.entries(SHARES).flatMap(([directory, share]) => take(directory, bytes * share));
  const noise = path.join(folder, 'compressed');
  mkdirSync(noise);
  const piece = 80_000;
  for (let count = 0; count * piece < bytes * COMPRESSED; count += 1)
    writeFileSync(path.join(noise, `${count}.gz`), randomBytes(piece));
  const list = path.join(folder, 'list');
  writeFileSync(list, [...files, noise].map(name => `${name.slice(1)}\0`).join(''));
  const tar = path.join(folder, 'layer.tar');
  checked('tar', ['--numeric-owner', '--hard-dereference', '-cf', tar, '-C', '/', '--null', '-T', list]);
  rmSync(noise, {recursive: true});
  return tar;
}

function gzip(file) {
  const compressed = `${file}.gz`;
  checked('gzip', ['-6', '-c', file], {stdio: ['ignore', openSync(compressed, 'w'), 'pipe']});
  return compressed;
}

const digest = bytes => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** An OCI layout in the making. */
class Layout {
  constructor(folder) {
    this.folder = folder;
    this.manifests = [];
    mkdirSync(path.join(folder, 'blobs/sha256'), {recursive: true});
    writeFileSync(path.join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  }

  blob(mediaType, bytes) {
    const name = digest(bytes);
    writeFileSync(path.join(this.folder, 'blobs', name.replace(':', '/')), bytes);
    return {mediaType, digest: name, size: bytes.length};
  }

  document(mediaType, value) {
    return this.blob(mediaType, Buffer.from(JSON.stringify(value)));
  }

  /** An image of one layer, which is a blob already. */
  image(name, layer, diffId) {
    const type = 'application/vnd.oci.image';
    const architecture = {x64: 'amd64'}[process.arch] ?? process.arch;
    const rootfs = {type: 'layers', diff_ids: [diffId]};
    const settings = {Cmd: ['/bin/true'], Labels: {name}};
    const config = this.document(`${type}.config.v1+json`, {architecture, os: 'linux', config: settings, rootfs});
    const manifest = {schemaVersion: 2, mediaType: `${type}.manifest.v1+json`, config, layers: [layer]};
    const annotations = {'org.opencontainers.image.ref.name': name};
    this.manifests.push({...this.document(manifest.mediaType, manifest), annotations});
  }

  archive(file) {
    const index = {schemaVersion: 2, manifests: this.manifests};
    writeFileSync(path.join(this.folder, 'index.json'), JSON.stringify(index));
    checked('tar', ['-cf', `${file}.partial`, '-C', this.folder, 'oci-layout', 'index.json', 'blobs']);
    rmSync(this.folder, {recursive: true});
    renameSync(`${file}.partial`, file);
    return file;
  }
}

const LAYER = 'application/vnd.oci.image.layer.v1.tar';

/** `{file, tarBytes, gzipBytes}`: an archive of one image, whose layer has about so many bytes. */
export function largeArchive(scratch, bytes) {
  const folder = scratch.at('large');
  mkdirSync(folder);
  const tar = makeTar(folder, bytes);
  const [plain, compressed] = [readFileSync(tar), readFileSync(gzip(tar))];
  const layout = new Layout(path.join(folder, 'layout'));
  layout.image('bench:large', layout.blob(`${LAYER}+gzip`, compressed), digest(plain));
  for (const name of ['layer.tar', 'layer.tar.gz']) rmSync(path.join(folder, name));
  const file = layout.archive(scratch.at('large.tar'));
  return {file, tarBytes: plain.length, gzipBytes: compressed.length};
}

/** An archive of so many images, which differ in their configuration. */
export function manyArchive(scratch, count) {
  const layout = new Layout(scratch.at('many'));
  const plain = Buffer.alloc(1024);
  const layer = layout.blob(LAYER, plain);
  for (let number = 0; number < count; number += 1) layout.image(`bench:${number}`, layer, digest(plain));
  return layout.archive(scratch.at('many.tar'));
}
