/** Requests that cannot be met: each is told what, why, what to do and a code, with the right exit code, and leaves nothing. */
import {chmodSync, chownSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {keelbox, specFolder, testUser} from './helpers/cli';
import {type Refusal, refused, refusedAndGone} from './helpers/inside';
import {lane, type Who} from './helpers/lane';
import {busybox, busyboxRoot} from './helpers/roots';

const test = lane({host: true, guest: true, rootless: true});
const testBusybox = test.needing(busybox);

function folderOf({asUser}: Who): string {
  const folder = mkdtempSync(path.join(specFolder(), 'files-'));
  chmodSync(folder, 0o755);
  if (asUser) chownSync(folder, testUser().uid, testUser().gid);
  return folder;
}

const INVALID = 'ERR_KEELBOX_INVALID_ARG';
const MOUNT = 'ERR_KEELBOX_MOUNT';
const USAGE = 'ERR_KEELBOX_USAGE';

/** `run` with these words, `host` and `true` after them. */
const FLAGS: Record<string, [string[], Refusal]> = {
  'a flag that there is not, with the nearest one': [
    ['--hostnam', 'x'],
    {code: USAGE, says: '--hostnam', fix: '--hostname'},
  ],
  'a mount source that is not there': [['-v', '/not/there:/x'], {code: MOUNT, says: '/not/there', fix: 'mkdir'}],
  'a mount on /': [['-v', '/usr:/'], {code: MOUNT, says: '"/"', fix: '--rootfs'}],
  'a mount on /proc': [['-v', '/usr:/proc'], {code: MOUNT, says: '/proc'}],
  'a mount below /proc': [['-v', '/usr:/proc/sys'], {code: MOUNT, says: '/proc/sys'}],
  'a mount on /sys': [['-v', '/usr:/sys'], {code: MOUNT, says: '/sys'}],
  'a mount on /proc in other words': [['-v', '/usr:/tmp/../proc/'], {code: MOUNT, says: '/tmp/../proc'}],
  'a mount on /proc with slashes': [['-v', '/usr://proc//'], {code: MOUNT, says: 'proc'}],
  'a tmpfs on /proc': [['--tmpfs', '/proc'], {code: MOUNT, says: '/proc'}],
  'a tmpfs on /': [['--tmpfs', '/'], {code: MOUNT, says: '"/"'}],
  'a mount on a relative path': [['-v', '/usr:x'], {code: INVALID, says: '/usr:x'}],
  'a mount option that there is not': [['-v', '/usr:/x:bogus'], {code: INVALID, says: 'bogus'}],
  'two mounts on one path': [['-v', '/usr:/x', '--tmpfs', '/x'], {code: INVALID, says: '/x'}],
  'a tmpfs on a relative path': [['--tmpfs', 'x'], {code: INVALID, says: '"x"'}],
  'a working directory that is relative': [['-w', 'x'], {code: INVALID, says: '"x"'}],
  'a working directory that is a file': [['-w', '/etc/passwd'], {code: INVALID, says: '/etc/passwd'}],
  'a user that there is not': [['-u', 'nobody-here'], {code: 'ERR_KEELBOX_USER', says: 'nobody-here', fix: 'number'}],
  'a group that there is not': [['-u', 'root:no-group'], {code: 'ERR_KEELBOX_USER', says: 'no-group'}],
  'a capability that there is not': [['--cap-add', 'SYS_EVERYTHING'], {code: INVALID, says: 'SYS_EVERYTHING'}],
  'a security option that there is not': [['--security-opt', 'bogus=1'], {code: INVALID, says: 'bogus'}],
  'a name with a slash': [['--name', '../x'], {code: INVALID, says: '../x'}],
  'a host name with a newline': [['-h', 'a\nb'], {code: INVALID, says: '-h'}],
  'an environment variable without a name': [['-e', '=x'], {code: INVALID, says: '=x'}],
  'an environment file that is not there': [['--env-file', '/not/there'], {code: INVALID, says: '/not/there'}],
  'an environment file that is a folder': [['--env-file', '/etc'], {code: INVALID, says: '/etc'}],
  'a cidfile in a folder that is not there': [
    ['--cidfile', '/not/there/id'],
    {code: 'ERR_KEELBOX_STORE', says: '/not/there'},
  ],
  'a pidfile in a folder that is not there': [
    ['--pidfile', '/not/there/id'],
    {code: 'ERR_KEELBOX_STORE', says: '/not/there'},
  ],
  '-i -t without a terminal': [['-it'], {code: INVALID, says: 'terminal', fix: '-t'}],
  'a value that is no boolean': [['--rm=maybe'], {code: INVALID, says: '--rm'}],
};

for (const [what, [flags, refusal]] of Object.entries(FLAGS)) {
  test.asEach(`${what} is refused`, async (t, who) => {
    await refusedAndGone(t, ['run', ...flags, 'host', '--', 'true'], refusal, who);
  });
}

test.asEach('an image that there is not is refused', async (t, who) => {
  const refusal = {code: 'ERR_KEELBOX_IMAGE_NOT_FOUND', says: 'no-such-image', fix: 'host'};
  await refusedAndGone(t, ['run', 'no-such-image', 'true'], refusal, who);
});

test.asEach('no image at all is refused', async (t, who) => {
  await refusedAndGone(t, ['run', '--rm'], {code: USAGE, says: /image/i}, who);
});

test.asEach('a verb that there is not is refused, with the nearest one', async (t, who) => {
  refused(t, await keelbox(['rum', 'host'], who), {code: USAGE, says: '"rum"', fix: /keelbox r(un|m)/});
});

test.asEach('a rootfs that is not there, is a file, or cannot be entered is refused', async (t, who) => {
  const folder = folderOf(who);
  writeFileSync(path.join(folder, 'file'), '');
  symlinkSync('/not/there', path.join(folder, 'link'));
  const code = 'ERR_KEELBOX_ROOTFS';
  for (const [name, why] of Object.entries({
    none: /no such/i,
    file: /not a directory/i,
    link: /no such/i,
    'file:O': /not a directory/i,
  }))
    await refusedAndGone(
      t,
      ['run', '--rootfs', path.join(folder, name), '--', 'true'],
      {code, says: name.split(':')[0] ?? '', why, fix: 'directory'},
      who,
    );
});

test.asUser('a rootfs that the user may not enter is refused', async (t, who) => {
  const folder = mkdtempSync(path.join(specFolder(), 'closed-'));
  mkdirSync(path.join(folder, 'root'));
  if (!who.asUser) chmodSync(folder, 0);
  const refusal = {code: 'ERR_KEELBOX_ROOTFS', says: folder, why: /permission denied/i};
  await refusedAndGone(t, ['run', '--rootfs', path.join(folder, 'root'), '--', 'true'], refusal, who);
  chmodSync(folder, 0o700);
});

const NOT_FOUND = 'ERR_KEELBOX_COMMAND_NOT_FOUND';
const NOT_EXECUTABLE = 'ERR_KEELBOX_NOT_EXECUTABLE';

const COMMANDS: Record<string, [string, Refusal]> = {
  'a command that is not in PATH': [
    'no-such-command',
    {code: NOT_FOUND, exitCode: 127, says: 'no-such-command', fix: '--volume'},
  ],
  'a path where nothing is': ['/bin/no-such-command', {code: NOT_FOUND, exitCode: 127, says: '/bin/no-such-command'}],
  'a folder': ['/etc', {code: NOT_EXECUTABLE, exitCode: 126, says: '/etc'}],
  'a text file': ['/etc/passwd', {code: NOT_EXECUTABLE, exitCode: 126, says: '/etc/passwd', fix: 'chmod'}],
};

for (const [what, [word, refusal]] of Object.entries(COMMANDS)) {
  test.asEach(`${what} as the command ends with ${refusal.exitCode}`, async (t, who) => {
    await refusedAndGone(t, ['run', '--rm', 'host', word], refusal, who);
  });
}

test.asEach('an empty word as the command ends with 127', async (t, who) => {
  await refusedAndGone(t, ['run', '--rm', 'host', ''], {code: NOT_FOUND, exitCode: 127, says: '""'}, who);
});

testBusybox.asEach('programs that the kernel cannot run end with 126 or 127, and say why', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  const files: Record<string, [string, number, Refusal]> = {
    // The kernel's ENOENT for a script means its interpreter: to say that the script is not there would be wrong.
    'bin/lost': ['#!/no/such/interpreter\n', 0o755, {code: NOT_FOUND, exitCode: 127, says: 'lost', why: 'interpreter'}],
    'bin/plain': [
      'echo no interpreter\n',
      0o755,
      {code: NOT_EXECUTABLE, exitCode: 126, says: 'plain', why: /format|#!/},
    ],
    'bin/empty': ['', 0o755, {code: NOT_EXECUTABLE, exitCode: 126, says: 'empty'}],
    'bin/elf': ['\x7fELFgarbage', 0o755, {code: NOT_EXECUTABLE, exitCode: 126, says: 'elf'}],
    'bin/closed': ['#!/bin/sh\n', 0o644, {code: NOT_EXECUTABLE, exitCode: 126, says: 'closed', fix: 'chmod +x'}],
  };
  for (const [name, [content, mode]] of Object.entries(files)) writeFileSync(path.join(rootfs, name), content, {mode});
  for (const [name, [, , refusal]] of Object.entries(files)) {
    for (const word of [`/${name}`, path.basename(name)])
      await refusedAndGone(t, ['run', '--rm', '--rootfs', rootfs, '--', word], refusal, who);
  }
});

test.asEach('a name that is taken is refused, and the container that has it is as it was', async (t, who) => {
  t.is((await keelbox(['run', '--name', 'owner', 'host', '--', 'sh', '-c', 'exit 3'], who)).exitCode, 3);
  const second = await keelbox(['run', '--name', 'owner', 'host', '--', 'true'], who);
  refused(t, second, {code: 'ERR_KEELBOX_NAME_TAKEN', says: 'owner', fix: 'rm'});
  t.regex((await keelbox(['ps', '-a'], who)).stdout, /Exited \(3\) .*owner/);
  t.is((await keelbox(['rm', 'owner'], who)).exitCode, 0);
});

test.asEach('rm of what there is not ends with 1', async (t, who) => {
  refused(t, await keelbox(['rm', 'no-such'], who), {
    code: 'ERR_KEELBOX_NOT_FOUND',
    exitCode: 1,
    says: 'no-such',
    fix: 'ps -a',
  });
  for (const word of ['..', '.', '/etc', '../containers', ''])
    t.not((await keelbox(['rm', '-f', word], who)).exitCode, 125 + 128, word);
});

test.asEach('every code that an error names has a page', async (t, who) => {
  const {stderr} = await keelbox(['run', '--rm', 'host', 'no-such-command'], who);
  const [, code = ''] = /more: keelbox explain (\w+)/.exec(stderr) ?? [];
  const page = await keelbox(['explain', code], who);
  t.is(page.exitCode, 0);
  t.true(page.stdout.includes(code));
});
