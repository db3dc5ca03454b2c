/** Archives made byte by byte: also those that no honest program writes. */

const BLOCK = 512;

export interface Member {
  path: string;
  /** The type flag; default a file, or a directory when the name ends in a slash. */
  type?: string;
  link?: string;
  data?: string | Buffer;
  /** What the header says of the data's size, when that is not so. */
  size?: number;
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  device?: [number, number];
  /** Records of an extended header before it. */
  pax?: Record<string, string>;
  /** The extended header's bytes, when they are no proper records. */
  rawPax?: string;
}

const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;

const filled = (data: Buffer) => Buffer.concat([data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)]);

export function record(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (length !== rest + String(length).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

/** A header whose checksum is right, whatever else is in it. */
export function header(member: Member, size: number, type: string): Buffer {
  const {path, link = '', mode = 0o644, uid = 0, gid = 0, mtime = 1_000_000_000, device = [0, 0]} = member;
  const block = Buffer.alloc(BLOCK);
  block.write(path, 0, 100);
  block.write(octal(mode, 7), 100);
  block.write(octal(uid, 7), 108);
  block.write(octal(gid, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(mtime, 11), 136);
  block.write(type, 156);
  block.write(link, 157, 100);
  block.write('ustar\x0000', 257, 'latin1');
  block.write(octal(device[0], 7), 329);
  block.write(octal(device[1], 7), 337);
  return sealed(block);
}

/** The same block with the checksum that it should have. */
export function sealed(block: Buffer): Buffer {
  block.write('        ', 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

export function member(one: Member): Buffer {
  const data = Buffer.from(one.data ?? '');
  const type = one.type ?? (one.path.endsWith('/') ? '5' : '0');
  const pax = one.rawPax ?? Object.entries(one.pax ?? {}).reduce((text, [key, value]) => text + record(key, value), '');
  const extended = pax ? [header({path: 'PaxHeaders/x'}, Buffer.byteLength(pax), 'x'), filled(Buffer.from(pax))] : [];
  return Buffer.concat([...extended, header(one, one.size ?? data.length, type), filled(data)]);
}

export const END = Buffer.alloc(2 * BLOCK);

export const tar = (...members: Member[]): Buffer => Buffer.concat([...members.map(member), END]);
