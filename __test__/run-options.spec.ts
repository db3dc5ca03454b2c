/** What each flag of `run` changes about the container, and that it changes nothing else. */
import {execFileSync} from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import {keelbox, specFolder, testUser} from './helpers/cli';
import {answer, inside, refused, runIn} from './helpers/inside';
import {IS_ROOT, lane, type Who} from './helpers/lane';
import {busybox, busyboxRoot} from './helpers/roots';

const test = lane({host: true, guest: true, rootless: true});
const testBusybox = test.needing(busybox);

const isRootless = ({asUser}: Who) => asUser || !IS_ROOT;

/** A new folder of the host that belongs to whoever runs keelbox, with a file in it. */
function hostFolder({asUser}: Who): string {
  const folder = mkdtempSync(path.join(specFolder(), 'volume-'));
  chmodSync(folder, 0o755);
  writeFileSync(path.join(folder, 'file'), 'from the host\n');
  if (asUser) for (const name of ['', 'file']) chownSync(path.join(folder, name), testUser().uid, testUser().gid);
  return folder;
}

const capabilities = async (t: Parameters<typeof answer>[0], flags: string[], who: Who) => {
  const lines = await answer(t, 'grep -E "^Cap(Prm|Eff|Bnd)" /proc/self/status', {...who, flags: ['-q', ...flags]});
  return lines
    .trim()
    .split('\n')
    .map(line => line.split('\t')[1]);
};
const three = (set: string) => [set, set, set].map(bits => bits.padStart(16, '0'));

test.asEach('-e sets a variable, passes one on, and leaves out what is not set', async (t, who) => {
  const flags = ['-e', 'A=1', '--env=B=', '-e', 'C=x=y z', '-e', 'GIVEN', '-e', 'KEELBOX_NOT_SET'];
  const {stdout} = await runIn(['env'], {...who, flags, env: {GIVEN: 'from outside'}});
  const lines = stdout.split('\n');
  for (const line of ['A=1', 'B=', 'C=x=y z', 'GIVEN=from outside']) t.true(lines.includes(line), line);
  t.notRegex(stdout, /KEELBOX_NOT_SET/);
});

const zones = {name: 'tzdata', isThere: () => existsSync('/usr/share/zoneinfo/Asia/Tokyo')};

test.needing(zones, busybox).asEach('--tz gives the container another time zone', async (t, who) => {
  const zone = async (tz: string, ...root: string[]) =>
    (await keelbox(['run', '--rm', '-q', '--tz', tz, ...root, 'date', '+%Z'], who)).stdout;
  t.is(await zone('Asia/Tokyo', 'host'), 'JST\n');
  t.is(await zone('Asia/Tokyo', '--rootfs', `${await busyboxRoot(who)}:O`), 'JST\n', 'also where there was none');
  const here = execFileSync('date', ['+%Z'], {env: {PATH: process.env.PATH ?? ''}, encoding: 'utf8'});
  t.is(await zone('local', 'host'), here);
  for (const tz of ['Mars/Phobos', '../passwd', '/etc/passwd', 'Asia', '']) {
    const {exitCode, stderr} = await keelbox(['run', '--rm', '--tz', tz, 'host', 'true'], who);
    t.is(exitCode, 125, tz);
    t.regex(stderr, /invalid value ".*" for --tz/);
  }
});

test.asEach('-e wins over an environment file, and both over the defaults', async (t, who) => {
  const file = path.join(hostFolder(who), 'env');
  writeFileSync(file, '# a comment\n\nA=file\nB=file # not a comment\nHOSTNAME=mine\nGIVEN\n  D=4\n');
  chmodSync(file, 0o644);
  const flags = ['--env-file', file, '-e', 'A=flag', '-e', 'PATH=/bin:/usr/bin'];
  const lines = (await runIn(['env'], {...who, flags, env: {GIVEN: 'passed'}})).stdout.trim().split('\n');
  for (const line of ['A=flag', 'B=file # not a comment', 'HOSTNAME=mine', 'GIVEN=passed', 'PATH=/bin:/usr/bin'])
    t.true(lines.includes(line), `${line}:\n${lines.join('\n')}`);
  t.deepEqual(
    lines.filter(line => line.startsWith('A=')),
    ['A=flag'],
  );
});

