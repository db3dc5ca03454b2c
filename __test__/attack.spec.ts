/** What somebody tries who does not believe us: options that contradict each other, and what a container must not reach. */
import {spawn} from 'node:child_process';
import {lstatSync, mkdtempSync, readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {command, specFolder, testUser} from './helpers/cli';
import {answer, inside, refused, runIn} from './helpers/inside';
import {lane} from './helpers/lane';
import {PYTHON, Terminal} from './helpers/pty';
import {busybox, busyboxRoot} from './helpers/roots';
import {finish} from './helpers/within';

const test = lane({host: true, guest: true, rootless: true}).needing('unshare', PYTHON, busybox);

for (const ipc of ['host', 'none', 'container:nobody']) {
  test.asEach(`--shm-size says nothing with --ipc=${ipc}, and is refused`, async (t, who) => {
    const result = await runIn(['true'], {...who, flags: ['--shm-size', '1m', `--ipc=${ipc}`]});
    refused(t, result, {code: 'ERR_KEELBOX_INVALID_ARG', says: '--shm-size', why: '/dev/shm'});
  });
}

test.asRoot("root's --uidmap takes no ids that another container may have", async t => {
  for (const map of ['0:1879048192:65536', '0:2147483647:1', '0:1879048191:2', '0:100000:4000000000']) {
    for (const flag of ['--uidmap', '--gidmap']) {
      const result = await runIn(['true'], {flags: [flag, map]});
      refused(t, result, {code: 'ERR_KEELBOX_INVALID_ARG', says: 'by hand', why: '1879048192 to 2147483647'});
    }
  }
  t.is((await runIn(['true'], {flags: ['--uidmap', '0:1879048191:1']})).exitCode, 0, 'up to there, and');
  t.is((await runIn(['true'], {flags: ['--uidmap', '0:2147483648:1']})).exitCode, 0, 'after it, all may be used');
});

test.asRoot("processes of a pid namespace of this machine's are not shown through another's /proc", async t => {
  const holder = spawn('unshare', ['-pf', '--kill-child', 'sh', '-c', 'echo; read wait'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  t.teardown(() => holder.stdin.end());
  await new Promise(resolve => holder.stdout.once('data', resolve));
  const pid = `--pid=ns:/proc/${holder.pid}/ns/pid_for_children`;
  const result = await runIn(['true'], {flags: [pid, '--userns=auto']});
  refused(t, result, {code: 'ERR_KEELBOX_INVALID_ARG', says: '--userns=auto', why: '/proc'});
  refused(t, await runIn(['true'], {flags: [pid]}), {code: 'ERR_KEELBOX_INVALID_ARG', says: 'user namespace'});
  const rootfs = await busyboxRoot();
  t.is(await answer(t, 'cat /proc/1/comm', {rootfs, flags: ['-q', pid]}), 'sh\n', 'with root as root it is its own');
});

test.asEach('who gives SYS_ADMIN is told that it lifts read-only volumes', async (t, who) => {
  const volume = ['-v', `${mkdtempSync(path.join(specFolder(), 'volume-'))}:/mnt:ro`];
  const told = /^notice: SYS_ADMIN lets the container mount \/mnt writable again/m;
  t.regex((await runIn(['true'], {...who, flags: [...volume, '--cap-add=SYS_ADMIN']})).stderr, told);
  t.notRegex((await runIn(['true'], {...who, flags: volume})).stderr, /SYS_ADMIN/);
  const script =
    'mount -o remount,bind,rw /mnt 2>/dev/null; unshare -m true 2>/dev/null; touch /mnt/x 2>/dev/null || echo kept';
  t.is(await answer(t, script, {...who, flags: volume}), 'kept\n', 'without it nothing does');
  t.is(await answer(t, script, {...who, flags: [...volume, '--nested']}), 'kept\n', 'nor does --nested');
});

test.asUser('ids that do not make the caller root are said to leave it the files of an image', async (t, who) => {
  const rootfs = `${await busyboxRoot(who)}:O`;
  const told = /^notice: files of root's in this root are those of user \d+/m;
  t.regex((await runIn(['true'], {...who, rootfs, flags: ['--userns=keep-id']})).stderr, told);
  t.regex((await runIn(['true'], {...who, rootfs, flags: ['--userns=nomap']})).stderr, /are nobody's in the container/);
  t.is((await runIn(['true'], {...who, rootfs})).stderr, '');
});

test.asRoot("root without root's rights sees nothing private in `host`, either", async t => {
  const script = 'head -c 4 /etc/shadow; grep -c ^root: /etc/passwd';
  const {file, args, options} = command(['run', '--rm', '-q', 'host', '--', 'sh', '-c', script]);
  t.regex(readFileSync('/etc/shadow', 'utf8'), /^\w/);
  const result = await finish('unshare', ['-Ur', file, ...args], {env: options.env});
  t.deepEqual([result.stdout, result.exitCode], ['1\n', 0], result.stderr);
});

test.asRoot("a terminal that belongs to somebody else has its window's size from the start", async t => {
  const {file, args, options} = command(['run', '--rm', '-q', '-it', 'host', '--', 'stty', 'size'], {asUser: true});
  const {uid, gid, ...rest} = options;
  const user = ['--reuid', `${testUser().uid}`, '--regid', `${testUser().gid}`, '--clear-groups'];
  const su = {file: 'setpriv', args: [...user, file, ...args], options: rest};
  for (const rows of [31, 33]) {
    const terminal = Terminal.open(t, su, {rows, columns: 97});
    await terminal.waitFor(`${rows} 97`);
    t.is((await terminal.exited).exitCode, 0, terminal.output);
  }
});

test.asRoot("--privileged has this machine's devices, and nobody else does", async t => {
  const nodes = readdirSync('/dev').filter(name => {
    const node = lstatSync(path.join('/dev', name), {throwIfNoEntry: false});
    return name !== 'console' && (node?.isBlockDevice() || node?.isCharacterDevice());
  });
  const others = nodes.filter(name => !/^(full|null|ptmx|random|tty|urandom|zero)$/.test(name));
  t.true(others.length > 0);
  const script = `cd /dev; stat -L -c '%n %t:%T %F' ${nodes.join(' ')}`;
  const rootfs = await busyboxRoot();
  const there = await finish('sh', ['-c', script]);
  t.is(await answer(t, script, {rootfs, flags: ['-q', '--privileged']}), there.stdout);
  const {stdout} = await inside(`cd /dev; ls ${others.join(' ')} 2>/dev/null`, {
    rootfs,
    flags: ['-q', '--userns=host'],
  });
  t.is(stdout, '');
});

test.asEach('the command has no fd but its three, and neither has anything else that it can see', async (t, who) => {
  // The fourth is that of the directory itself.
  const command = ['ls', '/proc/1/fd'];
  for (const rights of [[], ['--cap-add=ALL', '--security-opt=seccomp=unconfined']]) {
    t.is((await runIn(command, {...who, flags: ['-q', ...rights]})).stdout, '0\n1\n2\n3\n');
  }
});
