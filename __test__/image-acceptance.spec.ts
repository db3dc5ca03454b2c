/**
 * What images have to stand: a whole Debian tree in every form that other tools write, and a store in which commands are
 * killed at any moment, or that is full.
 */
import {execFileSync, spawn} from 'node:child_process';
import {chmodSync, copyFileSync, linkSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {differences, LIST_TREE, layersOf, ownFolder, simpleImage, tool} from './helpers/archives';
import {type CallOptions, command, keelbox, specFolder} from './helpers/cli';
import {ownState} from './helpers/inside';
import {lane, patience, scaled, type Who} from './helpers/lane';
import {busybox, debian, debianCopy} from './helpers/roots';
import {prepared} from './helpers/within';

const test = lane({host: true, rootless: true}).needing(busybox);
const onDisk = lane({host: true}).needing(busybox, 'unshare', 'mke2fs');
const withTools = lane({host: true, rootless: true}).needing(debian, 'skopeo', 'umoci', 'podman');

/** What must succeed, for its stdout. */
async function good(t: ExecutionContext, args: string[], options: CallOptions): Promise<string> {
  const {exitCode, stdout, stderr} = await keelbox(args, {timeout: patience(120_000), ...options});
  t.is(exitCode, 0, `${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

// Places of a running container that are the engine's, not the image's.
const MOUNTED = ['proc', 'sys', 'dev', 'etc/hosts', 'etc/hostname', 'etc/resolv.conf', 'run', '.dockerenv'];

interface Debian {
  tree: string;
  /** Format to file or folder. */
  archives: Record<string, string>;
}

let made: Promise<Debian> | undefined;

/** Debian with what it has none of: attributes, owners, links, a device outside /dev. */
async function oddTree(): Promise<string> {
  const tree = await debianCopy();
  const at = (name: string) => path.join(tree, 'odd', name);
  mkdirSync(at(''));
  for (const name of ['first', 'owned', 'suid', 'able']) writeFileSync(at(name), name);
  for (const name of ['second', 'third']) linkSync(at('first'), at(name));
  execFileSync('chown', ['1000:50', at('owned'), at('suid')]);
  chmodSync(at('suid'), 0o6755);
  execFileSync('mkfifo', [at('pipe')]);
  execFileSync('mknod', [at('disk'), 'b', '7', '200']);
  execFileSync('python3', ['-c', 'import os, sys; os.setxattr(sys.argv[1], "user.note", b"kept")', at('owned')]);
  execFileSync('setcap', ['cap_net_raw+ep', at('able')]);
  return tree;
}

async function make(): Promise<Debian> {
  const folder = ownFolder('debian');
  const at = (name: string) => path.join(folder, name);
  const tree = await oddTree();
  const flags = ['--numeric-owner', '--xattrs', '--xattrs-include=*', '--sort=name', '--format=pax'];
  await tool('tar', [...flags, '-C', tree, '-cf', at('tree.tar'), '.']);
  await tool('umoci', ['init', '--layout', at('oci')]);
  await tool('umoci', ['new', '--image', `${at('oci')}:deb`]);
  await tool('umoci', ['raw', 'add-layer', '--image', `${at('oci')}:deb`, at('tree.tar')]);
  await tool('skopeo', ['copy', '-q', `oci:${at('oci')}:deb`, `oci-archive:${at('oci.tar')}:localhost/deb:1`]);
  const store = path.join(specFolder(), 'pd');
  const podman = ['--root', `${store}/root`, '--runroot', `${store}/run`, '--storage-driver', 'vfs'];
  await tool('podman', [...podman, 'load', '-q', '-i', at('oci.tar')]);
  await tool('podman', [...podman, 'save', '-q', '-o', at('podman.tar'), 'localhost/deb:1']);
  await tool('chmod', ['-R', 'a+rX', folder]);
  return {
    tree,
    archives: {
      'an imported tar': at('tree.tar'),
      "podman's docker-archive": at('podman.tar'),
      "skopeo's OCI archive": at('oci.tar'),
      "umoci's layout": at('oci'),
    },
  };
}

function fixture(): Promise<Debian> {
  made ??= make();
  return made;
}

/** The root directory itself and /etc have times of the container's; who may not make devices has none. */
function comparable(listing: string, {asUser}: Who): string {
  const isSame = (line: string) => !/^b'(etc)?' /.test(line) && !(asUser && /^b'\S+ 0o[26]0/.test(line));
  return listing.split('\n').filter(isSame).join('\n');
}

withTools.asEach(
  'Debian is the same tree whatever tool packed it, running, saved, loaded and exported',
  async (t, who) => {
    const {tree, archives} = await fixture();
    const source = comparable(await tool('python3', ['-c', LIST_TREE, tree, ...MOUNTED]), who);
    t.regex(source, /odd\/able.*security\.capability/);
    const look = ['python3', '-c', LIST_TREE, '/', ...MOUNTED];
    const isTree = async (image: string, env: Record<string, string>, how: string) => {
      const found = await good(t, ['run', '--rm', image, ...look], {...who, env});
      t.deepEqual(differences(comparable(found, who), source), [], how);
    };
    // As the other one root has seen the rest.
    const kinds = Object.entries(archives).slice(0, who.asUser ? 2 : 4);
    const stores = await Promise.all(
      kinds.map(async ([kind, file], index) => {
        const state = ownState(who);
        const isTar = index === 0;
        const words = isTar ? ['import', file, 'localhost/deb:1'] : ['load', '-i', file];
        const said = await good(t, words, {...who, env: state.env});
        const name = isTar ? 'deb:1' : (/^Loaded image: (\S+)\n$/.exec(said)?.[1] ?? '');
        await isTree(name, state.env, kind);
        return {...state, name};
      }),
    );
    const [one, two] = stores;
    if (!one || !two) throw new Error('no stores');
    const elsewhere = ownState(who);
    const saved = path.join(one.home, 'saved.tar');
    await good(t, ['save', '-o', saved, one.name], {...who, env: one.env});
    await good(t, ['load', '-q', '-i', saved], {...who, env: elsewhere.env});
    t.deepEqual(differences(await layersOf(elsewhere.root), await layersOf(one.root)), [], 'saved and loaded');
    const exported = path.join(two.home, 'exported.tar');
    await good(t, ['run', '--name', 'made', two.name, 'true'], {...who, env: two.env});
    await good(t, ['export', '-o', exported, 'made'], {...who, env: two.env});
    await good(t, ['rm', 'made'], {...who, env: two.env});
    await good(t, ['import', exported, 'again:1'], {...who, env: elsewhere.env});
    await isTree('again:1', elsewhere.env, 'exported and imported');
    for (const {env} of [...stores, elsewhere]) await good(t, ['system', 'check', '--quick'], {...who, env});
  },
);

interface Victim {
  args: string[];
  before?: string[][];
  after?: string[][];
  /** What the next try may end with besides 0: what was to be removed is gone already. */
  orElse?: number;
  /** The layers are then as in a store in which nothing was ever killed. */
  unpacks?: boolean;
}

const ROUNDS = Number(process.env.KEELBOX_TEST_SOAK ?? scaled(3));

function victims(image: string, tar: string): Record<string, Victim> {
  const load = ['load', '-q', '-i', image];
  const create = ['volume', 'create', 'data'];
  const removed = [['volume', 'rm', '-f', 'data']];
  return {
    load: {args: load, after: [['rmi', '-f', 'small:1']], unpacks: true},
    import: {args: ['import', tar, 'flat:1'], after: [['rmi', '-f', 'flat:1']], unpacks: true},
    'import of programs': {args: ['import', '--from-binary', '/bin/ls', 'ls:1'], after: [['rmi', '-f', 'ls:1']]},
    rmi: {args: ['rmi', '-f', 'small:1'], before: [load], orElse: 1},
    tag: {args: ['tag', 'small:1', 'other:1'], before: [load], after: [['rmi', 'other:1']]},
    'volume create': {args: create, after: removed},
    'volume import': {args: ['volume', 'import', 'data', tar], before: [create], after: removed},
    'volume rm': {args: ['volume', 'rm', 'data'], before: [create], orElse: 1},
  };
}

/** Runs a command and kills it after a while, unless it is over by then. */
async function killed(args: string[], options: CallOptions, milliseconds: number): Promise<void> {
  const {file, args: all, options: spawning} = command(args, options);
  const child = spawn(file, all, {...spawning, stdio: 'ignore'});
  const ended = new Promise(resolve => child.on('exit', resolve).on('error', resolve));
  await Promise.race([sleep(milliseconds), ended]);
  child.kill('SIGKILL');
  await ended;
}

/** What is wrong with a store, but for what the next command clears away. */
async function problems(options: CallOptions): Promise<string[]> {
  const {stdout} = await keelbox(['system', 'check', '--json'], options);
  const found = JSON.parse(stdout) as {what: string; path: string}[];
  return found
    .map(({what, path: place}) => `${what}: ${place}`)
    .filter(line => !/^(left over|nothing needs it)/.test(line));
}

/** A layer's root directory that its archive does not name is as old as the layer. */
async function dated(root: string): Promise<string> {
  const lines = (await layersOf(root)).split('\n');
  return lines.filter(line => !line.startsWith("b'' ")).join('\n');
}

async function undisturbed(t: ExecutionContext, args: string[], who: Who): Promise<string> {
  const {root, env} = ownState(who);
  await good(t, args, {...who, env});
  return dated(root);
}

test.asEach('whatever is killed, at any moment: the store is sound, and the next try works', async (t, who) => {
  t.timeout(patience(60 * 60_000));
  const state = ownState(who);
  const options = {...who, env: state.env};
  const image = await simpleImage('small:1');
  const tar = path.join(ownFolder('flat'), 'flat.tar');
  await tool('tar', ['-cf', tar, '-C', path.dirname(image), path.basename(image)]);
  for (const [name, {args, before = [], after = [], orElse = 0, unpacks}] of Object.entries(victims(image, tar))) {
    let whole = 150;
    const layers = unpacks ? await undisturbed(t, args, who) : '';
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const words of before) await keelbox(words, options);
      await killed(args, options, Math.random() * whole);
      t.deepEqual(await problems(options), [], `${name}, round ${round}`);
      const since = Date.now();
      const {exitCode, stderr} = await keelbox(args, options);
      t.true(exitCode === 0 || exitCode === orElse, `${name}, round ${round}: ${exitCode} ${stderr}`);
      whole = Math.max(whole, Date.now() - since);
      if (unpacks) t.deepEqual(differences(await dated(state.root), layers), [], `${name}, round ${round}`);
      for (const words of after) await keelbox(words, options);
    }
  }
  await good(t, ['load', '-q', '-i', image], options);
  await good(t, ['rmi', '-f', 'small:1'], options);
  t.deepEqual(JSON.parse(await good(t, ['system', 'check', '--json'], options)), []);
  t.deepEqual(readdirSync(path.join(state.root, 'tmp')), []);
});

const LEVELS = Math.max(3, Math.min(16, process.env.KEELBOX_TEST_SOAK ? 16 : scaled(5)));

/** Small file systems at "$D/m"; `fill` leaves a part of the room, or of the inodes. */
const DISKS: Record<string, {mount: string; fill: string}> = {
  tmpfs: {
    mount: 'mount -t tmpfs -o size=12m,mode=755 none "$D/m"',
    fill: 'head -c $((12288 - ROOM))k /dev/zero > "$D/m/filler"',
  },
  ext4: {
    mount:
      'truncate -s 12M "$D/image" && mke2fs -q -t ext4 -m 0 -O ^has_journal "$D/image" && mount -o loop "$D/image" "$D/m"',
    fill: 'A=$(df -k --output=avail "$D/m" | tail -1); head -c $((A > ROOM ? A - ROOM : 0))k /dev/zero > "$D/m/filler"',
  },
  'tmpfs without inodes': {
    mount: 'mount -t tmpfs -o size=60m,nr_inodes=600,mode=755 none "$D/m"',
    fill: 'i=0; while [ $i -lt $((600 - ROOM / 25)) ]; do true > "$D/m/filler$i" || break; i=$((i + 1)); done 2>/dev/null',
  },
};

/** Each command's outcome as a line of JSON; a full disk is full for the shell as well, so all of it is kept elsewhere. */
const FILLED = `
  try() { out=$("$@" 2>&1); code=$?; printf '%s\\0%s\\0%s\\0' "$NAME" "$code" "$out"; }
  "$@" volume create data >/dev/null; "$@" volume ls >/dev/null; "$@" system check >/dev/null
  for ROOM in $ROOMS; do
    FILL
    before=$(df -k --output=used "$D/m" | tail -1)
    NAME=load try "$@" load -q -i "$IMAGE"
    NAME=import try "$@" import "$TAR" flat:1
    NAME=volume try "$@" volume import data "$TAR"
    NAME=save try "$@" save -o "$D/m/saved" small:1
    NAME=run try "$@" run --rm small:1 sh -c 'dd if=/dev/zero of=/big bs=64k count=300 2>&1'
    rm -f "$D"/m/saved
    for name in small:1 flat:1; do "$@" rmi -f $name; done >/dev/null 2>&1
    "$@" volume rm -f data >/dev/null; sync
    after=$(df -k --output=used "$D/m" | tail -1)
    printf 'left\\0%s\\0\\0' $((after - before))
    NAME=check try "$@" system check
    rm -f "$D"/m/filler*
    "$@" volume create data >/dev/null
  done
  NAME=healed try "$@" load -q -i "$IMAGE"
  NAME=healed try "$@" run --rm small:1 cat /hello
  NAME=healed try "$@" system check`;

for (const [kind, {mount, fill}] of Object.entries(DISKS)) {
  onDisk.asRoot(`a full ${kind}: said where and how much, nothing left, and well again`, async t => {
    const folder = mkdtempSync(path.join(specFolder(), 'full-'));
    mkdirSync(path.join(folder, 'm'));
    const [image, tar] = [path.join(folder, 'image.tar'), path.join(folder, 'tree.tar')];
    copyFileSync(await simpleImage('small:1'), image);
    await tool('tar', ['-cf', tar, '-C', '/bin', 'busybox']);
    const rooms = Array.from({length: LEVELS}, (_, index) => Math.round((index * 11_000) / (LEVELS - 1)));
    const env = {KEELBOX_ROOT: `${folder}/m/root`, KEELBOX_RUNROOT: `${folder}/run`};
    const script = `D=${folder}; IMAGE=${image}; TAR=${tar}; ROOMS='${rooms.join(' ')}'\n${mount} || exit 99\n${FILLED.replace('FILL', fill)}`;
    t.timeout(patience(LEVELS * 60_000));
    const {stdout, stderr, exitCode} = await prepared(script, [], {env, timeout: patience(LEVELS * 60_000)});
    t.is(exitCode, 0, stderr);
    const words = stdout.split('\0');
    let failures = 0;
    for (let index = 0; index + 2 < words.length; index += 3) {
      const [name = '', code = '', text = ''] = words.slice(index, index + 3);
      if (name === 'left') t.true(Number(code) < 1024, `${code} KiB are left`);
      else if (name === 'healed' || name === 'check') t.is(code, '0', `${name}: ${text}`);
      else if (/No space left/.test(text) && code === '125') {
        failures += 1;
        t.regex(
          text,
          /the file system of \/\S+ has (\d\S* k?M?B|no inode) left of \d|fix: make room on the file system/,
          name,
        );
      } else t.true(code === '0' || /no such image|No space left/.test(text), `${name}: ${code} ${text}`);
    }
    t.true(failures > 3, `${failures} failures`);
    t.true(words.join(' ').includes('healed 0 hello'));
  });
}