test.asEach('-w starts there, and makes the directory when it is missing', async (t, who) => {
  t.is((await runIn(['pwd'], {...who, flags: ['-w', '/usr/bin']})).stdout, '/usr/bin\n');
  t.is(await answer(t, 'pwd; ls -A; touch x', {...who, flags: ['-w', '/new/place/dir']}), '/new/place/dir\n');
});

test.asEach('-w refuses a relative path', async (t, who) => {
  refused(t, await runIn(['pwd'], {...who, flags: ['-w', 'work']}), {code: 'ERR_KEELBOX_INVALID_ARG', says: '"work"'});
});

testBusybox.asEach('-u takes a name with its groups and home', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  const options = {...who, rootfs, flags: ['-u', 'guest']};
  t.is(
    await answer(t, 'id -u; id -g; id -G; echo $HOME; whoami', options),
    '1000\n1000\n1000 50\n/home/guest\nguest\n',
  );
});

testBusybox.asEach('-u takes ids, and a group that is then the only one', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  const ids = (user: string) => answer(t, 'echo $(id -u) $(id -g) $(id -G)', {...who, rootfs, flags: ['-u', user]});
  t.is(await ids('1000'), '1000 1000 1000 50\n');
  t.is(await ids('guest:staff'), '1000 50 50\n');
  t.is(await ids('1000:50'), '1000 50 50\n');
  t.is(await ids('4711'), '4711 0 0\n');
  t.is(await ids('4711:4712'), '4711 4712 4712\n');
});

testBusybox.asEach('-u takes digits for an id even where a user has that name (CVE-2016-3697)', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  writeFileSync(path.join(rootfs, 'etc/passwd'), '1000:x:0:0:evil:/:/bin/sh\n');
  t.is(await answer(t, 'id -u', {...who, rootfs, flags: ['-u', '1000']}), '1000\n');
});

testBusybox.asEach('-u refuses what is no id, so that none becomes root (CVE-2026-30892)', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  for (const user of [
    '4294967295',
    '4294967296',
    '18446744073709551616',
    '-1',
    '0x0',
    '+0',
    '1000:4294967295',
    'nobody-here',
    'guest:none',
  ])
    refused(t, await runIn(['id'], {...who, rootfs, flags: ['-u', user]}), {
      code: 'ERR_KEELBOX_USER',
      says: user.split(':')[user.includes(':4') || user.endsWith('none') ? 1 : 0] ?? '',
    });
});

testBusybox.asEach('-u refuses an id outside the container’s range', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  refused(t, await runIn(['id'], {...who, rootfs, flags: ['-u', '70000']}), {code: 'ERR_KEELBOX_USER', says: '70000'});
});

test.asEach('a user that is not root has no capabilities, and stdio of its own', async (t, who) => {
  const script =
    'grep -E "^Cap(Prm|Eff|Inh|Amb)" /proc/self/status | cut -f 2 | sort -u; echo x > /dev/stdout; echo y > /dev/stderr';
  const {stdout, stderr, exitCode} = await inside(script, {...who, flags: ['-u', '1000']});
  t.deepEqual([exitCode, stdout, stderr], [0, '0000000000000000\nx\n', 'y\n']);
});

test.asEach('the supplementary groups are those of the container, none of the caller’s', async (t, who) => {
  t.is(await answer(t, 'grep Groups /proc/self/status', {...who, flags: ['-u', '4711:4712']}), 'Groups:\t4712 \n');
});

testBusybox.asEach('being in a group cannot be escaped to gain what others may (CVE-2022-2989)', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  const make = 'echo secret > /f; chown 0:50 /f; chmod 604 /f';
  await answer(t, make, {...who, rootfs});
  t.not((await inside('cat /f', {...who, rootfs, flags: ['-u', 'guest']})).exitCode, 0);
  t.is((await inside('cat /f', {...who, rootfs, flags: ['-u', '4711']})).stdout, 'secret\n');
});

test.asEach('--entrypoint replaces the program and keeps the arguments', async (t, who) => {
  const {stdout} = await keelbox(['run', '--rm', '--entrypoint', 'echo', 'host', 'a', 'b'], who);
  t.is(stdout, 'a b\n');
  t.is((await runIn(['echo', 'a'], {...who, flags: ['--entrypoint', '']})).stdout, 'a\n');
});

