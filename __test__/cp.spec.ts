/** `keelbox cp`: docker's rules for where things go, whose they are, and what a hostile container makes of it. */
import {execFileSync} from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import {keelbox, testUser} from './helpers/cli';
import {folder, own} from './helpers/folders';
import {lane, scaled, type Who} from './helpers/lane';
import {running} from './helpers/running';

const test = lane({host: true, guest: true, rootless: true});

function tree(who: Who): string {
  const top = folder(who);
  const dir = path.join(top, 'dir');
  mkdirSync(path.join(dir, 'sub'), {recursive: true});
  writeFileSync(path.join(top, 'file'), 'file\n');
  writeFileSync(path.join(dir, 'a'), 'a\n', {mode: 0o640});
  writeFileSync(path.join(dir, 'sub/b'), 'b\n');
  symlinkSync('a', path.join(dir, 'link'));
  if (who.asUser) own(top);
  return top;
}

test.asEach('into a container: files and directories go where docker puts them', async (t, who) => {
  const {name, exec} = await running(t, who);
  const top = tree(who);
  const cp = (from: string, to: string, ...flags: string[]) => keelbox(['cp', ...flags, from, to], {...who, cwd: top});
  const find = async (where: string) =>
    (await exec(['sh', '-c', `cd ${where} && find . | sort | tr '\\n' ' '`])).stdout.trim();
  await exec(['mkdir', '-p', '/tmp/d', '/tmp/e']);
  const ok: [string, string][] = [
    ['file', '/tmp/d'],
    ['file', '/tmp/d/other'],
    ['dir', '/tmp/d'],
    ['dir', '/tmp/new'],
    ['dir/.', '/tmp/e'],
  ];
  for (const [from, to] of ok) {
    const {exitCode, stderr} = await cp(from, `${name}:${to}`);
    t.is(exitCode, 0, `${from} ${to}: ${stderr}`);
  }
  t.is(await find('/tmp/d'), '. ./dir ./dir/a ./dir/link ./dir/sub ./dir/sub/b ./file ./other');
  t.is(await find('/tmp/new'), '. ./a ./link ./sub ./sub/b');
  t.is(await find('/tmp/e'), '. ./a ./link ./sub ./sub/b');
  t.is((await exec(['stat', '-c', '%u:%g %a', '/tmp/new/a', '/tmp/d/file'])).stdout, '0:0 640\n0:0 644\n');
  t.is((await exec(['readlink', '/tmp/d/dir/link'])).stdout, 'a\n');
  const wrong: [string, string][] = [
    ['file', '/tmp/none/'],
    ['file', '/tmp/none/x'],
    ['dir', '/tmp/d/file'],
    ['no-such-file', '/tmp'],
    ['file/', '/tmp'],
  ];
  for (const [from, to] of wrong) t.is((await cp(from, `${name}:${to}`)).exitCode, 1, `${from} ${to}`);
  await exec(['mkdir', '/tmp/d/clash']);
  writeFileSync(path.join(top, 'clash'), 'clash');
  t.is((await cp('clash', `${name}:/tmp/d`)).exitCode, 1);
  t.is((await cp('clash', `${name}:/tmp/d`, '--overwrite')).exitCode, 0);
  t.is((await exec(['cat', '/tmp/d/clash'])).stdout, 'clash');
  t.is((await cp('file', 'no-such-container:/tmp')).exitCode, 1);
});

