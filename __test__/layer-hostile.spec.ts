/**
 * Layers made to do harm: each is refused, or does what it says inside its own directory. Never is anything outside touched.
 * Names in parentheses are what others fell for.
 */
import {gzipSync} from 'node:zlib';
import type {ExecutionContext} from 'ava';
import {lane} from './helpers/lane';
import {END, header, type Member, member, sealed, tar} from './helpers/tar';
import {type Box, type Outcome, type Unpacking, unpack} from './helpers/unpack';

const test = lane({host: true, guest: true, rootless: true});

async function refused(t: ExecutionContext, archive: Buffer, why: RegExp, options: Unpacking = {}): Promise<Outcome> {
  const outcome = await unpack(archive, options);
  t.regex(outcome.refused?.why ?? `not refused: ${outcome.box.names()}`, why);
  t.deepEqual(outcome.box.harm(), []);
  return outcome;
}

async function contained(t: ExecutionContext, archive: Buffer, options: Unpacking = {}): Promise<Box> {
  const outcome = await unpack(archive, options);
  t.is(outcome.refused, undefined);
  t.deepEqual(outcome.box.harm(), []);
  return outcome.box;
}

const file = (path: string, data = 'data', more: Partial<Member> = {}): Member => ({path, data, ...more});
const link = (path: string, to: string): Member => ({path, type: '2', link: to});
const hardLink = (path: string, to: string): Member => ({path, type: '1', link: to});

for (const path of ['../outside/canary', '/../outside/canary', 'a/../../outside/canary', 'a/..', '..']) {
  test.asRoot(`a name with .. in it is refused: ${path}`, async t => {
    await refused(t, tar(file(path)), /\.\./);
  });
}

test.asRoot('an absolute name starts at the layer’s root', async t => {
  const box = await contained(t, tar(file('/etc/passwd', 'x')));
  t.is(box.read('etc/passwd'), 'x');
});

for (const to of ['../outside', '../../../../../../../../../tmp', '/', '/outside']) {
  test.asRoot(`a file behind a symbolic link to ${to} stays inside (RUSTSEC-2018-0002)`, async t => {
    const box = await contained(t, tar(link('a', to), file('a/planted')));
    t.is(box.names().filter(name => name.endsWith('planted')).length, 1);
  });
}

test.asRoot('a chain of symbolic links stays inside (CVE-2026-29786)', async t => {
  const members = [link('a', '..'), link('b', 'a/..'), link('c', 'b/../outside'), file('c/canary', 'dead')];
  const box = await contained(t, tar(...members));
  t.is(box.read('outside/canary'), 'dead');
});

test.asRoot('a loop of symbolic links is refused', async t => {
  await refused(t, tar(link('a', 'b'), link('b', 'a'), file('a/x')), /too many links/);
});

test.asRoot(
  'a file replaces the symbolic link of its name, and is not written through it (RUSTSEC-2021-0080)',
  async t => {
    const box = await contained(t, tar(link('a', '../outside/canary'), file('a', 'new')));
    t.true(box.stat('a').isFile());
  },
);

test.asRoot(
  'a directory replaces the symbolic link of its name; no mode is set through it (CVE-2026-33056)',
  async t => {
    const box = await contained(
      t,
      tar(link('a', '../outside'), {path: 'a/', mode: 0o777}, {path: 'a', type: '5', mode: 0o700}),
    );
    t.true(box.stat('a').isDirectory());
  },
);

for (const to of ['../outside/canary', '/etc/passwd', 'a/../../outside/canary', 'no/such', '/', '.', 'dir']) {
  test.asRoot(`a hard link to ${to} is refused (CVE-2026-17106)`, async t => {
    await refused(t, tar({path: 'dir/'}, hardLink('x', to)), /\.\.|does not come before it|is a directory/);
  });
}

test.asRoot('a hard link through a symbolic link stays inside (CVE-2026-23745)', async t => {
  await refused(t, tar(link('up', '../outside'), hardLink('x', 'up/canary')), /does not come before it/);
});