test.asEach('--hostname names it everywhere', async (t, who) => {
  const names = await answer(t, 'hostname; cat /etc/hostname; echo $HOSTNAME; grep -c otter /etc/hosts', {
    ...who,
    flags: ['-h', 'otter'],
  });
  t.is(names, 'otter\notter\notter\n1\n');
});

test.asEach('-v shows a directory, whose files belong to root inside and to the caller outside', async (t, who) => {
  const folder = hostFolder(who);
  const flags = ['-v', `${folder}:/w`];
  t.is(
    await answer(t, 'cat /w/file; stat -c %u:%g /w /w/file; mkdir /w/sub; echo in > /w/sub/new', {...who, flags}),
    'from the host\n0:0\n0:0\n',
  );
  const {uid, gid} = lstatSync(folder);
  for (const name of ['sub', 'sub/new']) t.like(lstatSync(path.join(folder, name)), {uid, gid}, name);
  t.is(readFileSync(path.join(folder, 'sub/new'), 'utf8'), 'in\n');
});

test.asEach('-v shows a single file, which can be written to but not replaced', async (t, who) => {
  const file = path.join(hostFolder(who), 'file');
  const flags = ['-v', `${file}:/data/deep/file`];
  t.is(
    await answer(t, 'cat /data/deep/file; echo more >> /data/deep/file; rm -f /data/deep/file || echo busy', {
      ...who,
      flags,
    }),
    'from the host\nbusy\n',
  );
  t.is(readFileSync(file, 'utf8'), 'from the host\nmore\n');
});

test.asEach('-v SRC:DST:ro cannot be written to, nor made writable', async (t, who) => {
  const folder = hostFolder(who);
  const flags = ['-v', `${folder}:/d:ro`, '-v', `${folder}/file:/f:ro`];
  const script =
    'for f in /d/file /d/new /f; do echo x >> $f && echo wrote; done; mount -o remount,bind,rw /d && echo remounted; cat /f';
  t.is((await inside(script, {...who, flags})).stdout, 'from the host\n');
  t.is(readFileSync(path.join(folder, 'file'), 'utf8'), 'from the host\n');
});

test.asEach('-v takes a path relative to the working directory', async (t, who) => {
  const folder = hostFolder(who);
  t.is(
    (await runIn(['cat', 'file'], {...who, cwd: folder, flags: ['-v', '.:/w', '-w', '/w']})).stdout,
    'from the host\n',
  );
  t.is((await runIn(['cat', '/f'], {...who, cwd: folder, flags: ['-v', './file:/f']})).stdout, 'from the host\n');
});

test.asEach('--mount says the same in long form', async (t, who) => {
  const folder = hostFolder(who);
  const flags = ['--mount', `type=bind,source=${folder},target=/m,readonly`, '--mount', 'type=tmpfs,dst=/t'];
  t.is(
    await answer(t, 'cat /m/file; echo x > /m/file || echo read-only; stat -f -c %T /t', {...who, flags}),
    'from the host\nread-only\ntmpfs\n',
  );
});

test.asRoot('a volume’s files keep their owners, as ids of the container', async t => {
  const folder = hostFolder({asUser: false});
  chownSync(path.join(folder, 'file'), 1000, 1001);
  const flags = ['-v', `${folder}:/w`];
  t.is(await answer(t, 'stat -c %u:%g /w/file; chown 33:34 /w/file', {flags}), '1000:1001\n');
  t.like(lstatSync(path.join(folder, 'file')), {uid: 33, gid: 34});
});

test.asRoot('a user of the container has that id in a volume', async t => {
  const folder = hostFolder({asUser: false});
  chmodSync(folder, 0o777);
  await answer(t, 'echo x > /w/mine', {flags: ['-v', `${folder}:/w`, '-u', '1000:1000']});
  t.like(lstatSync(path.join(folder, 'mine')), {uid: 1000, gid: 1000});
});

test.asUser('root of an ordinary user’s container cannot read what the user cannot', async (t, who) => {
  if (!who.asUser) {
    t.pass('only root can make such a file');
    return;
  }
  const folder = hostFolder(who);
  writeFileSync(path.join(folder, 'root-only'), 'secret', {mode: 0o600});
  const {stdout, exitCode} = await inside('cat /w/root-only', {...who, flags: ['-v', `${folder}:/w`]});
  t.deepEqual([exitCode, stdout], [1, '']);
});

