/** Archives of images: made by the tools that people have, and, where a rule is to be broken, by hand. */
import {execFile, execFileSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {promisify} from 'node:util';
import {specFolder} from './cli';
import {busyboxRoot} from './roots';

const execute = promisify(execFile);

/** Not the synchronous kind: the other tests of the file run meanwhile. */
export async function tool(file: string, args: string[], cwd?: string): Promise<string> {
  return (await execute(file, args, {maxBuffer: 64 << 20, ...(cwd && {cwd})})).stdout;
}

/** A new folder in the spec's own, that everyone may read. */
export function ownFolder(name: string): string {
  const folder = mkdtempSync(path.join(specFolder(), `${name}-`));
  chmodSync(folder, 0o755);
  return folder;
}

export const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

/** A tar with the owners, modes and extended attributes of a tree. */
export async function tarOf(tree: string): Promise<Buffer> {
  const file = path.join(ownFolder('tar'), 'layer.tar');
  await tool('tar', ['--numeric-owner', '--xattrs', '--xattrs-include=*', '--sort=name', '-C', tree, '-cf', file, '.']);
  return readFileSync(file);
}

let base: Promise<Buffer> | undefined;

/** A busybox root's tar, the same for all tests of a file. */
export function baseTar(): Promise<Buffer> {
  base ??= busyboxRoot().then(tarOf);
  return base;
}

/** One small file as a layer. */
export async function fileTar(name: string, text: string): Promise<Buffer> {
  const tree = ownFolder('file');
  mkdirSync(path.dirname(path.join(tree, name)), {recursive: true});
  writeFileSync(path.join(tree, name), text);
  execFileSync('chmod', ['755', tree]);
  return tarOf(tree);
}

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: object;
  annotations?: Record<string, string>;
}

const OCI = 'application/vnd.oci.image';
export const mediaTypes = {
  manifest: `${OCI}.manifest.v1+json`,
  index: `${OCI}.index.v1+json`,
  config: `${OCI}.config.v1+json`,
  layer: `${OCI}.layer.v1.tar`,
};

/** An OCI layout in a folder, to which blobs are added by hand. */
export class Layout {
  readonly folder = ownFolder('layout');

  constructor() {
    mkdirSync(path.join(this.folder, 'blobs/sha256'), {recursive: true});
    writeFileSync(path.join(this.folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  }

  blob(bytes: Buffer | string, mediaType: string): Descriptor {
    const digest = sha256(bytes);
    writeFileSync(path.join(this.folder, 'blobs/sha256', digest), bytes);
    return {mediaType, digest: `sha256:${digest}`, size: Buffer.byteLength(bytes)};
  }

  json(value: object, mediaType: string): Descriptor {
    return this.blob(JSON.stringify(value), mediaType);
  }

  index(manifests: Descriptor[], name?: string): void {
    const named = manifests.map(manifest =>
      name === undefined ? manifest : {...manifest, annotations: {'org.opencontainers.image.ref.name': name}},
    );
    this.file('index.json', {schemaVersion: 2, mediaType: mediaTypes.index, manifests: named});
  }

  file(name: string, value: object): void {
    writeFileSync(path.join(this.folder, name), JSON.stringify(value));
  }

  /** The manifest of an image of these layers, as they are; `config` goes over the usual one. */
  image(layers: Buffer[], config: object = {}): Descriptor {
    return this.json(this.manifest(layers, config), mediaTypes.manifest);
  }

  manifest(layers: Buffer[], config: object = {}): {config: Descriptor; layers: Descriptor[]; [key: string]: unknown} {
    const whole = {
      created: '2026-01-02T03:04:05Z',
      architecture: goArch,
      os: 'linux',
      config: {Cmd: ['sh']},
      rootfs: {type: 'layers', diff_ids: layers.map(layer => `sha256:${sha256(layer)}`)},
      ...config,
    };
    return {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: this.json(whole, mediaTypes.config),
      layers: layers.map(layer => this.blob(layer, mediaTypes.layer)),
    };
  }

  /** The layout as an archive. */
  async archive(): Promise<string> {
    const file = `${this.folder}.tar`;
    await tool('tar', ['-C', this.folder, '-cf', file, ...readdirSync(this.folder)]);
    return file;
  }

  copy(): Layout {
    const copy = new Layout();
    rmSync(copy.folder, {recursive: true});
    cpSync(this.folder, copy.folder, {recursive: true});
    return copy;
  }
}

export const goArch = process.arch === 'x64' ? 'amd64' : process.arch;

/** An archive of the usual image: a busybox root, and `text` in /hello above it. */
export async function simpleImage(name: string, text = 'hello', config: object = {}): Promise<string> {
  const layout = new Layout();
  layout.index([layout.image([await baseTar(), await fileTar('hello', text)], config)], name);
  return layout.archive();
}

/** A Python program: the files below its first argument, but for those that its other ones name. */
export const LIST_TREE = `
import os, sys, stat, hashlib
top = os.fsencode(sys.argv[1])
skipped = [os.path.join(top, os.fsencode(name)) for name in sys.argv[2:]]
paths = [b'']
for folder, folders, files in os.walk(top):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in skipped]
    files = [name for name in files if os.path.join(folder, name) not in skipped]
    paths += [os.path.relpath(os.path.join(folder, name), top) for name in folders + files]
for path in sorted(paths):
    full = os.path.join(top, path)
    info = os.lstat(full)
    # A whiteout is a mark, and has the time that it was made at.
    is_whiteout = stat.S_ISCHR(info.st_mode) and info.st_rdev == 0
    what = [path, oct(info.st_mode), info.st_uid, info.st_gid, info.st_rdev, 0 if is_whiteout else int(info.st_mtime)]
    if not stat.S_ISDIR(info.st_mode): what += [info.st_nlink, info.st_size]
    if stat.S_ISLNK(info.st_mode): what.append(os.readlink(full))
    if stat.S_ISREG(info.st_mode): what.append(hashlib.sha256(open(full, 'rb').read()).hexdigest())
    what += [(name, os.getxattr(full, name, follow_symlinks=False)) for name in sorted(os.listxattr(full, follow_symlinks=False))]
    print(*what)
`;

/** Everything about the files of a store's layers: names, modes, owners, devices, times, links, contents, attributes. */
export async function layersOf(root: string): Promise<string> {
  const layers = path.join(root, 'layers/sha256');
  const lists = readdirSync(layers)
    .sort()
    .map(async chain => `${chain}\n${await tool('python3', ['-c', LIST_TREE, path.join(layers, chain, 'diff')])}`);
  return (await Promise.all(lists)).join('');
}

/** The lines that one listing has and the other has not: short enough to read when there are some. */
export function differences(one: string, other: string): string[] {
  const [left, right] = [one.split('\n'), other.split('\n')];
  const [inLeft, inRight] = [new Set(left), new Set(right)];
  return [
    ...left.filter(line => !inRight.has(line)).map(line => `- ${line}`),
    ...right.filter(line => !inLeft.has(line)).map(line => `+ ${line}`),
  ].slice(0, 20);
}
