/** What of the kernel a container can reach: masked and read-only paths, refused system calls, and what is its own. */
import {execFileSync, spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {existsSync, mkdtempSync, readdirSync, readFileSync, statSync} from 'node:fs';
import path from 'node:path';
import {homeOf, keelbox, specFolder, testUser} from './helpers/cli';
import {answer, inside, runIn} from './helpers/inside';
import {lane, type Need} from './helpers/lane';

const test = lane({host: true, guest: true, rootless: true});
const x64: Need = {name: 'x86-64', isThere: () => process.arch === 'x64'};
const withPerl = test.needing('perl', x64);

const MASKED_FILES = [
  ...['config.gz', 'interrupts', 'kallsyms', 'kcore', 'key-users', 'keys', 'kmsg', 'kpagecgroup', 'kpagecount'],
  ...['kpageflags', 'latency_stats', 'sched_debug', 'slabinfo', 'timer_list', 'timer_stats', 'vmallocinfo'],
]
  .map(name => `/proc/${name}`)
  .concat('/sys/kernel/notes', '/sys/kernel/vmcoreinfo');
const MASKED_FOLDERS = [
  ...['/proc/acpi', '/proc/asound', '/proc/scsi', '/sys/firmware', '/sys/devices/virtual/powercap'],
  ...['/sys/fs/selinux', '/sys/kernel/debug', '/sys/kernel/tracing', '/sys/kernel/security'],
  ...['/sys/devices/system/cpu/cpu0/thermal_throttle'],
];
const EPERM = '1';
const ENOSYS = '38';

test.asEach('every masked file that this kernel has is there, and empty', async (t, who) => {
  const files = MASKED_FILES.filter(file => existsSync(file));
  t.true(files.length >= 5, files.join(' '));
  const found = await answer(t, `for f in ${files.join(' ')}; do echo $f $(timeout 5 head -c 1 $f | wc -c); done`, who);
  t.deepEqual(
    found.trim().split('\n'),
    files.map(file => `${file} 0`),
  );
});

test.asEach('every masked folder that this kernel has is there, empty and read-only', async (t, who) => {
  const folders = MASKED_FOLDERS.filter(folder => existsSync(folder));
  t.true(folders.length >= 3, folders.join(' '));
  const script = `for d in ${folders.join(' ')}; do echo $d $(ls -A $d | wc -l); mkdir $d/x && echo made; done`;
  const {stdout} = await inside(script, who);
  t.deepEqual(
    stdout.trim().split('\n'),
    folders.map(folder => `${folder} 0`),
  );
});

test.asEach('masks cannot be taken away', async (t, who) => {
  const script =
    'umount /proc/kallsyms && echo gone; umount -l /sys/firmware && echo gone; mount -t proc proc /mnt && echo fresh; head -c 1 /proc/kallsyms | wc -c';
  t.is((await inside(script, who)).stdout, '0\n');
});

test.asEach('no file of /proc/sys, /proc/irq, /proc/bus, /proc/fs or /sys can be written to', async (t, who) => {
  t.is(
    await answer(
      t,
      'find /proc/sys /proc/irq /proc/bus /proc/fs /sys -type f -writable 2>/dev/null | while read f; do test -c $f || echo $f; done',
      who,
    ),
    '',
  );
});

test.asEach('settings of the container’s own namespaces are read-only too', async (t, who) => {
  const files = [
    '/proc/sys/net/ipv4/ip_forward',
    '/proc/sys/kernel/shmmax',
    '/proc/sys/net/ipv4/ip_unprivileged_port_start',
  ];
  const script = files.map(file => `cp ${file} /tmp/v && cp /tmp/v ${file} || echo refused`).join('; ');
  const {stdout, stderr} = await inside(script, who);
  t.is(stdout, 'refused\n'.repeat(files.length));
  t.regex(stderr, /Read-only file system/);
});

test.asEach('core_pattern, sysrq-trigger and the like keep their values', async (t, who) => {
  const files = [
    '/proc/sys/kernel/core_pattern',
    '/proc/sys/kernel/modprobe',
    '/proc/sys/vm/overcommit_memory',
    '/proc/sys/kernel/hostname',
  ];
  const read = () => files.map(file => (existsSync(file) ? readFileSync(file, 'utf8') : ''));
  const before = read();
  const all = [...files, '/proc/sysrq-trigger', '/proc/sys/vm/drop_caches', '/sys/power/state'];
  const script = all.map(file => `echo 1 > ${file} && echo "wrote ${file}"`).join('; ');
  t.is((await inside(`${script}; true`, who)).stdout, '');
  t.deepEqual(read(), before);
});

const REFUSED: Record<string, [number, ...(number | string)[]]> = {
  mount: [165, 0, 0, 0, 0, 0],
  umount2: [166, 0, 0],
  pivot_root: [155, 0, 0],
  reboot: [169, 0xfee1dead, 672274793, 0, 0],
  swapon: [167, 0, 0],
  keyctl: [250, 0, -3, 0],
  add_key: [248, 0, 0, 0, 0, 0],
  request_key: [249, 0, 0, 0, 0],
  bpf: [321, 0, 0, 0],
  'unshare(CLONE_NEWUSER)': [272, 0x10000000],
  'unshare(CLONE_NEWNS)': [272, 0x20000],
  'clone(CLONE_NEWUSER)': [56, 0x10000011, 0, 0, 0, 0],
  setns: [308, 0, 0],
  init_module: [175, 0, 0, 0],
  finit_module: [313, -1, 0, 0],
  delete_module: [176, 0, 0],
  kexec_load: [246, 0, 0, 0, 0],
  perf_event_open: [298, 0, 0, 0, 0, 0],
  userfaultfd: [323, 0],
  io_uring_setup: [425, 1, 0],
  open_by_handle_at: [304, -1, 0, 0],
  fsopen: [430, 0, 0],
  open_tree: [428, -1, 0, 0],
  move_mount: [429, -1, 0, -1, 0, 0],
  mount_setattr: [442, -1, 0, 0, 0, 0],
  fanotify_init: [300, 0, 0],
  quotactl: [179, 0, 0, 0, 0],
  acct: [163, 0],
  settimeofday: [164, 0, 0],
  clock_settime: [227, 0, 0],
  iopl: [172, 3],
  ioperm: [173, 0, 1, 1],
  sethostname: [170, 0, 0],
  syslog: [103, 3, 0, 0],
  vmsplice: [278, -1, 0, 0, 0],
  kcmp: [312, 1, 1, 0, 0, 0],
  vhangup: [153],
};

/** The errno of each call, by its name; `0` when it succeeded. */
const probe = (calls: Record<string, (number | string)[]>) =>
  `perl -e '${Object.entries(calls)
    .map(([name, args]) => `$! = 0; $r = syscall(${args.join(', ')}); print "${name} ", $r == -1 ? $! + 0 : 0, "\\n";`)
    .join(' ')}'`;

withPerl.asEach(
  'system calls that containers do not need are refused with EPERM (CVE-2022-0185, CVE-2023-32233, CVE-2024-1086)',
  async (t, who) => {
    const found = (await answer(t, probe(REFUSED), who)).trim().split('\n');
    t.deepEqual(
      found,
      Object.keys(REFUSED).map(name => `${name} ${EPERM}`),
    );
  },
);

withPerl.asEach('for some of them it is the filter alone that refuses', async (t, who) => {
  const {keyctl = [], vmsplice = [], kcmp = []} = REFUSED;
  const calls = {keyctl, vmsplice, kcmp, unshare: [272, 0x10000000]};
  const found = await answer(t, probe(calls), {...who, flags: ['--security-opt', 'seccomp=unconfined']});
  for (const line of found.trim().split('\n')) t.notRegex(line, / 1$/);
});

withPerl.asEach(
  'clone3 and numbers that no kernel has yet do not exist, so that libraries fall back',
  async (t, who) => {
    const found = await answer(t, probe({clone3: [435, 0, 0], future: [999, 0]}), who);
    t.is(found, `clone3 ${ENOSYS}\nfuture ${ENOSYS}\n`);
  },
);

const FAMILIES = {AF_ALG: 38, AF_VSOCK: 40, AF_PACKET: 17, AF_XDP: 44, AF_RDS: 21, AF_CAN: 29};

withPerl.asEach('sockets of families with a past are refused, the usual ones work (CVE-2026-31431)', async (t, who) => {
  const sockets = (families: Record<string, number | string>) =>
    Object.fromEntries(
      Object.entries(families).map(([name, family]) => [name, [41, family, name === 'AF_ALG' ? 5 : 2, 0]]),
    );
  const refusedOnes = await answer(t, probe(sockets(FAMILIES)), who);
  t.deepEqual(
    refusedOnes.trim().split('\n'),
    Object.keys(FAMILIES).map(name => `${name} ${EPERM}`),
  );
  t.is(
    await answer(t, probe(sockets({AF_UNIX: 1, AF_INET: 2, AF_INET6: 10, AF_NETLINK: 16})), who),
    'AF_UNIX 0\nAF_INET 0\nAF_INET6 0\nAF_NETLINK 0\n',
  );
});

withPerl.asEach(
  'the filter looks at what the kernel looks at: high bits and x32 numbers do not help (CVE-2026-123876)',
  async (t, who) => {
    const found = await answer(
      t,
      probe({high: [41, '0x100000026', 5, 0], x32: ['0x40000000 | 41', 38, 5, 0], x32read: ['0x40000000 | 39']}),
      who,
    );
    const [high, ...x32] = found.trim().split('\n');
    t.is(high, `high ${EPERM}`);
    for (const line of x32) t.regex(line, / (1|38)$/);
  },
);

withPerl.asEach('--cap-add NET_RAW brings AF_PACKET back', async (t, who) => {
  t.is(await answer(t, probe({AF_PACKET: [41, 17, 3, 0]}), {...who, flags: ['--cap-add', 'NET_RAW']}), 'AF_PACKET 0\n');
});

withPerl.asEach('ping needs no capability: a datagram socket for ICMP opens', async (t, who) => {
  t.is(await answer(t, probe({ping: [41, 2, 2, 1]}), {...who, flags: ['-u', '1000', '--cap-drop', 'ALL']}), 'ping 0\n');
});

withPerl.asEach('nothing can be typed into a terminal (CVE-2016-10124, CVE-2017-5226)', async (t, who) => {
  const ioctl = (request: string) =>
    `$! = 0; $b = "x"; $r = syscall(16, 0, ${request}, $b); print $r == -1 ? $! + 0 : 0, "\\n";`;
  const script = `perl -e '${['0x5412', '0x541c', '0x100005412'].map(ioctl).join(' ')}'`;
  const {stdout} = await inside(script, {...who, flags: ['-t']});
  t.is(stdout, `${EPERM}\r\n`.repeat(3));
});

withPerl.asEach('has a session keyring of its own', async (t, who) => {
  const question = 'print syscall(250, 0, -3, 0)';
  const account = who.asUser ? testUser() : {};
  const own = execFileSync('perl', ['-e', question], {...account, cwd: '/', encoding: 'utf8'});
  const found = await answer(t, `perl -e '${question}'`, {...who, flags: ['--security-opt', 'seccomp=unconfined']});
  t.regex(found, /^\d+$/);
  t.not(found, own);
});

test.asEach('kill -1 reaches nobody outside', async (t, who) => {
  const bystander = spawn('sleep', ['1000'], {stdio: 'ignore', cwd: '/', ...(who.asUser ? testUser() : {})});
  t.teardown(() => bystander.kill('SIGKILL'));
  await new Promise(done => bystander.on('spawn', done));
  await inside('kill -9 -1; kill -9 $(seq 2 4000) 2>/dev/null; true', who);
  t.is(bystander.exitCode ?? bystander.signalCode, null);
  t.true(existsSync(`/proc/${bystander.pid}`));
});

test.asEach('what the first process shows of itself is the command and its environment', async (t, who) => {
  const {stdout} = await inside(
    'tr "\\0" "\\n" < /proc/1/cmdline | head -2; tr "\\0" "\\n" < /proc/1/environ | cut -d = -f 1 | sort',
    who,
  );
  t.is(stdout, 'sh\n-c\nHOME\nHOSTNAME\nPATH\n');
});

for (const flags of [[], ['--init']]) {
  test.asEach(
    `keelbox’s own executable can be neither read nor changed from inside ${flags.join('')} (CVE-2019-5736)`,
    async (t, who) => {
      const runtime = path.join(specFolder(), 'dist/native/keelbox-runtime');
      const hash = () => createHash('sha256').update(readFileSync(runtime)).digest('hex');
      const [before, {mode, uid, mtimeMs}] = [hash(), statSync(runtime)];
      // With --init pid 1 is keelbox; a command that is /proc/self/exe would be keelbox again.
      const script = `for p in /proc/[0-9]*; do cat $p/exe 2>/dev/null | grep -q 'keelbox-runtime supervise' && echo "read $p"; echo x 2>/dev/null >> $p/exe && echo "wrote $p"; done; true`;
      t.is((await inside(script, {...who, flags})).stdout, '');
      await runIn(['/proc/self/exe', 'sh', '-c', 'echo x >> /proc/self/exe'], {...who, flags});
      t.is(hash(), before);
      t.like(statSync(runtime), {mode, uid, mtimeMs});
    },
  );
}

test.asEach('with --network host there is no socket of ours to talk to (CVE-2020-15257)', async (t, who) => {
  const sockets = await answer(t, 'cat /proc/net/unix', {...who, flags: ['--network', 'host']});
  t.regex(sockets, /^Num/);
  t.notRegex(sockets, /@\S*keelbox/);
});

test.asEach('the container’s user cannot trace or signal what keelbox runs outside', async (t, who) => {
  // Other processes are in no /proc of its own, whatever user namespace they are in.
  const look = 'set -- /proc/[0-9]*; echo $#';
  t.is(await answer(t, look, {...who, flags: ['-u', '1000']}), '1\n');
});

test.asEach(
  'nobody else can enter the folders that keelbox makes (CVE-2021-41091, CVE-2021-41103, CVE-2024-25621, CVE-2025-4953)',
  async (t, who) => {
    const parent = mkdtempSync(path.join(homeOf(who.asUser).home, 'state-'));
    if (who.asUser) execFileSync('chown', [String(testUser().uid), parent]);
    const env = {KEELBOX_ROOT: path.join(parent, 'root'), KEELBOX_RUNROOT: path.join(parent, 'run')};
    t.is(
      (await keelbox(['run', '--name', 'kept', 'host', '--', 'sh', '-c', 'echo x > /x'], {...who, env})).exitCode,
      0,
    );
    for (const folder of Object.values(env)) {
      t.is(statSync(folder).mode & 0o077, 0, folder);
      t.true(readdirSync(folder).length > 0);
    }
    t.is((await keelbox(['rm', 'kept'], {...who, env})).exitCode, 0);
  },
);