test.asEach('out of a container: the same rules, and the files are the caller’s', async (t, who) => {
  const script = `mkdir -p /tmp/s/dir/sub; cd /tmp/s; echo f > f; echo a > dir/a; echo b > dir/sub/b; ln -s a dir/link; ln -s f l
    cp /bin/sh dir/suid; chmod 6755 dir/suid; chown -R 5:5 dir; chmod 640 dir/a; chmod 6755 dir/suid`;
  const {name} = await running(t, who, [], script);
  const top = folder(who);
  const cp = (from: string, to: string, ...flags: string[]) =>
    keelbox(['cp', ...flags, `${name}:${from}`, to], {...who, cwd: top});
  mkdirSync(path.join(top, 'there'));
  if (who.asUser) chownSync(path.join(top, 'there'), testUser().uid, testUser().gid);
  const ok: [string, string][] = [
    ['/tmp/s/f', 'there'],
    ['/tmp/s/f', 'there/other'],
    ['/tmp/s/dir', 'there'],
    ['/tmp/s/dir', 'new'],
    ['/tmp/s/dir/.', '.'],
  ];
  for (const [from, to] of ok) {
    const {exitCode, stderr} = await cp(from, to);
    t.is(exitCode, 0, `${from} ${to}: ${stderr}`);
  }
  t.deepEqual(readdirSync(path.join(top, 'there')).sort(), ['dir', 'f', 'other']);
  t.deepEqual(readdirSync(path.join(top, 'new')).sort(), ['a', 'link', 'sub', 'suid']);
  t.true(existsSync(path.join(top, 'sub/b')));
  t.is(readlinkSync(path.join(top, 'new/link')), 'a');
  const stat = statSync(path.join(top, 'new/suid'));
  t.is(stat.mode & 0o7777, 0o755, 'no set-user-id bit comes out');
  t.is(stat.uid, who.asUser ? testUser().uid : (process.getuid?.() ?? 0));
  t.is(statSync(path.join(top, 'new/a')).mode & 0o777, 0o640);
  t.is((await cp('/tmp/s/l', 'aslink')).exitCode, 0);
  t.true(lstatSync(path.join(top, 'aslink')).isSymbolicLink());
  t.is((await cp('/tmp/s/l', 'asfile', '-L')).exitCode, 0);
  t.is(readFileSync(path.join(top, 'asfile'), 'utf8'), 'f\n');
  for (const [from, to] of [
    ['/tmp/s/none', '.'],
    ['/tmp/s/f', 'nodir/'],
    ['/tmp/s/f', 'nodir/x'],
    ['/tmp/s/dir', 'asfile'],
    ['/tmp/s/f/', '.'],
  ] as const)
    t.is((await cp(from, to)).exitCode, 1, `${from} ${to}`);
});

test.asRoot('-a keeps owners both ways', async (t, who) => {
  const {name, exec} = await running(t, who, [], 'echo x > /tmp/o; chown 5:6 /tmp/o');
  const top = folder(who);
  await keelbox(['cp', '-a', `${name}:/tmp/o`, top], who);
  const {uid, gid} = statSync(path.join(top, 'o'));
  t.deepEqual([uid, gid], [5, 6]);
  await keelbox(['cp', '-a', path.join(top, 'o'), `${name}:/tmp/back`], who);
  t.is((await exec(['stat', '-c', '%u:%g', '/tmp/back'])).stdout, '5:6\n');
});

test.asEach('archives come from stdin and go to stdout', async (t, who) => {
  const {name, exec} = await running(t, who, [], 'mkdir -p /tmp/s/d; echo x > /tmp/s/d/x');
  const out = await keelbox(['cp', `${name}:/tmp/s`, '-'], who);
  t.is(out.exitCode, 0, out.stderr);
  const list = execFileSync('tar', ['-tf', '-'], {input: out.bytes, encoding: 'utf8'});
  t.deepEqual(list.trim().split('\n'), ['s/', 's/d/', 's/d/x']);
  const back = await keelbox(['cp', '-', `${name}:/srv`], {...who, input: out.bytes});
  t.is(back.exitCode, 0, back.stderr);
  t.is((await exec(['cat', '/srv/s/d/x'])).stdout, 'x\n');
  t.is((await keelbox(['cp', '-', `${name}:/srv/s/d/x`], {...who, input: out.bytes})).exitCode, 1);
  const zipped = execFileSync('gzip', ['-c'], {input: out.bytes});
  t.is((await keelbox(['cp', '-', `${name}:/home`], {...who, input: zipped})).exitCode, 0);
  t.is((await exec(['cat', '/home/s/d/x'])).stdout, 'x\n');
});

