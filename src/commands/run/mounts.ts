/** `-v`, `--mount` and `--tmpfs`, turned into the engine's mounts in the order: volumes, mounts, tmpfs. */
import {resolve} from 'node:path';
import {invalidArgument, notYet} from '../../errors/keelbox-error';
import type {BindMount, MountRequest, TmpfsMount} from '../../native';

export interface MountFlags {
  volume: readonly string[];
  mount: readonly string[];
  tmpfs: readonly string[];
}

export function collectMounts(flags: MountFlags): MountRequest[] {
  return [...flags.volume.map(fromVolume), ...flags.mount.map(fromMount), ...flags.tmpfs.map(fromTmpfs)];
}

function fromVolume(text: string): BindMount {
  const [source = '', target, options = '', ...more] = text.split(':');
  if (target === undefined) throw notYet(`keelbox run --volume ${text} (an anonymous volume)`);
  if (more.length > 0) throw invalidArgument(`invalid --volume "${text}"`, {why: 'expected SRC:DST[:ro|rw]'});
  if (source === '') throw invalidArgument(`invalid --volume "${text}"`, {why: 'there is nothing before the ":"'});
  if (!isHostPath(source)) {
    throw notYet(`keelbox run --volume ${text} (a named volume; write ./${source} for a directory)`);
  }
  return {
    type: 'bind',
    source: resolve(source),
    target: absoluteTarget('--volume', text, target),
    readonly: readonlyOption(text, options),
  };
}

/** Docker's rule: what starts like a path is one, everything else names a volume. */
function isHostPath(source: string): boolean {
  return source.startsWith('/') || /^\.{1,2}(\/|$)/.test(source);
}

function readonlyOption(text: string, options: string): boolean {
  let readonly = false;
  for (const option of options.split(',').filter(Boolean)) {
    if (option === 'ro') readonly = true;
    else if (option === 'rw') readonly = false;
    else if (laterVolumeOptions.has(option)) throw notYet(`keelbox run --volume option "${option}"`);
    else throw invalidArgument(`invalid --volume "${text}"`, {why: `"${option}" is no option; there are ro and rw`});
  }
  return readonly;
}

const laterVolumeOptions = new Set(
  'z Z U O cached delegated consistent copy nocopy shared rshared slave rslave private rprivate dev nodev exec noexec suid nosuid bind rbind idmap unbindable runbindable'.split(
    ' ',
  ),
);

function fromTmpfs(text: string): TmpfsMount {
  const colon = text.indexOf(':');
  const target = colon < 0 ? text : text.slice(0, colon);
  const options = colon < 0 ? '' : text.slice(colon + 1);
  return {type: 'tmpfs', target: absoluteTarget('--tmpfs', text, target), options};
}

function absoluteTarget(flag: string, text: string, target: string): string {
  if (target.startsWith('/')) return target;
  throw invalidArgument(`invalid ${flag} "${text}"`, {
    why: target === '' ? 'the path inside is missing' : `the path inside, "${target}", is not absolute`,
  });
}

function fromMount(text: string): MountRequest {
  const fields = mountFields(text);
  const type = fields.get('type') ?? 'volume';
  if (type === 'bind') return bindOf(text, fields);
  if (type === 'tmpfs') return tmpfsOf(text, fields);
  if (['volume', 'image', 'npipe', 'cluster', 'devpts', 'glob', 'ramfs', 'artifact'].includes(type)) {
    throw notYet(`keelbox run --mount type=${type}`);
  }
  throw invalidArgument(`invalid --mount "${text}"`, {why: `"${type}" is no mount type; there are bind and tmpfs`});
}

function bindOf(text: string, fields: Map<string, string>): BindMount {
  const source = fields.get('source');
  if (!source) throw invalidArgument(`invalid --mount "${text}"`, {why: 'src= is missing'});
  if (fields.has('options')) throw invalidArgument(`invalid --mount "${text}"`, {why: 'tmpfs-... needs type=tmpfs'});
  return {
    type: 'bind',
    source: resolve(source),
    target: absoluteTarget('--mount', text, fields.get('target') ?? ''),
    readonly: fields.get('readonly') === 'true',
  };
}

function tmpfsOf(text: string, fields: Map<string, string>): TmpfsMount {
  if (fields.has('source')) throw invalidArgument(`invalid --mount "${text}"`, {why: 'a tmpfs has no source'});
  const options = [fields.get('options'), fields.get('readonly') === 'true' ? 'ro' : undefined].filter(Boolean);
  return {
    type: 'tmpfs',
    target: absoluteTarget('--mount', text, fields.get('target') ?? ''),
    options: options.join(','),
  };
}

const mountKeys: Readonly<Record<string, string>> = {
  type: 'type',
  source: 'source',
  src: 'source',
  target: 'target',
  destination: 'target',
  dst: 'target',
  readonly: 'readonly',
  ro: 'readonly',
  rw: 'writable',
  'tmpfs-size': 'size',
  'tmpfs-mode': 'mode',
};

const laterMountKeys =
  /^(bind-(propagation|recursive|nonrecursive|create-src)|consistency|volume-.*|image-.*|U|chown|idmap|relabel|size|mode|uid|gid|tmpcopyup|notmpcopyup|no-dereference)$/;

/** The comma-separated fields by our own names, the two spellings of read-only as one, the tmpfs ones as its options. */
function mountFields(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const field of splitFields(text)) {
    const equals = field.indexOf('=');
    const written = equals < 0 ? field : field.slice(0, equals);
    const value = equals < 0 ? undefined : field.slice(equals + 1);
    const key = mountKeys[written.toLowerCase()];
    if (key === undefined) throw unknownField(text, written);
    setField(fields, text, key, value);
  }
  return fields;
}

function unknownField(text: string, field: string): Error {
  if (laterMountKeys.test(field)) return notYet(`keelbox run --mount ${field}=`);
  return invalidArgument(`invalid --mount "${text}"`, {
    why: `"${field}" is no key; there are type, src, dst, readonly, tmpfs-size, tmpfs-mode`,
  });
}

function setField(fields: Map<string, string>, text: string, key: string, value: string | undefined): void {
  if (key === 'readonly' || key === 'writable') {
    const isSet = value === undefined || /^(1|t|true)$/i.test(value);
    if (!isSet && !/^(0|f|false)$/i.test(value ?? '')) {
      throw invalidArgument(`invalid --mount "${text}"`, {why: `"${value}" is neither true nor false`});
    }
    fields.set('readonly', String(key === 'readonly' ? isSet : !isSet));
  } else if (value === undefined) {
    throw invalidArgument(`invalid --mount "${text}"`, {why: `"${key}" needs a value: ${key}=...`});
  } else if (key === 'size' || key === 'mode') {
    fields.set('options', [fields.get('options'), `${key}=${value}`].filter(Boolean).join(','));
  } else {
    fields.set(key, value);
  }
}

/** One CSV record, as docker reads it: a field in double quotes may hold commas, `""` in it is a quote. */
function splitFields(text: string): string[] {
  const fields = text.match(/("([^"]|"")*"|[^,]*)(,|$)/g) ?? [];
  return fields
    .map(field => field.replace(/,$/, ''))
    .filter(field => field !== '')
    .map(field => (field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field));
}
