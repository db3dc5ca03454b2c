/**
 * Linux 5.10, as far as a filter can play it: every newer system call answers ENOSYS, every newer flag EINVAL. No mount can
 * have its ids mapped there, none its attributes set before it is attached, and no overlay takes a layer as an fd.
 */
import {chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {baseTar, fileTar, Layout} from './helpers/archives';
import {type CallOptions, keelbox, specFolder, testUser} from './helpers/cli';
import {refused} from './helpers/inside';
import {lane, patience, type Who} from './helpers/lane';
import {PYTHON, Terminal} from './helpers/pty';
import {busybox, busyboxRoot} from './helpers/roots';
import {commandOnOldKernel, finish, onOldKernel, prepared} from './helpers/within';

const test = lane({host: true, guest: true, rootless: true}).needing(PYTHON, 'unshare', busybox);

/** Only root can set a filter that lets newuidmap gain rights, so root prepares for the ordinary user. */
function testBoth(title: string, body: (t: ExecutionContext, who: Who) => Promise<void>): void {
  test.asRoot(title, t => body(t, {asUser: false}));
  test.asRoot(`${title}, for an ordinary user`, t => body(t, {asUser: true}));
}

const NOTICE = /^notice: this machine's programs are read-only.* no id-mapped mounts \(Linux 5\.12\)/m;

async function answer(t: ExecutionContext, script: string, flags: string[], root: string[], options: CallOptions) {
  const result = await onOldKernel(['run', '--rm', ...flags, ...root, '--', 'sh', '-c', script], options);
  t.is(result.exitCode, 0, `${script}\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

const HOST = ['host'];

/** A folder with a mount below it, as a script for `sh` makes it. */
function folderFor({asUser}: Who): string {
  const folder = mkdtempSync(path.join(specFolder(), 'volume-'));
  mkdirSync(path.join(folder, 'a b\\'));
  writeFileSync(path.join(folder, 'file'), 'text\n');
  for (const each of [folder, path.join(folder, 'a b\\'), path.join(folder, 'file')]) {
    chmodSync(each, 0o755);
    if (asUser) chownSync(each, testUser().uid, testUser().gid);
  }
  return folder;
}

test.asRoot('the filter makes a kernel look old, and lets through what 5.10 had', async t => {
  const probe = `import ctypes; c = ctypes.CDLL(None, use_errno=True)
def ask(*a): ctypes.set_errno(0); c.syscall(*a); return ctypes.get_errno()
print(ask(442, -1, b"", 0, 0, 0), ask(441, -1, 0, 0, 0, 0), ask(470), ask(436, 1000, 1001, 4), ask(436, 1000, 1001, 0), ask(428, -1, b"", 0))`;
  const {file, args, options} = commandOnOldKernel([]);
  const result = await finish(file, [...args.slice(0, 2), PYTHON, '-c', probe], options);
  t.is(result.stdout, '38 38 38 22 0 2\n', result.stderr);
});

testBoth('the image `host` runs with ids of its own, fresh directories and read-only programs', async (t, who) => {
  const script = `id -u; echo $$; awk '{print $1}' /proc/self/uid_map | head -n1; touch /new /tmp/x /root/x && echo made
    touch /usr/x 2>/dev/null || echo refused; cat /etc/shadow 2>/dev/null || echo unreadable
    stat -c '%u:%g %a' / /tmp /root; readlink /bin`;
  const result = await onOldKernel(['run', '--rm', ...HOST, '--', 'sh', '-c', script], who);
  t.is(result.exitCode, 0, result.stderr);
  const link = existsSync('/usr/bin/sh') ? 'usr/bin\n' : '';
  t.is(result.stdout, `0\n1\n0\nmade\nrefused\nunreadable\n0:0 755\n0:0 1777\n0:0 700\n${link}`);
  // An ordinary user's container has them read-only on any kernel.
  t.is(NOTICE.test(result.stderr), !who.asUser, result.stderr);
});

testBoth('root in the container of `host` is nobody on this machine', async (t, who) => {
  const map = await answer(t, 'cat /proc/self/uid_map', ['-q'], HOST, who);
  const [inside, outside] = map.trim().split(/\s+/).map(Number);
  t.is(inside, 0);
  if (who.asUser) t.is(outside, testUser().uid);
  else t.true((outside ?? 0) >= 0x70000000, map);
});

testBoth('settings of the kernel stay read-only, and what is masked stays masked', async (t, who) => {
  const script = `for f in sys/kernel/hostname sysrq-trigger; do (echo x > /proc/$f) 2>/dev/null && echo wrote $f; done
    cat /proc/kallsyms /proc/keys | wc -c; ls /sys/firmware | wc -l; (echo x > /sys/kernel/uevent_seqnum) 2>/dev/null || echo sys
    awk '$2 ~ "^/proc/(sys|bus|irq|fs)$" {print $2, substr($4, 1, 2)}' /proc/mounts | sort`;
  const wanted = '0\n0\nsys\n/proc/bus ro\n/proc/fs ro\n/proc/irq ro\n/proc/sys ro\n';
  t.is(await answer(t, script, ['-q'], HOST, who), wanted);
});

testBoth('the default hardening is all there', async (t, who) => {
  const script = "awk '/^(CapBnd|CapEff|NoNewPrivs|Seccomp):/ {print $1, $2}' /proc/self/status";
  const [effective, bound, noNew, seccomp] = (await answer(t, script, ['-q'], HOST, who)).split('\n');
  t.is(effective, 'CapEff: 00000000800405fb');
  t.is(bound, 'CapBnd: 00000000800405fb');
  t.deepEqual([noNew, seccomp], ['NoNewPrivs: 1', 'Seccomp: 2']);
});

testBoth('a read-only volume is read-only down to the mounts below it', async (t, who) => {
  const folder = folderFor(who);
  const {file, args, options} = commandOnOldKernel(
    [
      'run',
      '--rm',
      '-q',
      '-v',
      `${folder}:/v:ro`,
      ...HOST,
      '--',
      'sh',
      '-c',
      'cat /v/file; cd "/v/a b\\\\" && cat inner; touch x /v/x; echo x > inner; grep " /v" /proc/mounts | cut -d" " -f2,4 | cut -c1-20',
    ],
    who,
  );
  const script = `mount -t tmpfs -o mode=777 none "${folder}/a b\\\\" && echo below > "${folder}/a b\\\\/inner" && exec "$@"`;
  const result = await finish('unshare', ['-m', 'sh', '-c', script, 'sh', file, ...args], options);
  const mounts = '/v ro,nodev,relatime\n/v/a\\040b\\134 ro,';
  t.true(result.stdout.startsWith(`text\nbelow\n`), result.stdout + result.stderr);
  t.regex(result.stdout, /^\/v ro,/m, mounts);
  t.regex(result.stdout, /^\/v\/a\\040b\\134 ro,/m);
  t.is(result.stderr.match(/Read-only file system/g)?.length, 3, result.stderr);
  t.false(existsSync(path.join(folder, 'x')));
});

test.asRoot(
  'without mapped ids a root of one’s own has no user namespace, with a notice, and volumes are written',
  async t => {
    const [rootfs, folder] = [await busyboxRoot(), folderFor({asUser: false})];
    const args = ['run', '--rm', '-v', `${folder}:/v`, '--rootfs', `${rootfs}:O`, '--', 'sh', '-c'];
    const result = await onOldKernel([
      ...args,
      'cat /proc/self/uid_map; echo new > /v/new; echo x > /etc/x; cat /etc/x',
    ]);
    t.is(result.exitCode, 0, result.stderr);
    t.regex(result.stdout, /^ +0 +0 +4294967295\nx\n$/);
    t.regex(result.stderr, /^notice: no user namespace for this container: .*\(Linux 5\.12\)/);
    t.is(readFileSync(path.join(folder, 'new'), 'utf8'), 'new\n');
    t.false(existsSync(path.join(rootfs, 'etc/x')));
  },
);

test.asRoot('--read-only holds for a directory, for an overlay of it, and for `host`', async t => {
  const rootfs = await busyboxRoot();
  for (const root of [['--rootfs', rootfs], ['--rootfs', `${rootfs}:O`], HOST]) {
    const script = 'touch /new 2>/dev/null || echo refused; touch /dev/shm/x && echo made';
    t.is(await answer(t, script, ['-q', '--read-only'], root, {}), 'refused\nmade\n');
  }
  t.false(existsSync(path.join(rootfs, 'new')));
});

test.asRoot('an ordinary user’s own directory is the root, with and without an overlay', async t => {
  const rootfs = await busyboxRoot({asUser: true});
  for (const root of [`${rootfs}:O`, rootfs]) {
    t.is(await answer(t, 'echo x > /etc/x; cat /etc/x; id -u', [], ['--rootfs', root], {asUser: true}), 'x\n0\n');
    t.is(existsSync(path.join(rootfs, 'etc/x')), root === rootfs);
  }
});

testBoth('a terminal, with its window and /dev/console', async (t, who) => {
  const script = 'tty; stty size; echo on > /dev/console; exit 5';
  const command = commandOnOldKernel(['run', '--rm', '-q', '-it', ...HOST, 'sh', '-c', script], who);
  const terminal = Terminal.open(t, command, {rows: 31, columns: 97});
  t.is((await terminal.exited).exitCode, 5, terminal.output);
  await terminal.waitFor('31 97');
  await terminal.waitFor('/dev/pts/0');
  await terminal.waitFor(/^on/m);
});

testBoth('errors and exit codes are the usual ones', async (t, who) => {
  const run = (...args: string[]) => onOldKernel(['run', '--rm', '-q', ...args], who);
  t.is((await run(...HOST, '--', 'sh', '-c', 'exit 42')).exitCode, 42);
  t.is((await run(...HOST, '--', 'sh', '-c', 'kill -9 $$; sleep 5')).exitCode, 0);
  const missing = {code: 'ERR_KEELBOX_COMMAND_NOT_FOUND', exitCode: 127, says: 'no-such-program'};
  refused(t, await run(...HOST, '--', 'no-such-program'), missing);
  const denied = {code: 'ERR_KEELBOX_NOT_EXECUTABLE', exitCode: 126, says: '/etc/passwd'};
  refused(t, await run(...HOST, '--', '/etc/passwd'), denied);
  refused(t, await run('-u', 'no-such-user', ...HOST, '--', 'true'), {code: 'ERR_KEELBOX_USER', says: 'no-such-user'});
});

testBoth('--init, a command’s own user and environment work', async (t, who) => {
  const script = 'id -u; id -g; echo $A; cat /proc/1/comm; cat /proc/self/status | grep CapEff';
  const flags = ['-q', '--init', '-u', '1000:1001', '-e', 'A=b'];
  t.is(await answer(t, script, flags, HOST, who), '1000\n1001\nb\nkeelbox-init\nCapEff:\t0000000000000000\n');
});

testBoth('files of a container that does not run are copied, and it finds them when it starts', async (t, who) => {
  const [folder, name] = [folderFor(who), `resting-${who.asUser}`];
  const run = async (...args: string[]) => {
    const result = await onOldKernel(args, {...who, cwd: folder});
    t.is(result.exitCode, 0, `${args.join(' ')}\n${result.stderr}`);
    return result.stdout;
  };
  const roots = [HOST, ...(who.asUser ? [] : [['--rootfs', `${await busyboxRoot()}:O`]])];
  for (const root of roots) {
    const inside = root === HOST ? '/srv' : '/etc';
    await run('create', '-q', '--name', name, ...root, '--', 'sh', '-c', `cd ${inside}; cat file; echo out > out`);
    await run('cp', 'file', `${name}:${inside}`);
    t.is(await run('start', '-a', name), 'text\n');
    await run('cp', `${name}:${inside}/out`, 'out');
    t.is(readFileSync(path.join(folder, 'out'), 'utf8'), 'out\n');
    await run('rm', name);
  }
});

testBoth('an image with 127 layers runs, and can be exported', async (t, who) => {
  const layout = new Layout();
  const small = await Promise.all(Array.from({length: 4}, (_, index) => fileTar(`f${index}`, String(index))));
  const layers = [await baseTar(), ...Array.from({length: 126}, (_, index) => small[index % 4] ?? Buffer.alloc(0))];
  layout.index([layout.image(layers)], 'many:1');
  const loaded = await keelbox(['load', '-i', layout.folder], {...who, timeout: patience(120_000)});
  t.is(loaded.exitCode, 0, loaded.stderr);
  const result = await onOldKernel(['run', '--rm', 'many:1', 'cat', '/f1', '/f3'], who);
  t.is(result.stdout, '13', result.stderr);
  const made = await onOldKernel(['create', '-q', '--name', `many-${who.asUser}`, 'many:1', 'true'], who);
  t.is(made.exitCode, 0, made.stderr);
  const out = path.join(mkdtempSync(path.join(specFolder(), 'out-')), 'out.tar');
  if (who.asUser) chownSync(path.dirname(out), testUser().uid, testUser().gid);
  const exported = await onOldKernel(['export', '-o', out, `many-${who.asUser}`], who);
  t.is(exported.exitCode, 0, exported.stderr);
  t.true(readFileSync(out).includes('f3'));
  t.is((await keelbox(['rm', `many-${who.asUser}`], who)).exitCode, 0);
});

testBoth('as many at once as one after the other', async (t, who) => {
  const all = await Promise.all(
    [1, 2, 3].map(number => onOldKernel(['run', '--rm', '-q', ...HOST, '--', 'echo', `${number}`], who)),
  );
  t.deepEqual(
    all.map(({stdout}) => stdout),
    ['1\n', '2\n', '3\n'],
    all.map(({stderr}) => stderr).join(''),
  );
});

test.asRoot('a kernel that has it all gives no notice, and its programs can be written in the container', async t => {
  const result = await prepared('exec "$@"', ['run', '--rm', ...HOST, '--', 'sh', '-c', 'touch /usr/x && echo made']);
  t.deepEqual([result.stdout, result.stderr], ['made\n', '']);
});
