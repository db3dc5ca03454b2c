import {close as closeFd, createWriteStream, read, type WriteStream} from 'node:fs';
import {Readable} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {promisify} from 'node:util';
import {engine} from '../engine';
import type {FileCall} from '../native';
import {attempt} from './attempt';
import type {ContainerFs, FileOptions} from './types';

const close = promisify(closeFd);
const readSome = promisify(read);
const chunkSize = 64 * 1024;

/** The files of the container `id`; each call finds its path anew, below the container's root. */
export function containerFs(id: string): ContainerFs {
  const call = (call: FileCall) => attempt(() => engine().files(id, call));
  const open = async (path: string, more: FileOptions & {write?: boolean} = {}) =>
    (await call({op: 'open', path, ...more})) as number;

  async function readFile(path: string): Promise<Uint8Array>;
  async function readFile(path: string, encoding: 'utf8'): Promise<string>;
  async function readFile(path: string, encoding?: 'utf8'): Promise<Uint8Array | string> {
    const parts: Buffer[] = [];
    for await (const chunk of chunks(() => open(path))) parts.push(chunk);
    const bytes = Buffer.concat(parts);
    return encoding === undefined ? bytes : bytes.toString(encoding);
  }

  return {
    readFile,
    async writeFile(path, data, options = {}) {
      await writeTo(await open(path, {write: true, ...options}), data);
    },
    readdir: async path => (await call({op: 'readdir', path})) as string[],
    async mkdir(path, options = {}) {
      await call({op: 'mkdir', path, ...options});
    },
    async rm(path, options = {}) {
      await call({op: 'remove', path, ...options});
    },
    createReadStream: path =>
      Readable.from(
        chunks(() => open(path)),
        {objectMode: false},
      ),
  };
}

async function* chunks(open: () => Promise<number>): AsyncGenerator<Buffer> {
  const fd = await open();
  try {
    for (;;) {
      const {bytesRead, buffer} = await readSome(fd, Buffer.allocUnsafe(chunkSize), 0, chunkSize, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await close(fd);
  }
}

/** The stream owns the fd. */
async function writeTo(fd: number, data: string | Uint8Array | Readable): Promise<void> {
  const file: WriteStream = createWriteStream('', {fd});
  const source = data instanceof Readable ? data : Readable.from([Buffer.from(data)], {objectMode: false});
  await pipeline(source, file);
}
