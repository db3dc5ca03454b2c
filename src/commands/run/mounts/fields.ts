/** The comma-separated fields of `--mount`, by one name each. */
import {invalidArgument, notYet} from '../../../errors/keelbox-error';

type MountType = 'bind' | 'volume' | 'tmpfs' | 'image';

interface Key {
  /** Its one name; default: as written. */
  name?: string;
  /** `text`: needs a value. `flag`: Go's booleans, alone means true. `not`: a flag that means the opposite. */
  kind: 'text' | 'flag' | 'not' | 'list' | 'any';
  /** Where it means something; default: everywhere. */
  types?: readonly MountType[];
}

const bind: readonly MountType[] = ['bind'];
const volume: readonly MountType[] = ['volume'];
const tmpfs: readonly MountType[] = ['tmpfs'];
const image: readonly MountType[] = ['image'];
const files: readonly MountType[] = ['bind', 'volume'];
const parts: readonly MountType[] = ['bind', 'volume', 'image'];
/** An image is shown as it is. */
const notImage: readonly MountType[] = ['bind', 'volume', 'tmpfs'];

const keys: Readonly<Record<string, Key>> = {
  type: {kind: 'text'},
  source: {kind: 'text'},
  src: {name: 'source', kind: 'text'},
  target: {kind: 'text'},
  destination: {name: 'target', kind: 'text'},
  dst: {name: 'target', kind: 'text'},
  readonly: {kind: 'flag'},
  ro: {name: 'readonly', kind: 'flag'},
  rro: {name: 'readonly', kind: 'flag'},
  rw: {name: 'readonly', kind: 'not'},
  readwrite: {name: 'readonly', kind: 'not'},
  consistency: {kind: 'text'},
  'bind-propagation': {kind: 'text', types: bind},
  'bind-recursive': {kind: 'text', types: bind},
  'bind-nonrecursive': {kind: 'flag', types: bind},
  'bind-create-src': {kind: 'flag', types: bind},
  subpath: {kind: 'text', types: parts},
  'image-subpath': {name: 'subpath', kind: 'text', types: image},
  'volume-subpath': {name: 'subpath', kind: 'text', types: volume},
  'volume-nocopy': {kind: 'flag', types: volume},
  'volume-label': {kind: 'list', types: volume},
  'volume-opt': {kind: 'list', types: volume},
  'volume-driver': {kind: 'text', types: volume},
  u: {name: 'chown', kind: 'flag', types: notImage},
  chown: {kind: 'flag', types: notImage},
  idmap: {kind: 'any', types: files},
  relabel: {kind: 'text', types: files},
  dev: {kind: 'flag', types: notImage},
  nodev: {name: 'dev', kind: 'not', types: notImage},
  noexec: {kind: 'flag', types: notImage},
  exec: {kind: 'flag', types: tmpfs},
  nosuid: {kind: 'flag', types: notImage},
  'tmpfs-size': {kind: 'text', types: tmpfs},
  size: {name: 'tmpfs-size', kind: 'text', types: tmpfs},
  'tmpfs-mode': {kind: 'text', types: tmpfs},
  mode: {name: 'tmpfs-mode', kind: 'text', types: tmpfs},
  'tmpfs-options': {kind: 'text', types: tmpfs},
  uid: {kind: 'text', types: tmpfs},
  gid: {kind: 'text', types: tmpfs},
  tmpcopyup: {kind: 'flag', types: tmpfs},
  notmpcopyup: {kind: 'flag', types: tmpfs},
};

const laterKeys = /^no-dereference$/;
const laterTypes = ['npipe', 'cluster', 'devpts', 'glob', 'ramfs', 'artifact'];

/** What was said, by one name for each key. */
export class Fields {
  constructor(
    readonly type: MountType,
    private readonly said: ReadonlyMap<string, readonly string[]>,
  ) {}

  has(key: string): boolean {
    return this.said.has(key);
  }

  value(key: string): string | undefined {
    return this.said.get(key)?.[0];
  }

  values(key: string): readonly string[] {
    return this.said.get(key) ?? [];
  }

  flag(key: string): boolean | undefined {
    const value = this.value(key);
    return value === undefined ? undefined : value === 'true';
  }
}

export function readFields(text: string): Fields {
  const said = new Map<string, string[]>();
  const written = new Map<string, string>();
  for (const field of splitFields(text)) {
    const equals = field.indexOf('=');
    const word = equals < 0 ? field : field.slice(0, equals);
    const key = keyOf(text, word);
    const name = key.name ?? word.toLowerCase();
    const value = readValue(text, name, key, equals < 0 ? undefined : field.slice(equals + 1));
    if (said.has(name) && key.kind !== 'list') {
      throw invalid(text, `${written.get(name)} and ${field} are two answers to one question`);
    }
    written.set(name, field);
    said.set(name, [...(said.get(name) ?? []), value]);
  }
  const type = typeOf(text, said.get('type')?.[0] ?? 'volume');
  for (const [name, field] of written) {
    const {types} = keys[field.replace(/=.*/s, '').toLowerCase()] ?? {};
    if (types && !types.includes(type))
      throw invalid(text, `${name} is for type=${types.join(' and ')}, not for ${type}`);
  }
  return new Fields(type, said);
}

function keyOf(text: string, word: string): Key {
  const name = word.toLowerCase();
  const key = Object.hasOwn(keys, name) ? keys[name] : undefined;
  if (key !== undefined) return key;
  if (laterKeys.test(name)) throw notYet(`keelbox run --mount ${word}=`);
  throw invalid(text, `"${word}" is no key; there are ${Object.keys(keys).join(', ')}`);
}

function typeOf(text: string, type: string): MountType {
  if (type === 'bind' || type === 'volume' || type === 'tmpfs' || type === 'image') return type;
  if (laterTypes.includes(type)) throw notYet(`keelbox run --mount type=${type}`);
  throw invalid(text, `"${type}" is no mount type; there are bind, volume, tmpfs and image`);
}

function readValue(text: string, name: string, key: Key, value: string | undefined): string {
  if (key.kind === 'flag' || key.kind === 'not') {
    const isSet = value === undefined || /^(1|t|true|recursive)$/i.test(value);
    if (!isSet && !/^(0|f|false)$/i.test(value ?? '')) throw invalid(text, `"${value}" is neither true nor false`);
    return String(key.kind === 'not' ? !isSet : isSet);
  }
  if (value !== undefined) return value;
  if (key.kind === 'any') return '';
  throw invalid(text, `"${name}" needs a value: ${name}=...`);
}

/** One CSV record, as docker reads it: a field in double quotes may hold commas, `""` in it is a quote. */
function splitFields(text: string): string[] {
  const fields = text.match(/("([^"]|"")*"|[^,]*)(,|$)/g) ?? [];
  return fields
    .map(field => field.replace(/,$/, ''))
    .filter(field => field !== '')
    .map(field => (field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field));
}

function invalid(text: string, why: string): Error {
  return invalidArgument(`invalid --mount "${text}"`, {why});
}