test.asEach('a set-user-id program of a volume gives nobody rights', async (t, who) => {
  const folder = hostFolder(who);
  const flags = ['-v', `${folder}:/w`];
  await answer(t, 'cp /usr/bin/id /w/id; chmod 4755 /w/id', {...who, flags});
  t.is(await answer(t, '/w/id -u', {...who, flags: [...flags, '-u', '1000']}), '1000\n');
});

test.asEach('a volume is there for as long as the container, and for it alone', async (t, who) => {
  const folder = hostFolder(who);
  await answer(t, 'true', {...who, flags: ['-v', `${folder}:/w`]});
  t.is(readFileSync('/proc/self/mountinfo', 'utf8').includes(folder), false);
  t.not((await runIn(['ls', '/w'], who)).exitCode, 0);
});

test.asEach('--tmpfs is empty, of the size asked for, and gone afterwards', async (t, who) => {
  const options = {...who, flags: ['--tmpfs', '/t:size=64k', '--tmpfs', '/usr/share']};
  t.is(
    await answer(t, 'ls -A /t /usr/share; head -c 1M /dev/zero > /t/x || stat -c %s /t/x', options),
    '/t:\n\n/usr/share:\n65536\n',
  );
  t.true(existsSync('/usr/share/doc') || existsSync('/usr/share/misc'));
});

test.asEach('--tmpfs is nosuid, nodev and noexec unless it says exec', async (t, who) => {
  const script = 'cp /usr/bin/true /t/true; cp /usr/bin/true /e/true; /t/true || echo refused; /e/true && echo ran';
  t.is(await answer(t, script, {...who, flags: ['--tmpfs', '/t', '--tmpfs', '/e:exec']}), 'refused\nran\n');
});

test.asEach('--read-only leaves /dev, /dev/shm and volumes writable, and nothing of the root', async (t, who) => {
  const folder = hostFolder(who);
  const script =
    'for d in / /tmp /usr /var /etc /root; do touch $d/x && echo "wrote to $d"; done; touch /dev/shm/x /w/x /t/x && echo done';
  const {stdout} = await inside(script, {...who, flags: ['--read-only', '-v', `${folder}:/w`, '--tmpfs', '/t']});
  t.is(stdout, 'done\n');
});

testBusybox.asEach('--read-only holds for a directory tree, in place and under an overlay', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  for (const root of [rootfs, `${rootfs}:O`]) {
    const {stdout} = await inside('touch /x && echo wrote; touch /tmp/x && echo wrote; echo end', {
      ...who,
      rootfs: root,
      flags: ['--read-only'],
    });
    t.is(stdout, 'end\n', root);
  }
  t.false(existsSync(path.join(rootfs, 'x')));
});

test.asEach('--cap-drop and --cap-add change the three sets, and ALL is all of them', async (t, who) => {
  t.deepEqual(await capabilities(t, ['--cap-drop', 'ALL'], who), three('0'));
  t.deepEqual(
    await capabilities(t, ['--cap-drop=all', '--cap-add', 'CHOWN', '--cap-add', 'cap_net_raw'], who),
    three('2001'),
  );
  t.deepEqual(await capabilities(t, ['--cap-drop', 'CHOWN'], who), three('800405fa'));
  t.deepEqual(await capabilities(t, ['--cap-add', 'NET_ADMIN'], who), three('800415fb'));
  const last = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'));
  t.deepEqual(await capabilities(t, ['--cap-add', 'ALL'], who), three((2n ** BigInt(last + 1) - 1n).toString(16)));
});

test.asEach('a dropped capability is one that the container cannot use', async (t, who) => {
  const script = 'touch /tmp/x; chown 1:1 /tmp/x && echo changed';
  t.is((await inside(script, who)).stdout, 'changed\n');
  t.is((await inside(script, {...who, flags: ['--cap-drop', 'CHOWN']})).stdout, '');
});

test.asEach('--cap-add SYS_ADMIN also lifts what the filter refuses for its lack', async (t, who) => {
  const script = 'mount -t tmpfs none /mnt && echo mounted; hostname other && hostname';
  t.is((await inside(script, who)).stdout, '');
  t.is((await inside(script, {...who, flags: ['--cap-add', 'SYS_ADMIN']})).stdout, 'mounted\nother\n');
});

