/**
 * Drives the executable's role `unpack` as the engine does: a job in a file, an answer on a socket. What is unpacked lies in
 * a box with something outside that must stay as it is.
 */
import {spawn} from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import type {Duplex} from 'node:stream';
import {specFolder, testUser} from './cli';

export interface Limits {
  entries: number;
  bytes: number;
  ratio: number;
  ratioFrom: number;
  depth: number;
}

export interface Unpacking {
  /** Default `layer`. */
  format?: 'layer' | 'plain';
  /** Directories of the layers below, topmost first. */
  lower?: string[];
  limits?: Partial<Limits>;
  /** Whether the archive must have its end. */
  needsEnd?: boolean;
  /** As the ordinary user, with subordinate ids or with one id only. */
  as?: 'root' | 'user' | 'single';
  /** A directory that is there already. */
  into?: Box;
}

export interface Done {
  digest: string;
  diffId: string;
  size: number;
  tarSize: number;
  entries: number;
  notes: string[];
}

export interface Refused {
  what: string;
  why: string;
  path: string;
  limit: string;
}

export interface Outcome {
  done?: Done;
  refused?: Refused;
  box: Box;
}

/** A directory to unpack into, and beside it what must not be touched. */
export class Box {
  readonly top: string;
  readonly root: string;
  readonly outside: string;
  #before: string[];

  constructor(asUser = false) {
    this.top = mkdtempSync(path.join(specFolder(), 'box-'));
    this.root = path.join(this.top, 'root');
    this.outside = path.join(this.top, 'outside');
    for (const folder of [this.root, this.outside]) mkdirSync(folder);
    writeFileSync(path.join(this.outside, 'canary'), 'sings\n');
    chmodSync(this.top, 0o755);
    if (asUser) chownSync(this.root, testUser().uid, testUser().gid);
    this.#before = this.#look();
  }

  /** What changed outside: nothing. */
  harm(): string[] {
    const now = this.#look();
    return now.filter(line => !this.#before.includes(line)).concat(this.#before.filter(line => !now.includes(line)));
  }

  has = (name: string) => lstatSync(path.join(this.root, name), {throwIfNoEntry: false}) !== undefined;

  read = (name: string) => readFileSync(path.join(this.root, name), 'utf8');

  stat = (name: string) => lstatSync(path.join(this.root, name));

  /** Everything in it. Node's own recursion would follow links. */
  names(below = ''): string[] {
    const entries = readdirSync(path.join(this.root, below), {withFileTypes: true});
    return entries
      .flatMap(entry => {
        const name = path.join(below, entry.name);
        return entry.isDirectory() ? [name, ...this.names(name)] : [name];
      })
      .sort();
  }

  #look(): string[] {
    const files = [this.top, this.outside, ...readdirSync(this.outside).map(name => path.join(this.outside, name))];
    return files
      .map(file => {
        const {mode, uid, gid, nlink, ino, mtimeMs, size} = lstatSync(file);
        return [file, mode, uid, gid, nlink, ino, mtimeMs, size].join(' ');
      })
      .concat(
        existsSync(path.join(this.outside, 'canary')) ? readFileSync(path.join(this.outside, 'canary'), 'utf8') : '',
      )
      .concat(readdirSync(this.top).join());
  }
}

/** postcard: numbers in groups of 7 bits, options and enums by their number, texts by their length. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  do {
    const more = rest > 127n ? 128 : 0;
    bytes.push(Number(rest & 127n) | more);
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}

const flag = (value: boolean) => Buffer.from([value ? 1 : 0]);

function job({format = 'layer', limits = {}, needsEnd = false, as = 'root'}: Unpacking): Buffer {
  const {entries = 1e6, bytes = 2 ** 36, ratio = 200, ratioFrom = 2 ** 28, depth = 256} = limits;
  return Buffer.concat([
    varint(0),
    flag(false),
    flag(false),
    format === 'plain' ? varint(1) : Buffer.concat([varint(0), flag(as !== 'root')]),
    flag(false),
    flag(as === 'single'),
    ...[entries, bytes, ratio, ratioFrom, depth, 4096, 2 ** 20].map(varint),
    flag(needsEnd),
    // As the archive says: no owner, no other names, nothing kept or left out.
    ...[false, false, false, false].map(flag),
  ]);
}

function maps(as: Unpacking['as']): Buffer {
  if (as === undefined || as === 'root') return Buffer.alloc(0);
  const {uid, gid} = testUser();
  const list = (own: number, file: string) => {
    const own1 = [0, own, 1];
    if (as === 'single') return Buffer.concat([varint(1), ...own1.map(varint)]);
    const line = readFileSync(file, 'utf8')
      .split('\n')
      .find(text => text.startsWith('keelbox-test:'));
    const [, first, count] = (line ?? '').split(':').map(Number);
    return Buffer.concat([varint(2), ...[...own1, 1, first ?? 0, count ?? 0].map(varint)]);
  };
  return Buffer.concat([list(uid, '/etc/subuid'), list(gid, '/etc/subgid')]);
}

class Answer {
  #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  number(): number {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new Error('the answer is not whole');
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(value);
    }
  }

  text(): string {
    const length = this.number();
    this.#at += length;
    return this.#bytes.toString('utf8', this.#at - length, this.#at);
  }
}

function parse(bytes: Buffer): Omit<Outcome, 'box'> {
  const answer = new Answer(bytes);
  if (answer.number() === 0) {
    const [digest, diffId] = [answer.text(), answer.text()];
    const [size, tarSize, entries] = [answer.number(), answer.number(), answer.number()];
    // The largest id that an entry has.
    answer.number();
    const notes = Array.from({length: answer.number()}, () => answer.text());
    return {done: {digest, diffId, size, tarSize, entries, notes}};
  }
  const [what, why, where] = [answer.text(), answer.text(), answer.text()];
  answer.number();
  return {refused: {what, why, path: where, limit: answer.text()}};
}

/** Unpacks an archive into a box of its own. */
export async function unpack(archive: Buffer, options: Unpacking = {}): Promise<Outcome> {
  const asUser = options.as === 'user' || options.as === 'single';
  const box = options.into ?? new Box(asUser);
  const file = (name: string, content: Buffer) => {
    const where = path.join(mkdtempSync(path.join(specFolder(), 'job-')), name);
    writeFileSync(where, content);
    return openSync(where, 'r');
  };
  const lower = (options.lower ?? []).map(folder => openSync(folder, 'r'));
  const files = [file('maps', maps(options.as)), file('job', job(options)), file('archive', archive)];
  const fds = [...files, openSync('/dev/null', 'r'), openSync(box.root, 'r'), ...lower];
  const child = spawn(path.join(specFolder(), 'dist/native/keelbox-runtime'), ['unpack', String(lower.length)], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', ...fds],
    ...(asUser ? testUser() : {}),
    cwd: '/',
  });
  for (const fd of fds) closeSync(fd);
  const chunks: Buffer[] = [];
  const control = child.stdio[3] as Duplex;
  control.on('data', (chunk: Buffer) => chunks.push(chunk));
  const signal = await new Promise(resolve => child.on('close', (_code, by) => resolve(by)));
  if (chunks.length === 0) throw new Error(`no answer (${signal})`);
  return {...parse(Buffer.concat(chunks)), box};
}
