/** `keelbox export`: a container's files as an archive that every tar reads. */
import {execFileSync} from 'node:child_process';
import {existsSync, readdirSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {homeOf, keelbox} from './helpers/cli';
import {lane} from './helpers/lane';
import {busybox, busyboxRoot} from './helpers/roots';

const test = lane({host: true, guest: true, rootless: true}).needing(busybox);

const listing = (archive: Buffer) =>
  execFileSync('tar', ['-tvf', '-', '--numeric-owner'], {input: archive, encoding: 'utf8', maxBuffer: 1 << 24});

test.asEach('has what the image and the container have, as the container sees it', async (t, who) => {
  const rootfs = `${await busyboxRoot(who)}:O`;
  const script = `rm /etc/group; echo new > /etc/new; ln /etc/new /hard; ln -s /etc/new /soft; mkfifo /pipe
    truncate -s 4M /sparse; echo x >> /sparse; mkdir -m 2750 /d; chown 7:8 /etc/new; rm -r /home; mkdir /home`;
  const ran = await keelbox(['run', '--name', 'full', '--rootfs', rootfs, 'sh', '-ec', script], who);
  t.is(ran.exitCode, 0, ran.stderr);
  const {exitCode, bytes, stderr} = await keelbox(['export', 'full'], who);
  t.is(exitCode, 0, stderr);
  const list = listing(bytes);
  t.regex(list, /^-rw-r--r-- 7\/8 +4 .* etc\/new$/m);
  t.regex(list, /^hrw-r--r-- 7\/8 +0 .* hard link to etc\/new$/m);
  t.regex(list, /^lrwxrwxrwx 0\/0 .* soft -> \/etc\/new$/m);
  t.regex(list, /^prw.* pipe$/m);
  t.regex(list, /^drwxr-s--- 0\/0 .* d\/$/m);
  t.regex(list, /^-rw-r--r-- 0\/0 +4194306 .* sparse$/m);
  t.regex(list, /^-rwxr-xr-x .* bin\/busybox$/m);
  t.notRegex(list, /etc\/group|home\/guest/);
  t.true(bytes.length < 4 << 20, 'holes take no room');
  const again = await keelbox(['export', 'full'], who);
  t.true(again.bytes.equals(bytes), 'the same files make the same bytes');
  t.is((await keelbox(['rm', 'full'], who)).exitCode, 0);
});

test.asEach('goes to a file whole, or not at all', async (t, who) => {
  const rootfs = `${await busyboxRoot(who)}:O`;
  await keelbox(['run', '--name', 'tofile', '--rootfs', rootfs, 'true'], who);
  const file = path.join(homeOf(who.asUser).home, 'out.tar');
  const done = await keelbox(['export', '-o', file, 'tofile'], who);
  t.is(done.exitCode, 0, done.stderr);
  t.is(done.stdout, '');
  t.true(statSync(file).size > 1 << 20);
  const missing = await keelbox(['export', '-o', '/no/such/dir/x', 'tofile'], who);
  t.is(missing.exitCode, 125);
  const full = await keelbox(['export', '-o', '/dev/full', 'tofile'], who);
  t.is(full.exitCode, 125);
  t.regex(full.stderr, /No space left/);
  t.deepEqual(
    readdirSync(homeOf(who.asUser).home).filter(name => name.startsWith('.out')),
    [],
  );
  await keelbox(['rm', 'tofile'], who);
});

test('no such container: exit code 1, and no file', async t => {
  const file = path.join(homeOf().home, 'none.tar');
  const {exitCode, stderr} = await keelbox(['export', '-o', file, 'nobody']);
  t.is(exitCode, 1);
  t.regex(stderr, /no such container: nobody/);
  t.false(existsSync(file));
});

test('a container of host is refused: its files are the machine’s', async t => {
  await keelbox(['run', '--name', 'hosts', 'host', 'true']);
  const {exitCode, stderr} = await keelbox(['export', 'hosts']);
  t.is(exitCode, 125);
  t.regex(stderr, /this machine's own/);
  await keelbox(['rm', 'hosts']);
});

test.asRoot('a root directory in place is written without what is mounted in it', async t => {
  const rootfs = await busyboxRoot();
  writeFileSync(path.join(rootfs, 'here'), 'x');
  await keelbox(['run', '--name', 'place', '--rootfs', rootfs, 'true']);
  execFileSync('mount', ['-t', 'tmpfs', 'none', path.join(rootfs, 'tmp')]);
  try {
    writeFileSync(path.join(rootfs, 'tmp/secret'), 'x');
    const {bytes, exitCode, stderr} = await keelbox(['export', 'place']);
    t.is(exitCode, 0, stderr);
    t.regex(listing(bytes), / here$/m);
    t.regex(listing(bytes), / tmp\/$/m);
    t.notRegex(listing(bytes), /secret/);
  } finally {
    execFileSync('umount', [path.join(rootfs, 'tmp')]);
    await keelbox(['rm', 'place']);
  }
});