test.asEach('a capability that a user namespace makes useless comes with a notice', async (t, who) => {
  const {stderr, exitCode} = await runIn(['true'], {...who, flags: ['--cap-add', 'SYS_TIME']});
  t.is(exitCode, 0);
  t.regex(stderr, /^notice: .*SYS_TIME.*--userns=host/);
  t.is((await runIn(['true'], {...who, flags: ['-q', '--cap-add', 'SYS_TIME']})).stderr, '');
});

test.asEach('--security-opt and --allow-new-privileges turn off one thing each', async (t, who) => {
  const script = 'grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status | cut -f 2 | tr "\\n" " "';
  const found = (...flags: string[]) => answer(t, script, {...who, flags});
  t.is(await found(), '1 2 ');
  t.is(await found('--security-opt', 'no-new-privileges=false'), '0 2 ');
  t.is(await found('--allow-new-privileges'), '0 2 ');
  t.is(await found('--security-opt', 'seccomp=unconfined'), '1 0 ');
  t.is(await found('--security-opt=no-new-privileges', '--security-opt=seccomp=unconfined'), '1 0 ');
});

test.asEach('--security-opt systempaths=unconfined takes the masks away', async (t, who) => {
  const script = 'test -s /proc/interrupts && echo content; head -c 1 /proc/interrupts | wc -c';
  t.is(await answer(t, 'head -c 1 /proc/interrupts | wc -c', who), '0\n');
  t.is(
    (await inside(script, {...who, flags: ['--security-opt', 'systempaths=unconfined']})).stdout
      .trim()
      .split('\n')
      .at(-1),
    '1',
  );
});

test.asEach('--privileged has every capability that the machine can give, no filter and no masks', async (t, who) => {
  const flags = ['--privileged', '-q'];
  const script =
    'grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status | cut -f 2; mount -t tmpfs none /mnt && echo mounted; head -c 1 /proc/interrupts | wc -c';
  const {stdout, stderr, exitCode} = await inside(script, {...who, flags});
  t.is(exitCode, 0, stderr);
  const last = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'));
  const all = 2n ** BigInt(last + 1) - 1n;
  const bounding = BigInt(`0x${/CapBnd:\t(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]}`);
  const wanted = isRootless(who) ? all : all & bounding;
  t.is(stdout, `${wanted.toString(16).padStart(16, '0')}\n0\n0\nmounted\n1\n`);
});

test.asRoot('--privileged is root on this machine, and says so', async t => {
  const {stdout, stderr} = await runIn(['cat', '/proc/self/uid_map'], {flags: ['--privileged']});
  t.regex(stdout, /^ +0 +0 4294967295\n$/);
  t.regex(stderr, /^notice: --privileged .*--userns=host/);
});

testBusybox.asRoot('--userns=host keeps the ids of the host, and the other limits', async t => {
  const rootfs = await busyboxRoot();
  const script =
    'cat /proc/self/uid_map; grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status | cut -f 2; touch /made; ls -ln /made | cut -d " " -f 1';
  const stdout = await answer(t, script, {rootfs, flags: ['--userns=host']});
  t.regex(stdout, /^ +0 +0 4294967295\n00000000800405fb\n1\n2\n-rw-r--r--\n$/);
  t.like(lstatSync(path.join(rootfs, 'made')), {uid: 0, gid: 0});
});

test.asRoot('--userns=host is refused for the image host without --privileged', async t => {
  refused(t, await runIn(['true'], {flags: ['--userns=host']}), {
    code: 'ERR_KEELBOX_INVALID_ARG',
    says: '--userns=host',
    fix: '--privileged',
  });
});

test.asEach('a shared volume is how two containers see each other’s files, not their roots', async (t, who) => {
  const folder = hostFolder(who);
  const flags = ['-v', `${folder}:/w`];
  await answer(t, 'echo shared > /w/message; echo own > /var/message', {...who, flags});
  t.is(await answer(t, 'cat /w/message; cat /var/message 2>/dev/null || echo none', {...who, flags}), 'shared\nnone\n');
});

test.asEach('a missing mount point is made inside, never on the host', async (t, who) => {
  const folder = hostFolder(who);
  const inner = path.join(folder, 'not/there');
  mkdirSync(path.join(folder, 'own'));
  if (who.asUser) chownSync(path.join(folder, 'own'), testUser().uid, testUser().gid);
  t.is(await answer(t, `ls ${inner}`, {...who, flags: ['-v', `${folder}/file:${inner}/file`]}), 'file\n');
  t.false(existsSync(inner));
});
