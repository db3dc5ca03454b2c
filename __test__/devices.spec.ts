// `--device`: which nodes a container gets, as whom, where, and what is none.

import {spawnSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, symlinkSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {keelbox, specFolder} from './helpers/cli';
import {answer, refusedAndGone} from './helpers/inside';
import {lane} from './helpers/lane';
import {busybox, busyboxRoot} from './helpers/roots';

const test = lane({host: true, guest: true, rootless: true});
/** What is refused before the kernel is asked is refused alike on all of them, and the guest is slow. */
const testWords = lane({host: true, rootless: true});
const INVALID = 'ERR_KEELBOX_INVALID_ARG';
const node = (file: string) => ({name: file, isThere: () => spawnSync('test', ['-c', file]).status === 0});

test.asEach('a device has its number and works', async (t, who) => {
  const script =
    'stat -c "%t:%T" /dev/zz /dev/sub/full; head -c 2 /dev/zz | od -An -tx1; env echo x 2>&1 > /dev/sub/full | grep -c space';
  const flags = ['--device', '/dev/zero:/dev/zz', '--device=/dev/full:/dev/sub/full:rwm'];
  t.is(await answer(t, script, {...who, flags}), '1:5\n1:7\n 00 00\n1\n');
});

test.needing(node('/dev/fuse')).asRoot('/dev/fuse opens, with and without a user namespace', async t => {
  for (const flags of [[], ['--userns=host', '--privileged']]) {
    const script = '(exec 3<>/dev/fuse) && stat -c "%t:%T %u:%g" /dev/fuse';
    t.is(await answer(t, script, {flags: [...flags, '--device', '/dev/fuse']}), 'a:e5 0:0\n');
  }
});

test.needing(node('/dev/net/tun')).asRoot('/dev/net/tun opens', async (t, who) => {
  t.is(
    await answer(t, '(exec 3<>/dev/net/tun) && echo opened', {...who, flags: ['--device', '/dev/net/tun']}),
    'opened\n',
  );
});

test.asRoot('a device keeps its mode and owners, as ids of the container', async t => {
  const folder = mkdtempSync(path.join(specFolder(), 'nodes-'));
  const made = path.join(folder, 'null');
  spawnSync('sh', ['-c', `mknod ${made} c 1 3 && chown 5:6 ${made} && chmod 640 ${made}`]);
  const script = 'stat -c "%a %u:%g" /dev/mine';
  t.is(await answer(t, script, {flags: ['--device', `${made}:/dev/mine`]}), '640 5:6\n');
});

test.asRoot('of a folder come its devices, and neither files nor links', async t => {
  const folder = mkdtempSync(path.join(specFolder(), 'nodes-'));
  mkdirSync(path.join(folder, 'deep'));
  writeFileSync(path.join(folder, 'file'), '');
  symlinkSync('/dev/kmsg', path.join(folder, 'link'));
  spawnSync('mknod', [path.join(folder, 'deep/zero'), 'c', '1', '5']);
  const script = 'cd /dev/all && find . -type c && find . ! -type c ! -type d';
  t.is(await answer(t, script, {flags: ['--device', `${folder}:/dev/all`]}), './deep/zero\n');
});

test.needing(busybox).asEach('a device may be elsewhere than in /dev', async (t, who) => {
  const rootfs = `${await busyboxRoot(who)}:O`;
  const options = {...who, rootfs, flags: ['--device', '/dev/zero:/srv/z']};
  t.is(await answer(t, 'head -c 1 /srv/z | od -An -tx1', options), ' 00\n');
});

test.asEach('a node in a volume does not open, unless the volume says dev', async (t, who) => {
  const folder = mkdtempSync(path.join(specFolder(), 'nodes-'));
  spawnSync('sh', ['-c', `chmod 755 ${folder}; mknod -m 666 ${folder}/null c 1 3`]);
  const open = '(exec 3<>/d/null) 2>/dev/null && echo opened || echo refused';
  t.is(await answer(t, open, {...who, flags: ['-v', `${folder}:/d`]}), 'refused\n');
  if (!who.asUser) t.is(await answer(t, open, {flags: ['-v', `${folder}:/d:dev`]}), 'opened\n');
});

test.asEach('without --device the host’s devices are not there', async (t, who) => {
  const {stdout} = await keelbox(['run', '--rm', 'host', 'ls', '/dev'], who);
  const names = stdout.trim().split('\n');
  t.deepEqual(names, [
    'core',
    'fd',
    'full',
    'mqueue',
    'null',
    'ptmx',
    'pts',
    'random',
    'shm',
    'stderr',
    'stdin',
    'stdout',
    'tty',
    'urandom',
    'zero',
  ]);
});

const refusals: Record<string, [string, RegExp]> = {
  'what is missing': ['/dev/not-there', /not-there/],
  'a file': ['/etc/passwd', /passwd/],
  'a folder without devices': ['/etc/default', /default/],
  'a relative path': ['dev/null', /dev\/null/],
  'a relative path inside': ['/dev/null:x', /x/],
  'strange permissions': ['/dev/null:/dev/n:rwx', /rwx/],
  'too many parts': ['/dev/null:/dev/n:rw:m', /rw:m/],
  'a place of the container’s own': ['/dev/null:/dev/pts/7', /pts/],
  'a link of the container’s own': ['/dev/null:/dev/stdin', /stdin/],
  'a way out of /dev': ['/dev/null:/dev/../etc/x', /\.\./],
};

for (const [title, [device, says]] of Object.entries(refusals)) {
  testWords.asEach(`--device refuses ${title}`, async (t, who) => {
    await refusedAndGone(t, ['run', '--rm', '--device', device, 'host', 'true'], {code: INVALID, says}, who);
  });
}

for (const device of ['/dev/zero:r', '/dev/zero:/dev/z:w', '/dev/zero:m', 'vendor.com/gpu=all']) {
  testWords(`--device ${device}: not yet`, async t => {
    const {exitCode, stderr} = await keelbox(['run', '--rm', '--device', device, 'host', 'true']);
    t.is(exitCode, 125);
    t.regex(stderr, /^error: keelbox run --device [^\n]+: not yet\n$/);
  });
}