test.asEach('names that lead out are refused or stay inside (CVE-2018-15664, CVE-2019-14271)', async (t, who) => {
  const canary = folder(who);
  const secret = path.join(canary, 'secret');
  writeFileSync(secret, 'secret\n');
  const script = `mkdir -p /tmp/w/real; ln -s ${canary} /tmp/w/out; ln -s ../../../../../../..${canary} /tmp/w/up; ln -s /proc/1/root /tmp/w/magic
    ln -s ${secret} /tmp/w/file`;
  const {name, exec} = await running(t, who, [], script);
  const top = folder(who);
  writeFileSync(path.join(top, 'evil'), 'evil\n');
  for (const link of ['out', 'up', 'magic']) {
    await keelbox(['cp', path.join(top, 'evil'), `${name}:/tmp/w/${link}/secret`], who);
    await keelbox(['cp', `${name}:/tmp/w/${link}/secret`, path.join(top, 'got')], who);
  }
  await keelbox(['cp', path.join(top, 'evil'), `${name}:/tmp/w/file`], who);
  await keelbox(['cp', '-L', `${name}:/tmp/w/file`, path.join(top, 'got2')], who);
  t.is(readFileSync(secret, 'utf8'), 'secret\n');
  t.deepEqual(readdirSync(canary), ['secret']);
  for (const got of ['got', 'got2']) {
    const file = path.join(top, got);
    if (existsSync(file)) t.notRegex(readFileSync(file, 'utf8'), /^secret/);
  }
  // Swapped while it is looked at.
  await exec(
    [
      'sh',
      '-c',
      `cd /tmp/w; (while :; do mv real r2; ln -s ${canary} real; rm real; mv r2 real; done) >/dev/null 2>&1 &`,
    ],
    ['-d'],
  );
  for (let round = 0; round < scaled(15); round += 1) {
    await keelbox(['cp', path.join(top, 'evil'), `${name}:/tmp/w/real/secret`], who);
    await keelbox(['cp', `${name}:/tmp/w/real/secret`, path.join(top, `race-${round}`)], who);
    const file = path.join(top, `race-${round}`);
    if (existsSync(file) && lstatSync(file).isFile()) t.not(readFileSync(file, 'utf8'), 'secret\n');
  }
  t.is(readFileSync(secret, 'utf8'), 'secret\n');
  t.deepEqual(readdirSync(canary), ['secret']);
});

test.asEach('a container that does not run has files too, those of its volumes among them', async (t, who) => {
  const top = folder(who);
  mkdirSync(path.join(top, 'volume'));
  chmodSync(path.join(top, 'volume'), 0o777);
  writeFileSync(path.join(top, 'f'), 'in\n');
  const name = `resting-${who.asUser}`;
  const made = await keelbox(
    [
      'create',
      '--name',
      name,
      '-v',
      `${path.join(top, 'volume')}:/v`,
      'host',
      'sh',
      '-c',
      'cat /srv/f /v/f; echo out > /srv/g',
    ],
    who,
  );
  t.is(made.exitCode, 0, made.stderr);
  t.teardown(() => keelbox(['rm', '-f', name], who));
  for (const target of ['/srv', '/v']) {
    const {exitCode, stderr} = await keelbox(['cp', path.join(top, 'f'), `${name}:${target}`], who);
    t.is(exitCode, 0, stderr);
  }
  t.true(existsSync(path.join(top, 'volume/f')));
  const started = await keelbox(['start', '-a', name], who);
  t.is(started.stdout, 'in\nin\n', started.stderr);
  const out = await keelbox(['cp', `${name}:/srv/g`, path.join(top, 'g')], who);
  t.is(out.exitCode, 0, out.stderr);
  t.is(readFileSync(path.join(top, 'g'), 'utf8'), 'out\n');
});

test('what is no copy is a usage error', async t => {
  for (const words of [['a', 'b'], ['a:/x', 'b:/y'], ['a:/x']])
    t.is((await keelbox(['cp', ...words])).exitCode, 125, words.join(' '));
});
