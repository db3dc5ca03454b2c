/** Limits, groups, kernel settings, masks and words that are only recorded: each flag changes what it says, no more. */
import {execFileSync} from 'node:child_process';
import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {keelbox, testUser} from './helpers/cli';
import {answer, inside, ownState, refused, refusedAndGone, runIn} from './helpers/inside';
import {lane, type Who} from './helpers/lane';
import {busybox, busyboxRoot} from './helpers/roots';

const test = lane({host: true, guest: true, rootless: true});
const testBusybox = test.needing(busybox);

const INVALID = 'ERR_KEELBOX_INVALID_ARG';

/** What the kernel says that this process may have at most, `unlimited` or a number. */
function hardLimit(title: string): string {
  const line = readFileSync('/proc/self/limits', 'utf8')
    .split('\n')
    .find(text => text.startsWith(title));
  return line?.slice(title.length).trim().split(/\s+/)[1] ?? '';
}

test.asEach('--ulimit sets soft and hard limits of any kind', async (t, who) => {
  const flags = ['--ulimit', 'nofile=100:200', '--ulimit', 'core=0:4096', '--ulimit', 'RLIMIT_STACK=1048576'];
  const script = 'ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc; grep "Max stack" /proc/self/limits';
  const found = await answer(t, script, {...who, flags: [...flags, '--ulimit', 'fsize=512']});
  t.regex(found, /^100\n200\n0\n8\nMax stack size +1048576 +1048576 /);
});

test.asEach('--ulimit: the last one of a kind counts, and a limit holds', async (t, who) => {
  const flags = ['--ulimit', 'fsize=4096', '--ulimit', 'fsize=1024'];
  const {stdout, exitCode} = await inside('head -c 5000 /dev/zero > /tmp/x; wc -c < /tmp/x', {...who, flags});
  t.is(stdout, '1024\n');
  t.is(exitCode, 0);
});

test.asEach('--ulimit above what the caller may give is given as far as it goes, with a notice', async (t, who) => {
  const script = 'ulimit -Hn';
  const {stdout, stderr, exitCode} = await inside(script, {...who, flags: ['--ulimit', 'nofile=4000000000']});
  t.is(exitCode, 0, stderr);
  t.regex(stderr, /^notice: --ulimit nofile: .*the container gets (\d+):\1\n$/);
  t.is(/gets (\d+)/.exec(stderr)?.[1], stdout.trim());
  const flags = ['-q', '--ulimit', 'nofile=4000000000'];
  t.is((await inside(script, {...who, flags})).stderr, '');
});

test.asEach('--ulimit host leaves the caller’s limits alone', async (t, who) => {
  const found = await answer(t, 'ulimit -Hc', {...who, flags: ['--ulimit', 'host']});
  t.is(found.trim(), hardLimit('Max core file size'));
});

test.asEach('--ulimit refuses what it does not understand', async (t, who) => {
  for (const [value, why] of [
    ['files=1', '"files" is no limit; there are cpu'],
    ['nofile', 'there is no "="'],
    ['nofile=x', '"x" is not a number'],
    ['nofile=5:4', 'the soft limit is above the hard limit'],
    ['nofile=99999999999999999999', 'is not a number'],
  ] as const) {
    const args = ['run', '--rm', '--ulimit', value, 'host', '--', 'true'];
    await refusedAndGone(t, args, {code: INVALID, says: `invalid --ulimit "${value}"`, why, fix: 'nofile='}, who);
  }
});

test.asEach('--umask holds for what the command makes', async (t, who) => {
  t.is(await answer(t, 'umask; > /tmp/x; stat -c %a /tmp/x', {...who, flags: ['--umask', '077']}), '0077\n600\n');
  t.is(await answer(t, 'umask', {...who, flags: ['--umask', '0']}), '0000\n');
  for (const umask of ['8', '0o22', '-1', '1000', '']) {
    const result = await runIn(['true'], {...who, flags: ['--umask', umask]});
    refused(t, result, {code: INVALID, says: '--umask', fix: /.*/});
  }
});

testBusybox.asEach('--group-add takes names of the container’s and numbers', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  const groups = (...flags: string[]) => answer(t, 'id -G', {...who, rootfs: `${rootfs}:O`, flags});
  t.is(await groups('--group-add', 'staff', '--group-add', '1234'), '0 50 1234\n');
  t.is(await groups('-u', '1000:1', '--group-add', 'staff', '--group-add', '1'), '1 50\n');
  const none = await runIn(['true'], {...who, rootfs: `${rootfs}:O`, flags: ['--group-add', 'nobodys']});
  refused(t, none, {code: 'ERR_KEELBOX_USER', says: 'unable to find group nobodys'});
  for (const id of ['4294967295', '4294967296']) {
    const junk = await runIn(['true'], {...who, rootfs: `${rootfs}:O`, flags: ['--group-add', id]});
    refused(t, junk, {code: 'ERR_KEELBOX_USER', says: id});
  }
});