test.asRoot('a hard link to a symbolic link is one to the link itself', async t => {
  const box = await contained(t, tar(link('a', '../outside/canary'), hardLink('b', 'a'), file('b', 'new')));
  t.true(box.stat('a').isSymbolicLink());
  t.is(box.read('b'), 'new');
});

test.asRoot('a file does not write into the hard link of its name', async t => {
  const box = await contained(t, tar(file('a', 'first'), hardLink('b', 'a'), file('b', 'second')));
  t.is(box.read('a'), 'first');
  t.is(box.read('b'), 'second');
});

test.asRoot('a hard link to itself leaves the file as it is', async t => {
  const box = await contained(t, tar(file('a', 'first'), hardLink('a', './a')));
  t.is(box.read('a'), 'first');
});

for (const root of ['.', './', '/']) {
  test.asRoot(`the root as a symbolic link is refused: ${root} (CVE-2021-29136)`, async t => {
    await refused(t, tar({path: root, type: '2', link: '/tmp'}), /root/);
  });
  test.asRoot(`the root as a file is refused: ${root}`, async t => {
    await refused(t, tar({path: root, type: '6'}), /root/);
  });
}

for (const name of ['.wh.', '.wh..', '.wh...', 'a/.wh...', '.wh./']) {
  test.asRoot(`a whiteout of no name is refused: ${name} (umoci 0.6.0)`, async t => {
    await refused(t, tar(file(name, '')), /whiteout/);
  });
}

test.asRoot('a whiteout or an opaque mark behind a symbolic link is refused', async t => {
  for (const name of ['a/.wh.canary', 'a/.wh..wh..opq']) {
    await refused(t, tar(link('a', '../outside'), file(name, '')), /behind a symbolic link/);
  }
});

test.asRoot('files below a whiteout are refused', async t => {
  await refused(t, tar(file('.wh.a/b')), /below a whiteout/);
});

test.asRoot('a hard link to a whiteout is refused', async t => {
  await refused(t, tar(file('.wh.a', ''), hardLink('b', 'a')), /has removed/);
});

test.asRoot('attributes that overlayfs and this machine keep for themselves are left out', async t => {
  const pax = {
    'SCHILY.xattr.trusted.overlay.redirect': '/../outside',
    'SCHILY.xattr.user.overlay.metacopy': '',
    'SCHILY.xattr.security.selinux': 'x',
  };
  const {done, box} = await unpack(tar(file('a', 'data', {pax})));
  t.is(done?.notes.length, 1);
  t.regex(done?.notes[0] ?? '', /redirect and 2 more/);
  t.deepEqual(box.harm(), []);
});

