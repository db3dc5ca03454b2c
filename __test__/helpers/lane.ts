/**
 * Where a spec runs, and as whom. A spec declares its lanes once, with literals (the runner reads them from the source):
 *
 *     const test = lane({host: true, guest: true, rootless: true});
 *     test.asEach('says hello', async (t, who) => {
 *       t.is((await keelbox(['run', '--rm', 'host', '--', 'echo', 'hello'], who)).stdout, 'hello\n');
 *     });
 *
 * Outside its lanes a spec does not exist. A missing tool is a skip that names the tool.
 */
import {existsSync} from 'node:fs';
import path from 'node:path';
import ava, {type ExecutionContext} from 'ava';

export interface Lanes {
  /** This machine's kernel. */
  host?: boolean;
  /** The QEMU guest: pure cgroup v2. */
  guest?: boolean;
  /** The guest with systemd as pid 1. */
  systemd?: boolean;
  /** The guest with AppArmor. */
  apparmor?: boolean;
  /** Not a place: `asEach` and `asUser` also run as an ordinary user. */
  rootless?: boolean;
}

/** Spread into the options of `keelbox`. */
export interface Who {
  asUser: boolean;
}

export type Body = (t: ExecutionContext, who: Who) => void | Promise<void>;

/** Something outside the project that a test cannot do without: a program's name, or a question of its own. */
export type Need = string | {name: string; isThere: () => boolean};

interface Register {
  (title: string, body: Body): void;
  /** Not beside the other tests of its file. */
  serial: (title: string, body: Body) => void;
  /** As root; a skip for whoever runs the suite as somebody else. */
  asRoot: (title: string, body: Body) => void;
  /** As an ordinary user: the one made for the tests when root runs them. */
  asUser: (title: string, body: Body) => void;
  /** Twice, as root and as an ordinary user; only the latter when that is who runs the suite. */
  asEach: (title: string, body: Body) => void;
}

export interface LaneTest extends Register {
  /** The same, skipped with the reason where one of these is missing. */
  needing: (...needs: Need[]) => Register;
}

const exit = process.exit;

// ava 7's TAP reporter dies of a spec that exits, and takes the results of all others along. This way it is that spec's
// failure. ava's own exit, after an exception that nobody caught, stays.
process.exit = code => {
  const caller = new Error().stack?.split('\n')[2] ?? '';
  if (caller.includes('/node_modules/ava/')) return exit(code);
  throw new Error(`a spec must not call process.exit(${code ?? ''})`);
};

export const IS_ROOT = process.getuid?.() === 0;
const HERE = (process.env.KEELBOX_LANE ?? 'host') as keyof Lanes;
const SCALE = Number(process.env.KEELBOX_TEST_SCALE ?? 1);

/**
 * How many tests of a file run at once. Where every instruction is emulated, more would only make each other wait, past
 * limits that are long enough for one.
 */
const AT_ONCE = SCALE > 1 ? 3 : Number.POSITIVE_INFINITY;

let running = 0;
const waiting: (() => void)[] = [];

async function inTurn(body: () => void | Promise<void>): Promise<void> {
  if (running >= AT_ONCE) await new Promise<void>(go => waiting.push(go));
  else running += 1;
  try {
    await body();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }
}

/** A loop count, divided where the machine is slow. */
export function scaled(count: number): number {
  return Math.max(1, Math.ceil(count / SCALE));
}

/** A time limit in milliseconds, longer where the machine is slow. */
export function patience(milliseconds: number): number {
  return milliseconds * Math.min(SCALE, 10);
}

const FOLDERS = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];

export function hasTool(name: string): boolean {
  return FOLDERS.some(folder => existsSync(path.join(folder, name)));
}

function missing(needs: Need[]): string[] {
  return needs
    .filter(need => (typeof need === 'string' ? !hasTool(need) : !need.isThere()))
    .map(need => (typeof need === 'string' ? need : need.name));
}

type Ava = (title: string, body: (t: ExecutionContext) => void | Promise<void>) => void;

/** Registers with ava, or as a skip whose title says why. */
function registrar(register: Ava, lacks: string[]): (title: string, body: Body, who: Who) => void {
  return (title, body, who) => {
    if (lacks.length > 0) ava.skip(`${title} [no ${lacks.join(', no ')}]`, () => {});
    else register(title, t => inTurn(() => body(t, who)));
  };
}

function register(lanes: Lanes, needs: Need[]): Register {
  const lacks = missing(needs);
  const plain = registrar(ava, lacks);
  const rootOnly = registrar(ava, IS_ROOT ? lacks : [...lacks, 'root']);
  const asSelf: Who = {asUser: false};
  const asUser = (title: string, body: Body) => {
    if (lanes.rootless) plain(`${title} (as an ordinary user)`, body, {asUser: IS_ROOT});
  };
  const asRoot = (title: string, body: Body) => rootOnly(`${title} (as root)`, body, asSelf);
  return Object.assign((title: string, body: Body) => plain(title, body, asSelf), {
    serial: (title: string, body: Body) => registrar(ava.serial, lacks)(title, body, asSelf),
    asRoot,
    asUser,
    asEach: (title: string, body: Body) => {
      if (IS_ROOT) asRoot(title, body);
      asUser(title, body);
    },
  });
}

function outside(): LaneTest {
  const nothing = () => {};
  const none: Register = Object.assign(nothing, {serial: nothing, asRoot: nothing, asUser: nothing, asEach: nothing});
  return Object.assign(none, {needing: () => none});
}

/** Declares where the tests made with what it answers run. A spec may declare several. */
export function lane(lanes: Lanes): LaneTest {
  if (!lanes[HERE]) return outside();
  return Object.assign(register(lanes, []), {needing: (...needs: Need[]) => register(lanes, needs)});
}