test.asUser('--group-add keep-groups keeps the groups of the caller, and their rights', async (t, who) => {
  if (!who.asUser) return void t.pass('only root can give the caller a group');
  const {root, home, env} = ownState(who);
  const {uid, gid} = testUser();
  const secret = path.join(home, 'secret');
  writeFileSync(secret, 'shared\n', {mode: 0o640});
  execFileSync('chown', ['0:4321', secret]);
  const command = (flags: string[]) => [
    ...['--reuid', `${uid}`, '--regid', `${gid}`, '--groups', `${gid},4321`, process.execPath, '--', 'dist/cli.cjs'],
    ...['--root', root, 'run', '--rm', ...flags, '-v', `${secret}:/secret`, 'host', '--', 'cat', '/secret'],
  ];
  const run = (flags: string[]) =>
    execFileSync('setpriv', command(flags), {
      encoding: 'utf8',
      stdio: 'pipe',
      env: {...process.env, ...env, HOME: home},
    });
  t.is(run(['--group-add', 'keep-groups']), 'shared\n');
  t.throws(() => run([]), {message: /Permission denied/});
});

test.asRoot('--group-add keep-groups is not for root, whose groups are this machine’s', async t => {
  const result = await runIn(['true'], {flags: ['--group-add', 'keep-groups']});
  refused(t, result, {code: INVALID, says: 'cannot keep the caller’s groups'.replace('’', "'"), why: 'root'});
});

test.asEach('--oom-score-adj is the command’s, and a lower one than the caller’s is not given', async (t, who) => {
  const score = (value: string) => inside('cat /proc/self/oom_score_adj', {...who, flags: ['--oom-score-adj', value]});
  t.is((await score('500')).stdout, '500\n');
  const {stdout, stderr, exitCode} = await score('-900');
  t.is(exitCode, 0, stderr);
  if (stdout !== '-900\n') t.regex(stderr, /^notice: --oom-score-adj -900: .*the container gets -?\d+\n$/);
  for (const value of ['1001', '-1001']) {
    const result = await runIn(['true'], {...who, flags: ['--oom-score-adj', value]});
    refused(t, result, {code: INVALID, says: `--oom-score-adj ${value}`});
  }
});