test.asUser('devices are left out with a note', async t => {
  const {done, box} = await unpack(
    tar({path: 'null', type: '3', device: [1, 3]}, {path: 'sda', type: '4', device: [8, 0]}),
    {
      as: 'user',
    },
  );
  t.regex(done?.notes.join() ?? '', /only the machine's root may make devices: null and 1 more/);
  t.deepEqual(box.names(), []);
});

test.asRoot('a gzip bomb of 1 GiB is stopped by its ratio (CVE-2017-14992)', async t => {
  // A gzip file may be many members, one after the other: here a header, and 1024 times the same MiB of zeroes.
  const zeroes = gzipSync(Buffer.alloc(1 << 20), {level: 9});
  const parts = [gzipSync(header({path: 'bomb'}, 2 ** 30, '0')), ...Array.from({length: 1024}, () => zeroes)];
  const {refused: found} = await refused(t, Buffer.concat(parts), /times as large/);
  t.is(found?.limit, 'ratio');
});

test.asRoot('a sparse file of 1 TiB is refused before anything is made', async t => {
  const pax = {'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': String(2 ** 40)};
  const map = Buffer.alloc(512);
  map.write(`1\n${2 ** 40 - 1}\n1\n`);
  const {refused: found, box} = await refused(
    t,
    tar(file('hole', Buffer.concat([map, Buffer.from('x')]).toString('latin1'), {pax})),
    /bytes/,
  );
  t.is(found?.limit, 'bytes');
  t.deepEqual(box.names(), []);
});

test.asRoot('a sparse map that contradicts its file is refused', async t => {
  for (const map of ['1\n0\n9\n', '2\n5\n1\n0\n1\n', '1\n99\n1\n', '1\n0\n', '99999\n', 'x\n']) {
    const pax = {'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '10'};
    const data = Buffer.alloc(513);
    data.write(map);
    await refused(t, tar(file('hole', data.toString('latin1'), {pax})), /sparse map/);
  }
});

test.asRoot('too many entries, directories too deep and names too long are refused', async t => {
  const many = Array.from({length: 11}, (_, index) => file(`f${index}`));
  t.is((await refused(t, tar(...many), /entries/, {limits: {entries: 10}})).refused?.limit, 'entries');
  const deep = 'd/'.repeat(300);
  t.is((await refused(t, tar(file('x', '', {pax: {path: `${deep}x`}})), /directories/)).refused?.limit, 'depth');
  const long = `${'n'.repeat(200)}/`.repeat(25);
  t.is((await refused(t, tar(file('x', '', {pax: {path: long}})), /4096 bytes/)).refused?.limit, 'name');
});

test.asRoot('links do not make a tree deeper than the limit', async t => {
  const named = (path: string, more: Partial<Member>): Member => ({path: 'x', pax: {path}, ...more});
  const target = 'd/'.repeat(200);
  const members = [named(target, {type: '5'}), {path: 'l', type: '2', link: 'x', pax: {linkpath: target}}];
  await refused(t, tar(...members, named(`l/${'e/'.repeat(100)}`, {type: '5'})), /directories/);
});

test.asRoot('sizes in a pax header and in the header that disagree hide no entry (CVE-2025-62518)', async t => {
  const hidden = Buffer.concat([member(file('hidden')), Buffer.alloc(512)]);
  const archive = tar(
    file('outer', hidden.toString('latin1'), {size: 0, pax: {size: String(hidden.length)}}),
    file('after'),
  );
  const box = await contained(t, archive);
  t.deepEqual(box.names(), ['after', 'outer']);
});

test.asRoot('data behind what can have none are refused (CVE-2025-62518)', async t => {
  const hidden = member(file('hidden')).toString('latin1');
  for (const type of ['1', '2', '3', '4', '5', '6']) {
    await refused(t, tar({path: 'x', type, link: 'y', data: hidden}), /has data/);
  }
});

test.asRoot('malformed extended headers are refused', async t => {
  const raws = [
    '9 path=x',
    '99 path=x\n',
    '0 path=x\n',
    '11 path=x\n',
    'path=x\n',
    '9 path=x\n\0',
    '9 pathxx\n',
    '-9 path=x\n',
  ];
  for (const rawPax of raws) await refused(t, tar(file('a', '', {rawPax})), /record is malformed/);
  await refused(t, tar(file('a', '', {pax: {size: '-1'}})), /size/);
  await refused(t, tar(file('a', '', {pax: {uid: '4294967295'}})), /uid/);
  await refused(t, tar(file('a', '', {pax: {path: 'a\0b'}})), /NUL/);
});

test.asRoot('a global header that names a file is refused; a comment is not', async t => {
  const global = (text: string) =>
    Buffer.concat([header({path: 'g'}, text.length, 'g'), Buffer.from(text.padEnd(512, '\0'))]);
  await refused(t, Buffer.concat([global('9 path=x\n'), tar(file('a'))]), /global header/);
  const box = await contained(t, Buffer.concat([global('13 comment=x\n'), tar(file('a'))]));
  t.deepEqual(box.names(), ['a']);
});

test.asRoot('a wrong checksum, a stray block of zeroes and a cut are refused', async t => {
  const bad = tar(file('a'));
  bad[0] = 98;
  await refused(t, bad, /checksum/);
  await refused(t, Buffer.concat([member(file('a')), Buffer.alloc(512), tar(file('b'))]), /zeroes between/);
  await refused(t, tar(file('a')).subarray(0, 700), /cut short/);
  await refused(t, member(file('a')), /cut short/, {needsEnd: true});
  await refused(t, gzipSync(tar(file('a'))).subarray(0, 60), /cut short|unexpected end|corrupt/);
  await refused(t, Buffer.concat([gzipSync(tar(file('a'))), Buffer.from('garbage that is no member')]), /gzip/);
});

test.asRoot('two extended headers, two names and unknown types are refused', async t => {
  const x = member(file('a', '', {pax: {path: 'b'}}));
  await refused(t, Buffer.concat([x.subarray(0, 1024), x, END]), /two extended headers/);
  const long = Buffer.concat([header({path: '././@LongLink'}, 2, 'L'), Buffer.from('z\0'.padEnd(512, '\0'))]);
  await refused(t, Buffer.concat([long, x, END]), /two names/);
  await refused(t, tar({path: 'a', type: 'M'}), /type/);
  await refused(t, Buffer.concat([x.subarray(0, 1024), END]), /behind an extended header/);
});

test.asRoot('the last entry of a name wins, whatever was there', async t => {
  const shapes: [string, Member[]][] = [
    ['a directory', [{path: 'x/'}, file('x/inner')]],
    ['a link', [link('x', '../outside')]],
    ['a link to a file', [link('x', '../outside/canary')]],
    ['a pipe', [{path: 'x', type: '6'}]],
    ['a hard link', [file('y'), hardLink('x', 'y')]],
    ['a file', [file('x', 'old', {mode: 0o4755})]],
  ];
  for (const [name, before] of shapes) {
    const box = await contained(t, tar(...before, file('x', 'new', {mode: 0o600})));
    t.is(box.read('x'), 'new', name);
    t.is(box.stat('x').mode & 0o7777, 0o600, name);
    const second = await contained(t, tar(...before, {path: 'x/', mode: 0o711}));
    t.true(second.stat('x').isDirectory(), name);
    const third = await contained(t, tar(...before, link('x', 'gone')));
    t.true(third.stat('x').isSymbolicLink(), name);
  }
});

test.asRoot('a file on the way to another one is refused', async t => {
  await refused(t, tar(file('a'), file('a/b')), /no directory/);
  await refused(t, tar({path: 'a', type: '6'}, file('a/b')), /no directory/);
});

test.asUser('hostile links stay inside for an ordinary user too', async t => {
  for (const as of ['user', 'single'] as const) {
    const members = [link('a', '../outside'), file('a/planted'), file('a/canary', 'dead')];
    const box = await contained(t, tar(...members), {as});
    t.is(box.read('outside/canary'), 'dead');
    await refused(t, tar(hardLink('x', '/etc/passwd')), /does not come before it/, {as});
  }
});

test.asUser('an owner beyond the ids of an ordinary user is refused, by name', async t => {
  const {refused: found} = await refused(t, tar(file('a', '', {uid: 1_000_000})), /1000000:0/, {as: 'user'});
  t.is(found?.limit, 'ids');
});

test.asRoot('no byte of a header that changes makes anything appear outside', async t => {
  const honest = tar({path: 'dir/'}, file('dir/file'), link('link', 'dir'), hardLink('hard', 'dir/file'), file('end'));
  let seed = 20_261_122;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (let round = 0; round < 100; round++) {
    const archive = Buffer.from(honest);
    const block = random(archive.length / 512) * 512;
    const patterns = ['../', '/', '..', '\0', '7777777', '1', '2', '5', 'x', 'S', '././', '\x80', '\xff'];
    const at = block + ([0, 100, 108, 124, 124, 136, 156, 156, 157, 257, 345][random(11)] ?? 0);
    archive.write(patterns[random(patterns.length)] ?? '', at, 'latin1');
    sealed(archive.subarray(block, block + 512));
    const {box} = await unpack(archive, {limits: {bytes: 2 ** 24}});
    t.deepEqual(box.harm(), []);
  }
});
