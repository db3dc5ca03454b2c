import {invalidArgument} from '../../../errors/keelbox-error';
import type {Idmap, IdmapRange} from '../../../native';

/** Crun's grammar: `uids=0-1-10#10-11-10;gids=@0-0-10`: first id on disk, first id on the host, how many. */
export function readIdmap(flag: string, text: string, value: string | undefined): Idmap {
  const idmap: Idmap = {uids: [], gids: []};
  for (const part of (value ?? '').split(';').filter(Boolean)) {
    const [, kind, ranges = ''] = /^([ug]ids)=(.+)$/.exec(part) ?? [];
    if (kind !== 'uids' && kind !== 'gids') throw invalid(flag, text, `"${part}" is neither uids= nor gids=`);
    idmap[kind].push(...ranges.split('#').map(range => readRange(flag, text, range)));
  }
  return idmap;
}

function readRange(flag: string, text: string, range: string): IdmapRange {
  const [, at, ...numbers] = /^(@?)(\d+)-(\d+)-(\d+)$/.exec(range) ?? [];
  const [from, to, count] = numbers.map(Number);
  const isId = (id: number | undefined): id is number => id !== undefined && id < 2 ** 32;
  if (!isId(from) || !isId(to) || !isId(count)) throw invalid(flag, text, `"${range}" is not DISK-HOST-COUNT`);
  return {from, to, count, relative: at === '@'};
}

function invalid(flag: string, text: string, why: string): Error {
  return invalidArgument(`invalid ${flag} "${text}"`, {why, hint: 'write idmap=uids=0-1000-1;gids=0-1000-1'});
}