test.asEach('--sysctl changes the container’s own settings, not the host’s', async (t, who) => {
  const host = readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8');
  const flags = ['--sysctl', 'net.ipv4.ip_forward=1', '--sysctl', 'net/ipv4/conf/lo/forwarding=1'];
  const script = 'cd /proc/sys/net/ipv4; cat ip_forward conf/lo/forwarding; echo 0 > ip_forward && echo changed';
  const {stdout} = await inside(script, {...who, flags});
  t.is(stdout, '1\n1\n');
  t.is(readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'), host);
});

test.asEach('--sysctl of the IPC namespace, or a clear word that this kernel does not let us', async (t, who) => {
  const host = readFileSync('/proc/sys/kernel/shmmax', 'utf8');
  const result = await inside('cat /proc/sys/kernel/shmmax', {...who, flags: ['--sysctl', 'kernel.shmmax=123456']});
  if (result.exitCode === 0) t.is(result.stdout, '123456\n');
  else refused(t, result, {code: 'ERR_KEELBOX_KERNEL', says: 'cannot set kernel.shmmax', why: 'first user namespace'});
  t.is(readFileSync('/proc/sys/kernel/shmmax', 'utf8'), host);
});

test.asEach(
  '--sysctl reaches no setting of the machine in any spelling (CVE-2022-0811, GO-2022-0363)',
  async (t, who) => {
    const read = () =>
      ['core_pattern', 'panic', 'hostname'].map(name => readFileSync(`/proc/sys/kernel/${name}`, 'utf8'));
    const before = read();
    for (const setting of [
      'kernel.core_pattern=|/bin/false',
      'kernel/core_pattern=|/bin/false',
      'net/../kernel/core_pattern=x',
      'net.//.kernel.core_pattern=x',
      'net/./../kernel/core_pattern=x',
      'net.ipv4.ip_forward+kernel.core_pattern=x',
      '/kernel/core_pattern=x',
      'fs.mqueue/../../kernel/core_pattern=x',
      'kernel.panic=1',
      'vm.overcommit_memory=1',
      'net=1',
      'net.ipv4.ip_forward',
      '=1',
    ]) {
      const args = ['run', '--rm', '--sysctl', setting, 'host', '--', 'true'];
      await refusedAndGone(t, args, {code: INVALID, says: '--sysctl'}, who);
    }
    const value = await runIn(['true'], {
      ...who,
      flags: ['--sysctl', 'kernel.shm_rmid_forced=1+kernel.core_pattern=x'],
    });
    refused(t, value, {code: 'ERR_KEELBOX_KERNEL', says: 'kernel.shm_rmid_forced'});
    t.deepEqual(read(), before);
  },
);

test.asEach('--sysctl net.* is refused with the host’s network, and hostname has a flag', async (t, who) => {
  const flags = ['--network', 'host', '--sysctl', 'net.ipv4.ip_forward=1'];
  refused(t, await runIn(['true'], {...who, flags}), {
    code: INVALID,
    says: '--sysctl',
    why: 'no network namespace',
    fix: '--network',
  });
  const named = await runIn(['true'], {...who, flags: ['--sysctl', 'kernel.hostname=x']});
  refused(t, named, {code: INVALID, says: '--sysctl', fix: '--hostname'});
});

test.asEach('--sysctl that the kernel does not have is an error that says so', async (t, who) => {
  const result = await runIn(['true'], {...who, flags: ['--sysctl', 'net.ipv4.no_such_setting=1']});
  refused(t, result, {code: 'ERR_KEELBOX_KERNEL', says: 'cannot set net.ipv4.no_such_setting', why: 'no such setting'});
});

test.asEach('--security-opt mask= hides files and folders, whatever they are', async (t, who) => {
  const flags = ['--security-opt', 'mask=/etc/passwd:/usr/share', '--security-opt', 'mask=/proc/uptime:/no/such'];
  const script =
    'cat /etc/passwd /proc/uptime | wc -c; ls /usr/share | wc -l; mkdir /usr/share/x 2>/dev/null && echo made';
  t.is((await inside(script, {...who, flags})).stdout, '0\n0\n');
  for (const bad of ['mask=etc/passwd', 'mask=', 'mask']) {
    refused(t, await runIn(['true'], {...who, flags: ['--security-opt', bad]}), {
      code: INVALID,
      says: '--security-opt',
      fix: /.*/,
    });
  }
});

test.asEach('--security-opt unmask= shows what it names, by pattern, and nothing else', async (t, who) => {
  const masked = async (...flags: string[]) => {
    const mounts = await answer(t, 'cut -d " " -f 5 /proc/self/mountinfo', {...who, flags});
    return mounts.split('\n').filter(mount => /^\/(proc|sys)\/(?!fs\/cgroup)/.test(mount));
  };
  const usual = await masked();
  t.true(usual.includes('/proc/interrupts') && usual.includes('/proc/sys'));
  t.deepEqual(
    await masked('--security-opt', 'unmask=/proc/int*:/proc/sys'),
    usual.filter(mount => !/^\/proc\/(interrupts|sys)$/.test(mount)),
  );
  t.deepEqual(await masked('--security-opt', 'unmask=ALL'), []);
  t.deepEqual(await masked('--security-opt', 'unmask=all'), []);
});

test.asEach('--security-opt proc-opts=hidepid hides other users’ processes', async (t, who) => {
  const flags = ['--security-opt', 'proc-opts=hidepid=2', '-u', '1000'];
  t.is(await answer(t, 'grep -c " /proc .*hidepid=" /proc/self/mountinfo', {...who, flags}), '1\n');
  refused(t, await runIn(['true'], {...who, flags: ['--security-opt', 'proc-opts=subset=pid']}), {
    code: INVALID,
    says: 'subset=pid',
  });
});

test.asEach('--security-opt label= is refused where it would not be applied (CVE-2025-64750)', async (t, who) => {
  t.is((await runIn(['true'], {...who, flags: ['--security-opt', 'label=disable']})).exitCode, 0);
  for (const label of ['label=type:container_t', 'label:level:s0', 'label=user:u', 'label=role:r']) {
    refused(t, await runIn(['true'], {...who, flags: ['--security-opt', label]}), {code: INVALID, says: label});
  }
});

const noApparmor = {name: 'a kernel without AppArmor', isThere: () => !existsSync('/sys/kernel/security/apparmor')};

test
  .needing(noApparmor)
  .asEach('a named AppArmor profile that cannot be applied is an error (CVE-2025-65105)', async (t, who) => {
    const args = ['run', '--rm', '--security-opt', 'apparmor=docker-default', 'host', '--', 'true'];
    await refusedAndGone(t, args, {code: INVALID, says: 'AppArmor', why: 'not have AppArmor'}, who);
    t.is((await runIn(['true'], {...who, flags: ['--security-opt', 'apparmor:unconfined']})).exitCode, 0);
  });

test.asEach('--security-opt refuses words that nobody knows', async (t, who) => {
  for (const option of ['no-new-privilege', 'sekkomp=unconfined', 'toString=1', '']) {
    const result = await runIn(['true'], {...who, flags: ['--security-opt', option]});
    refused(t, result, {code: INVALID, says: '--security-opt', why: 'seccomp', fix: /.*/});
  }
});

test.asEach('--cap-add and --cap-drop refuse a name that is none, and name a near one', async (t, who) => {
  refused(t, await runIn(['true'], {...who, flags: ['--cap-add', 'NET_ADMN']}), {
    code: INVALID,
    says: '--cap-add NET_ADMN',
    fix: 'CAP_NET_ADMIN',
  });
  refused(t, await runIn(['true'], {...who, flags: ['--cap-drop', 'CAP_']}), {code: INVALID, says: '--cap-drop CAP_'});
});

test.asEach('--cap-add and --cap-drop in docker’s order: ALL first, single names next', async (t, who) => {
  const bounding = async (...flags: string[]) =>
    (await answer(t, 'grep CapBnd /proc/self/status', {...who, flags: ['-q', ...flags]})).split('\t')[1]?.trim();
  t.is(await bounding('--cap-drop', 'all', '--cap-add', 'Cap_Chown'), '0000000000000001');
  t.is(await bounding('--cap-add', 'chown', '--cap-drop', 'ALL'), '0000000000000001');
  t.is(await bounding('--cap-add', 'NET_RAW', '--cap-drop', 'NET_RAW'), '00000000800405fb');
});

for (const cve of ['CVE-2022-24769', 'CVE-2022-27649', 'CVE-2022-27651', 'CVE-2022-27652', 'CVE-2022-29162']) {
  const flags = {
    'CVE-2022-24769': [],
    'CVE-2022-27649': ['--cap-add', 'NET_ADMIN'],
    'CVE-2022-27651': ['-u', '1000'],
    'CVE-2022-27652': ['--privileged', '-q'],
    'CVE-2022-29162': ['--init'],
  }[cve];
  test.asEach(`nothing is inheritable or ambient: ${flags?.join(' ') || 'by default'} (${cve})`, async (t, who) => {
    const found = await answer(t, 'grep -E "^Cap(Inh|Amb)" /proc/self/status | cut -f 2', {...who, flags: flags ?? []});
    t.is(found, '0000000000000000\n0000000000000000\n');
  });
}

test.asEach(
  '--label, --label-file and --annotation are recorded and change nothing (CVE-2026-119101, CVE-2024-3154)',
  async (t, who) => {
    const state = ownState(who);
    const file = path.join(state.home, 'labels');
    writeFileSync(file, '# words\nfrom=file\nboth=file\n\n');
    const status =
      'grep -E "^(CapEff|CapBnd|Seccomp|NoNewPrivs|Groups)" /proc/self/status; cat /proc/self/uid_map | wc -l';
    const run = async (name: string, flags: string[]) => {
      const args = ['run', '--name', name, ...flags, 'host', '--', 'sh', '-c', status];
      const {stdout, stderr, exitCode} = await keelbox(args, {...who, env: state.env});
      t.is(exitCode, 0, stderr);
      return stdout;
    };
    const words = [
      'run.oci.seccomp_fail_unknown_syscall=1',
      'run.oci.keep_original_groups=1',
      'run.oci.seccomp.plugins=x',
      'org.systemd.property.ExecStartPre=/bin/false',
      'io.podman.annotations.privileged=TRUE',
      'io.kubernetes.cri-o.userns-mode=host',
      'module.wasm.image/variant=compat',
    ];
    const plain = await run('plain', []);
    const flags = words.flatMap(word => ['--annotation', word, '--label', word]);
    const marked = await run('marked', [...flags, '--label-file', file, '-l', 'both=flag', '-l', 'bare']);
    t.is(marked, plain);
    const configs = readdirSync(path.join(state.root, 'containers')).map(id =>
      JSON.parse(readFileSync(path.join(state.root, 'containers', id, 'config.json'), 'utf8')),
    );
    const config = configs.find(({name}) => name === 'marked');
    t.like(config.labels, {from: 'file', both: 'flag', bare: '', 'run.oci.keep_original_groups': '1'});
    t.deepEqual(Object.keys(config.annotations).length, words.length);
    t.is((await keelbox(['rm', 'plain', 'marked'], {...who, env: state.env})).exitCode, 0);
  },
);

test.asEach('--annotation needs a value and --label a key', async (t, who) => {
  for (const flags of [
    ['--annotation', 'a'],
    ['--annotation', '=b'],
    ['--label', '=b'],
    ['-l', ''],
    ['--label-file', '/no/such'],
  ]) {
    refused(t, await runIn(['true'], {...who, flags}), {
      code: INVALID,
      says: flags[0]?.replace(/^-l$/, '--label') ?? '',
      fix: /.*/,
    });
  }
});

test.asEach('--env-host passes the caller’s variables on, -e wins over them', async (t, who) => {
  const flags = ['--env-host', '-e', 'ONE=flag'];
  const script = 'echo $ONE $TWO';
  t.is(await answer(t, script, {...who, flags, env: {ONE: 'caller', TWO: 'two words'}}), 'flag two words\n');
  t.is(await answer(t, script, {...who, env: {ONE: 'caller', TWO: 'two'}}), '\n');
});

test.asEach('--unsetenv and --unsetenv-all leave variables out, not those that are asked for', async (t, who) => {
  const names = async (...flags: string[]) =>
    (await answer(t, 'tr "\\0" "\\n" < /proc/1/environ | cut -d = -f 1 | sort | tr "\\n" " "', {...who, flags})).trim();
  t.is(await names('--unsetenv', 'HOSTNAME'), 'HOME PATH');
  t.is(await names('--unsetenv', 'PATH', '-e', 'A=1'), 'A HOME HOSTNAME');
  t.is(await names('--unsetenv-all', '-e', 'A=1', '-e', 'PATH=/bin'), 'A HOME PATH');
});

test.asEach('a variable cannot smuggle another in (CVE-2026-23953)', async (t, who) => {
  const flags = ['-e', 'A=1\nB=2'];
  t.is(
    await answer(t, 'tr "\\0" "\\n" < /proc/1/environ | grep -c "^B="; printenv B; echo "$A"', {...who, flags}),
    '1\n1\nB=2\n',
  );
  refused(t, await runIn(['true'], {...who, flags: ['-e', 'A\nB=1']}), {
    code: INVALID,
    says: 'invalid variable',
    fix: /.*/,
  });
});

test.asEach('--domainname and --personality are the container’s own', async (t, who) => {
  const host = readFileSync('/proc/sys/kernel/domainname', 'utf8');
  t.is(
    await answer(t, 'cat /proc/sys/kernel/domainname', {...who, flags: ['--domainname', 'inner.example']}),
    'inner.example\n',
  );
  t.is(readFileSync('/proc/sys/kernel/domainname', 'utf8'), host);
  if (process.arch === 'x64')
    t.is(await answer(t, 'uname -m', {...who, flags: ['--personality', 'LINUX32']}), 'i686\n');
  refused(t, await runIn(['true'], {...who, flags: ['--domainname', 'a b']}), {code: INVALID, says: 'domain name'});
});

testBusybox.asEach('--no-hosts and --no-hostname leave the image’s files', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  for (const name of ['hosts', 'hostname']) writeFileSync(path.join(rootfs, 'etc', name), `image's ${name}\n`);
  const read = (...flags: string[]) =>
    answer(t, 'cat /etc/hosts /etc/hostname', {...who, rootfs: `${rootfs}:O`, flags});
  t.is(await read('--no-hosts', '--no-hostname'), "image's hosts\nimage's hostname\n");
  t.regex(await read('--no-hosts'), /^image's hosts\n[0-9a-f]{12}\n$/);
});

/** Rows of the ledger whose cases are these flags' too. */
const parsed: Record<string, (who: Who) => string[]> = {
  'CVE-2024-40635': () => ['-u', '4294967296'],
  'CVE-2026-46680': () => ['-u', '0:4294967296'],
};
for (const [cve, flags] of Object.entries(parsed)) {
  test.asEach(`an id that is too big is nobody’s, never root’s (${cve})`, async (t, who) => {
    refused(t, await runIn(['id'], {...who, flags: flags(who)}), {code: 'ERR_KEELBOX_USER', says: '4294967296'});
  });
}
