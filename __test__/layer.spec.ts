/** Honest layers: what comes out of one is what GNU tar makes of it, in overlayfs's marks where layers differ from trees. */
import {execFileSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {chownSync, mkdirSync, mkdtempSync} from 'node:fs';
import path from 'node:path';
import {gzipSync} from 'node:zlib';
import {specFolder} from './helpers/cli';
import {lane} from './helpers/lane';
import {END, header, member, tar} from './helpers/tar';
import {type Box, unpack} from './helpers/unpack';

const test = lane({host: true, guest: true, rootless: true});
const withPython = test.needing('python3');

const sha256 = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

const simple = tar(
  {path: 'etc/', mode: 0o711},
  {path: 'etc/motd', data: 'hello\n', mode: 0o640, uid: 3, gid: 4, mtime: 1e9},
);

/** A zstd frame (RFC 8878) of one raw block: no Node before 22.15 can make one. */
function zstd(bytes: Buffer): Buffer {
  const start = Buffer.from('28b52ffda000000000000000', 'hex');
  start.writeUInt32LE(bytes.length, 5);
  start.writeUIntLE((bytes.length << 3) | 1, 9, 3);
  return Buffer.concat([start, bytes]);
}

test.asRoot('digests, sizes and files are the same however a layer is compressed', async t => {
  const members = [gzipSync(simple.subarray(0, 700)), gzipSync(simple.subarray(700))];
  const forms = [simple, gzipSync(simple), Buffer.concat(members)];
  const skipped = Buffer.from('502a4d1803000000616263', 'hex');
  forms.push(zstd(simple), Buffer.concat([skipped, zstd(simple.subarray(0, 700)), zstd(simple.subarray(700))]));
  for (const form of forms) {
    const {done, box} = await unpack(form);
    t.is(done?.digest, sha256(form));
    t.is(done?.diffId, sha256(simple));
    t.is(done?.size, form.length);
    t.is(done?.tarSize, simple.length);
    t.is(done?.entries, 2);
    const {mode, uid, gid, mtimeMs} = box.stat('etc/motd');
    t.deepEqual([mode & 0o7777, uid, gid, mtimeMs], [0o640, 3, 4, 1e12]);
    t.is(box.stat('etc').mtimeMs, 1e12, 'times of directories are set when all is in them');
    t.is(box.stat('.').mode & 0o7777, 0o755);
  }
});

test.asRoot('bytes behind the archive’s end count for its digest', async t => {
  const padded = Buffer.concat([simple, Buffer.alloc(9000)]);
  t.is((await unpack(gzipSync(padded))).done?.diffId, sha256(padded));
});

withPython.asRoot('set-id bits, capabilities, attributes, links and devices come as they are', async t => {
  const pax = {
    'SCHILY.xattr.user.note': 'n',
    'SCHILY.xattr.security.capability': '\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0',
  };
  const {box} = await unpack(
    tar(
      {path: 'su', data: 'x', mode: 0o6755, uid: 1, gid: 2},
      {path: 'ping', data: 'x', uid: 5, pax},
      {path: 'link', type: '2', link: '/absolute', uid: 7},
      {path: 'su2', type: '1', link: './su'},
      {path: 'null', type: '3', device: [1, 3], mode: 0o666},
      {path: 'pipe', type: '6', mode: 0o622},
    ),
  );
  t.is(box.stat('su').mode & 0o7777, 0o6755);
  t.is(box.stat('su').ino, box.stat('su2').ino);
  t.is(box.stat('link').uid, 7);
  t.is(box.stat('null').rdev, 0x103);
  t.is(box.stat('pipe').mode & 0o7777, 0o622);
  const [note, capability] = ['user.note', 'security.capability'].map(name => xattr(box, 'ping', name));
  t.is(note, '6e');
  t.is(capability, '0100000200040000000000000000000000000000');
});

/** Python is the one tool with this that is everywhere. */
function xattr(box: Box, name: string, attribute: string): string {
  const code =
    'import os,sys\ntry: print(os.getxattr(sys.argv[1],sys.argv[2],follow_symlinks=False).hex())\nexcept OSError: print("none")';
  return execFileSync('python3', ['-c', code, path.join(box.root, name), attribute], {encoding: 'utf8'}).trim();
}

withPython.asRoot('whiteouts become overlayfs’s marks, in whatever order they come', async t => {
  const {box} = await unpack(
    tar(
      {path: '.wh.gone'},
      {path: 'opaque/.wh..wh..opq'},
      {path: 'new/'},
      {path: 'new/file', data: 'x'},
      {path: '.wh.new'},
      {path: '.wh.again'},
      {path: 'again/'},
      {path: '.wh.implied'},
      {path: 'implied/file', data: 'x'},
      {path: '.wh.file'},
      {path: 'file', data: 'x'},
      {path: '.wh..wh.plnk/1.2', data: 'x'},
      {path: '.wh..wh.aufs', data: 'x'},
    ),
  );
  t.true(box.stat('gone').isCharacterDevice());
  t.is(box.stat('gone').rdev, 0);
  for (const name of ['opaque', 'new', 'again', 'implied'])
    t.is(xattr(box, name, 'trusted.overlay.opaque'), '79', name);
  t.is(box.read('new/file') + box.read('implied/file') + box.read('file'), 'xxx');
  t.deepEqual(
    box.names().filter(name => name.startsWith('.wh.')),
    [],
  );
});

withPython.asUser('an ordinary user’s marks are in user.overlay', async t => {
  const {done, box} = await unpack(tar({path: '.wh.gone'}, {path: 'o/.wh..wh..opq'}, {path: 'f', uid: 5, gid: 6}), {
    as: 'user',
  });
  t.deepEqual(done?.notes, []);
  t.true(box.stat('gone').isCharacterDevice());
  t.is(xattr(box, 'o', 'user.overlay.opaque'), '79');
  t.true(box.stat('f').uid >= 100_000);
});

test.asUser('with one id only, all belongs to it, and one line says so', async t => {
  const {done, box} = await unpack(
    tar({path: 'a', uid: 5}, {path: 'b', gid: 6}, {path: 'c/', mode: 0o555}, {path: 'c/d'}),
    {as: 'single'},
  );
  t.is(done?.notes.length, 1);
  t.regex(done?.notes[0] ?? '', /owners are not kept.*a and 1 more/);
  t.is(box.stat('a').uid, box.stat('c/d').uid);
});

test.asRoot('in a plain directory .wh. names are names, and what is there already stays', async t => {
  const first = await unpack(tar({path: 'a/'}, {path: 'a/old', data: 'o'}), {format: 'plain'});
  const {box} = await unpack(tar({path: 'a/.wh.old', data: 'n'}, {path: 'a/', mode: 0o700}), {
    format: 'plain',
    into: first.box,
  });
  t.deepEqual(box.names(), ['a', 'a/.wh.old', 'a/old']);
  t.is(box.stat('a').mode & 0o7777, 0o700);
});

test.asRoot('directories that a layer implies look like those below', async t => {
  const lower = mkdtempSync(path.join(specFolder(), 'lower-'));
  mkdirSync(path.join(lower, 'srv/data'), {recursive: true, mode: 0o2770});
  chownSync(path.join(lower, 'srv/data'), 33, 44);
  const {box} = await unpack(tar({path: 'srv/data/deep/file', data: 'x'}), {lower: [lower]});
  const {mode, uid, gid} = box.stat('srv/data');
  t.deepEqual([mode & 0o777, uid, gid], [0o770 & ~process.umask(), 33, 44]);
  t.is(box.stat('srv/data/deep').mode & 0o7777, 0o755);
  t.is(box.stat('.').mode & 0o7777, 0o700);
});

test.asRoot('a link of this layer on the way is followed inside it', async t => {
  const {box} = await unpack(tar({path: 'lib', type: '2', link: 'usr/lib'}, {path: 'lib/x', data: 'x'}));
  t.is(box.read('usr/lib/x'), 'x');
  t.true(box.stat('lib').isSymbolicLink());
});

test.asRoot('long names, large ids and old formats are read', async t => {
  const long = `${'n'.repeat(120)}/${'m'.repeat(120)}`;
  const gnu = (type: string, text: string) =>
    Buffer.concat([header({path: '././@LongLink'}, text.length + 1, type), Buffer.from(text.padEnd(512, '\0'))]);
  const archive = Buffer.concat([
    gnu('L', long),
    member({path: 'cut', data: 'g'}),
    gnu('K', long),
    member({path: 'l', type: '2', link: 'cut'}),
    member({path: 'cut', data: 'p', pax: {path: `${long}2`, uid: '3000000', mtime: '1.5'}}),
    member({path: 'old/', type: '\0'}),
    member({path: 'contiguous', type: '7', data: 'c'}),
    END,
  ]);
  const {box} = await unpack(archive);
  t.is(box.read(long), 'g');
  const {uid, mtimeMs} = box.stat(`${long}2`);
  t.deepEqual([uid, mtimeMs], [3_000_000, 1500]);
  t.true(box.stat('old').isDirectory());
  t.is(box.read('contiguous'), 'c');
  t.is(box.stat('l').size, long.length);
});

/** Archives by Python's tarfile and GNU tar, of one tree, in every format that they have. */
withPython.asRoot('what GNU tar and Python write in their formats comes out the same', async t => {
  const tree = mkdtempSync(path.join(specFolder(), 'tree-'));
  execFileSync('sh', [
    '-c',
    'cd "$1"; mkdir -p a/b; echo x > a/b/x; ln a/b/x hard; ln -s a/b soft; mkfifo pipe; truncate -s 1M sparse; echo end >> sparse; printf y | dd of=sparse bs=1 seek=300000 conv=notrunc 2>/dev/null; chmod 4711 a/b/x; chown -h 12:34 soft; touch -d @5.25 a/b',
    'sh',
    tree,
  ]);
  const python =
    "import sys,tarfile; t=tarfile.open(fileobj=sys.stdout.buffer,mode='w|',format=getattr(tarfile,sys.argv[2])); t.add(sys.argv[1],'.')";
  const list = (folder: string) =>
    execFileSync(
      'sh',
      ['-c', 'cd "$1"; find . -printf "%P %y %m %U %G %s %n %l %Ts\\n" | sort; sha256sum sparse a/b/x', 'sh', folder],
      {
        encoding: 'utf8',
      },
    );
  const formats: string[][] = [
    ...['--format=gnu', '--format=ustar', '--format=pax'].map(format => ['tar', '-cf', '-', '-C', tree, format, '.']),
    ...['0.0', '0.1', '1.0'].map(version => [
      'tar',
      '-cSf',
      '-',
      '-C',
      tree,
      '--format=pax',
      `--sparse-version=${version}`,
      '.',
    ]),
    ['tar', '-cSf', '-', '-C', tree, '--format=gnu', '.'],
    ...['USTAR_FORMAT', 'GNU_FORMAT', 'PAX_FORMAT'].map(format => ['python3', '-c', python, tree, format]),
  ];
  const directories = (text: string) => text.replaceAll(/^(.*) d (\d+) (\d+) (\d+) \d+/gm, '$1 d $2 $3 $4');
  for (const [file = '', ...args] of formats) {
    const {box, refused} = await unpack(execFileSync(file, args, {maxBuffer: 1 << 24}));
    t.is(refused, undefined, args.join(' '));
    t.is(directories(list(box.root)), directories(list(tree)), args.join(' '));
  }
});
