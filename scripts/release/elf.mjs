/** What an ELF file says about the system that it is for: enough to tell a wrong artifact from a right one. */
import {readFileSync} from 'node:fs';

const MACHINES = {62: 'x64', 183: 'arm64'};
const [PT_LOAD, PT_DYNAMIC, PT_INTERP] = [1, 2, 3];
const [DT_NEEDED, DT_STRTAB, DT_VERNEED, DT_VERNEEDNUM] = [1, 5, 0x6ffffffe, 0x6fffffff];

/** 64-bit, little-endian: all that keelbox is built for. Undefined: it is no such file. */
export function readElf(file) {
  const bytes = readFileSync(file);
  if (bytes.length < 64 || bytes.subarray(0, 6).toString('latin1') !== '\x7fELF\x02\x01') return undefined;
  const segments = programHeaders(bytes);
  const machine = bytes.readUInt16LE(18);
  const dynamic = segments.find(({type}) => type === PT_DYNAMIC);
  return {
    arch: MACHINES[machine] ?? `machine ${machine}`,
    hasInterpreter: segments.some(({type}) => type === PT_INTERP),
    ...(dynamic ? linked(bytes, segments, dynamic) : {needed: [], versions: []}),
  };
}

function programHeaders(bytes) {
  const start = Number(bytes.readBigUInt64LE(32));
  const size = bytes.readUInt16LE(54);
  return Array.from({length: bytes.readUInt16LE(56)}, (_, index) => {
    const at = start + index * size;
    const word = offset => Number(bytes.readBigUInt64LE(at + offset));
    return {type: bytes.readUInt32LE(at), offset: word(8), address: word(16), size: word(32)};
  });
}

/** The libraries that it needs, and the symbol versions of them, such as GLIBC_2.17. */
function linked(bytes, segments, dynamic) {
  const entries = [];
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16) {
    entries.push([Number(bytes.readBigInt64LE(at)), Number(bytes.readBigUInt64LE(at + 8))]);
  }
  const value = tag => entries.find(([found]) => found === tag)?.[1];
  const placeOf = address => {
    const segment = segments.find(
      ({type, address: start, size}) => type === PT_LOAD && address >= start && address < start + size,
    );
    return segment && segment.offset + address - segment.address;
  };
  const strings = placeOf(value(DT_STRTAB) ?? 0);
  if (strings === undefined) return {needed: [], versions: []};
  const text = offset => bytes.toString('latin1', strings + offset, bytes.indexOf(0, strings + offset));
  const needed = entries.filter(([tag]) => tag === DT_NEEDED).map(([, offset]) => text(offset));
  return {needed, versions: versions(bytes, placeOf(value(DT_VERNEED) ?? 0), value(DT_VERNEEDNUM) ?? 0, text)};
}

/** Elf64_Verneed and Elf64_Vernaux, two linked lists (the Linux Standard Base, "Symbol Versioning"). */
function versions(bytes, start, count, text) {
  const names = [];
  for (let index = 0, need = start; index < count && need !== undefined; index++) {
    let at = need + bytes.readUInt32LE(need + 8);
    for (let left = bytes.readUInt16LE(need + 2); left > 0; left--) {
      names.push(text(bytes.readUInt32LE(at + 8)));
      at += bytes.readUInt32LE(at + 12);
    }
    need += bytes.readUInt32LE(need + 12);
  }
  return names;
}
