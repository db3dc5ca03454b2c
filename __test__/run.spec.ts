/** The container that nobody configured: what it is, what it has, and what of the host it does not see. */
import {spawn} from 'node:child_process';
import {closeSync, existsSync, openSync, readFileSync, readlinkSync} from 'node:fs';
import {text} from 'node:stream/consumers';
import {command, keelbox, specFolder, testUser} from './helpers/cli';
import {answer, inside, runIn} from './helpers/inside';
import {IS_ROOT, lane, type Who} from './helpers/lane';

const test = lane({host: true, guest: true, rootless: true});

/** Whether the keelbox of this test has an ordinary user's rights. */
const isRootless = ({asUser}: Who) => asUser || !IS_ROOT;

const fields = (status: string) =>
  Object.fromEntries(status.split('\n').map(line => [line.split(':')[0], line.split(':')[1]?.trim()]));

test.asEach('says hello from a host name of its own, as pid 1', async (t, who) => {
  const {exitCode, stdout, stderr} = await inside('echo hello from $(hostname), pid $$', who);
  t.deepEqual([exitCode, stderr], [0, '']);
  t.regex(stdout, /^hello from [0-9a-f]{12}, pid 1\n$/);
});

test.asEach("cannot read the host's /etc/shadow, and finds /root and /home empty", async (t, who) => {
  t.true(existsSync('/etc/shadow'));
  const {stdout} = await inside('test -e /etc/shadow && echo there; cat /etc/shadow; ls -A /root /home', who);
  t.is(stdout, 'there\n/home:\n\n/root:\n');
});

test.asEach("sees none of the host's own folders, and none of its temporary files", async (t, who) => {
  t.true(existsSync(specFolder()));
  t.is(await answer(t, `ls -A /tmp /srv /mnt; ls -d ${specFolder()} || true`, who), '/mnt:\n\n/srv:\n\n/tmp:\n');
});

test.asEach('sees its own processes only, the first one pid 1', async (t, who) => {
  t.is(await answer(t, 'echo /proc/[0-9]*', who), '/proc/1\n');
});

test.needing('ps').asEach('ps -ef lists the command as pid 1 and itself', async (t, who) => {
  const lines = (await answer(t, 'ps -ef; true', who)).trimEnd().split('\n').slice(1);
  t.is(lines.length, 2, lines.join('\n'));
  t.regex(lines[0] ?? '', /^root +1 +0 .* sh -c ps -ef; true$/);
  t.regex(lines[1] ?? '', /^root +\d+ +1 .* ps -ef$/);
});

test.asEach('is root inside, with eleven capabilities, no_new_privs and a system call filter', async (t, who) => {
  const status = fields((await runIn(['cat', '/proc/self/status'], who)).stdout);
  t.like(status, {
    Uid: '0\t0\t0\t0',
    Gid: '0\t0\t0\t0',
    Groups: '0',
    CapInh: '0000000000000000',
    CapPrm: '00000000800405fb',
    CapEff: '00000000800405fb',
    CapBnd: '00000000800405fb',
    CapAmb: '0000000000000000',
    NoNewPrivs: '1',
    Seccomp: '2',
    Umask: '0022',
    SigBlk: '0000000000000000',
    SigIgn: '0000000000000000',
  });
  t.is((await runIn(['id'], who)).stdout, 'uid=0(root) gid=0(root) groups=0(root)\n');
});

test.asEach('its root is nobody outside: ids of its own, or the caller', async (t, who) => {
  const maps = await answer(t, 'cat /proc/self/uid_map; echo; cat /proc/self/gid_map', who);
  for (const map of maps.split('\n\n')) {
    const [first, second] = map
      .trim()
      .split('\n')
      .map(line => line.trim().split(/ +/).map(Number));
    if (isRootless(who)) {
      t.deepEqual(first, [0, who.asUser ? testUser().uid : (process.getuid?.() ?? 0), 1]);
      t.is(second?.[0] ?? 1, 1);
    } else {
      t.is(first?.[0], 0);
      t.true((first?.[1] ?? 0) >= 65_536);
      t.is(first?.[2], 65_536);
      t.is(second, undefined);
    }
  }
});

test.asRoot('two containers at a time have ids that do not overlap', async t => {
  const starts = await Promise.all(
    Array.from({length: 4}, () => answer(t, 'read inside outside count < /proc/self/uid_map; echo $outside; sleep 1')),
  );
  const bases = starts.map(Number).sort((a, b) => a - b);
  for (const [index, base] of bases.entries()) {
    if (index > 0) t.true(base - (bases[index - 1] ?? 0) >= 65_536, bases.join(' '));
  }
});

test.asEach('every namespace is its own', async (t, who) => {
  const kinds = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'];
  const found = await answer(t, `cd /proc/self/ns; for ns in ${kinds.join(' ')}; do readlink $ns; done`, who);
  t.deepEqual(
    found
      .trim()
      .split('\n')
      .map(link => link.split(':')[0]),
    kinds,
  );
  for (const [index, link] of found.trim().split('\n').entries())
    t.not(link, readlinkSync(`/proc/self/ns/${kinds[index]}`));
});

test.asEach('leads a session and a process group of its own, without a terminal', async (t, who) => {
  const stat = await answer(t, 'cat /proc/1/stat', who);
  const [, parent, group, session, terminal] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  t.deepEqual([parent, group, session, terminal], ['0', '1', '1', '0']);
});

test.asEach('has three open files, whatever the caller leaks', async (t, who) => {
  const leaked = [openSync('/', 'r'), openSync('/etc/passwd', 'r'), openSync(specFolder(), 'r')];
  const {file, args, options} = command(['run', '--rm', 'host', '--', 'sh', '-c', 'ls /proc/1/fd; true'], who);
  const child = spawn(file, args, {...options, stdio: ['ignore', 'pipe', 'inherit', ...leaked, ...leaked]});
  t.is(child.stdout && (await text(child.stdout)), '0\n1\n2\n');
  for (const fd of leaked) closeSync(fd);
});

test.asEach('has the usual limit of open files, no core files and the usual umask', async (t, who) => {
  t.is(await answer(t, 'ulimit -Sn; ulimit -Sc; umask', who), '1024\n0\n0022\n');
});

test.asEach('has PATH, HOSTNAME and HOME in its environment, and nothing else', async (t, who) => {
  const {stdout} = await runIn(['env'], {...who, env: {SECRET: 'token', LANG: 'C', NODE_OPTIONS: '', TERM: 'vt100'}});
  const environment = Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map(line => line.split('=')),
  );
  t.deepEqual(Object.keys(environment).sort(), ['HOME', 'HOSTNAME', 'PATH']);
  t.is(environment.PATH, '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin');
  t.is(environment.HOME, '/root');
  t.regex(environment.HOSTNAME ?? '', /^[0-9a-f]{12}$/);
});

test.asEach('has TERM too with a terminal of its own', async (t, who) => {
  const {stdout} = await runIn(['sh', '-c', 'env; tty; ls -1 /proc/1/fd; true'], {...who, flags: ['-t']});
  const names = stdout.match(/^[A-Z]+(?==)/gm)?.filter(name => name !== 'PWD');
  t.deepEqual(names?.sort(), ['HOME', 'HOSTNAME', 'PATH', 'TERM']);
  t.regex(stdout, /^\/dev\/(pts\/0|console)\r$/m);
  t.regex(stdout, /^0\r\n1\r\n2\r$/m);
});

test.asEach('mounts: an overlay, and kernel file systems that cannot be used against anybody', async (t, who) => {
  const lines = (await answer(t, 'cat /proc/self/mountinfo', who))
    .trim()
    .split('\n')
    .map(line => {
      const [before = '', after = ''] = line.split(' - ');
      const [, , , , target = '', options = '', ...tags] = before.split(' ');
      return {target, type: after.split(' ')[0] ?? '', options: options.split(','), tags};
    });
  const at = (target: string) => lines.findLast(line => line.target === target);
  const assertMount = (target: string, type: string, options: string[]) => {
    t.is(at(target)?.type, type, target);
    for (const option of options) t.true(at(target)?.options.includes(option), `${target}: ${option}`);
  };
  assertMount('/', 'overlay', ['rw']);
  assertMount('/proc', 'proc', ['nosuid', 'nodev', 'noexec']);
  assertMount('/proc/sys', 'proc', ['ro']);
  assertMount('/sys', 'sysfs', ['ro', 'nosuid', 'nodev', 'noexec']);
  assertMount('/dev', 'tmpfs', ['nosuid']);
  assertMount('/dev/pts', 'devpts', ['nosuid', 'noexec']);
  assertMount('/dev/shm', 'tmpfs', ['nosuid', 'nodev', 'noexec']);
  assertMount('/dev/mqueue', 'mqueue', ['nosuid', 'nodev', 'noexec']);
  for (const {target, options} of lines.filter(({type}) => /^cgroup2?$/.test(type)))
    t.true(options.includes('ro'), target);
  // What the host mounts later stays out, and what the container mounts stays in.
  t.deepEqual(
    lines.filter(({tags}) => tags.some(tag => /^(shared|master):/.test(tag))),
    [],
  );
  t.deepEqual(
    lines.filter(({target}) => target.includes('keelbox')),
    [],
  );
});

test.asEach('has the usual devices and no other', async (t, who) => {
  const names = (await answer(t, 'cd /dev && ls', who)).trim().split('\n');
  const usual = ['full', 'null', 'random', 'tty', 'urandom', 'zero'];
  const rest = ['core', 'fd', 'mqueue', 'ptmx', 'pts', 'shm', 'stderr', 'stdin', 'stdout'];
  t.deepEqual(names.sort(), [...usual, ...rest].sort());
  const numbers = await answer(t, `cd /dev && stat -c '%n %F %t:%T %a' ${usual.join(' ')}`, who);
  const node = (name: string, number: string) => `${name} character special file ${number} 666`;
  t.deepEqual(numbers.trim().split('\n'), [
    node('full', '1:7'),
    node('null', '1:3'),
    node('random', '1:8'),
    node('tty', '5:0'),
    node('urandom', '1:9'),
    node('zero', '1:5'),
  ]);
  t.is(
    await answer(t, 'echo x > /dev/null && head -c 3 /dev/zero | wc -c && (echo x > /dev/full || echo full)', who),
    '3\nfull\n',
  );
});

test.asEach("cannot make a device node of the host's disk", async (t, who) => {
  const script = 'mknod /tmp/disk b 254 0 || echo refused; mknod /dev/mem c 1 1 || echo refused';
  t.is(await answer(t, script, who), 'refused\nrefused\n');
});

test.asEach('is at the root of its own cgroups, and cannot change them', async (t, who) => {
  const cgroups = (await answer(t, 'cat /proc/self/cgroup', who)).trim().split('\n');
  for (const line of cgroups) t.regex(line, /:\/$/);
  const {stdout} = await inside(
    `grep -E ' cgroup2? ' /proc/mounts | while read what where type rest; do
       mkdir $where/x && echo made; echo 0 > $where/cgroup.procs && echo joined; echo $type; done`,
    who,
  );
  t.regex(stdout, /^(cgroup2?\n)*$/);
});

test.asRoot('may have 2048 processes', async t => {
  t.is(await answer(t, 'cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null; true'), '2048\n');
});

test.asEach('has a loopback interface that is up, and no other', async (t, who) => {
  t.is(await answer(t, 'ls /sys/class/net; cat /sys/class/net/lo/flags', who), 'lo\n0x9\n');
  t.regex(await answer(t, 'cat /proc/net/fib_trie', who), /127\.0\.0\.1/);
});

test.needing('perl').asEach('any user of it may listen on port 80', async (t, who) => {
  const listen = `perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 0); bind(S, sockaddr_in(80, INADDR_LOOPBACK)) or die $!; listen(S, 1);
    socket(C, PF_INET, SOCK_STREAM, 0); connect(C, sockaddr_in(80, INADDR_LOOPBACK)) or die $!; print "connected"'`;
  t.is(await answer(t, listen, {...who, flags: ['-u', '1000']}), 'connected');
});

test.asEach('--network host shares the network namespace, none does not', async (t, who) => {
  const own = readlinkSync('/proc/self/ns/net');
  t.is((await runIn(['readlink', '/proc/self/ns/net'], {...who, flags: ['--network', 'host']})).stdout, `${own}\n`);
  t.not((await runIn(['readlink', '/proc/self/ns/net'], {...who, flags: ['--net=none']})).stdout, `${own}\n`);
});

test.asEach("with --network host, neither the host's /sys nor its network settings can be changed", async (t, who) => {
  const forward = readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8');
  const other = forward.trim() === '1' ? 0 : 1;
  const script = `echo ${other} > /proc/sys/net/ipv4/ip_forward || echo refused; echo 9000 > /sys/class/net/lo/mtu || echo refused`;
  t.is((await inside(script, {...who, flags: ['--network', 'host']})).stdout, 'refused\nrefused\n');
  t.is(readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'), forward);
});

test.asEach('has files of its own for its name', async (t, who) => {
  const [name, file, hosts] = (
    await answer(t, 'hostname; cat /etc/hostname; grep $(hostname) /etc/hosts; grep -c localhost /etc/hosts', who)
  ).split('\n');
  t.is(file, name);
  t.regex(hosts ?? '', new RegExp(`^127\\.\\S+\\s+${name}$`));
});

test.asEach("can write to its root without the host's getting any of it", async (t, who) => {
  await answer(t, 'echo x > /keelbox-test-file; echo x > /var/keelbox-test-file; echo x > /tmp/keelbox-test-file', who);
  t.false(['', '/var', '/tmp'].some(folder => existsSync(`${folder}/keelbox-test-file`)));
  t.is((await runIn(['ls', '/keelbox-test-file'], who)).exitCode, 2);
});

test.asRoot('can change system programs, in its own copy', async t => {
  t.is(
    await answer(t, 'echo changed > /usr/bin/env; cat /usr/bin/env; rm -r /usr/share; ls /usr | grep -c share || true'),
    'changed\n0\n',
  );
  t.true(existsSync('/usr/share'));
  t.notRegex(readFileSync('/usr/bin/env', 'latin1'), /^changed/);
});

test.asUser('cannot change system programs', async (t, who) => {
  t.not((await inside('echo changed > /usr/bin/env', who)).exitCode, 0);
});

test.asEach("ends with the command's exit code, and its output apart", async (t, who) => {
  const {exitCode, stdout, stderr} = await inside('echo out; echo err >&2; exit 7', who);
  t.deepEqual([exitCode, stdout, stderr], [7, 'out\n', 'err\n']);
});

test.asEach('has an empty stdin without -i, the caller’s bytes with it', async (t, who) => {
  const input = Buffer.from(Array.from({length: 1000}, (_, byte) => byte % 256));
  t.is((await runIn(['cat'], {...who, input})).stdout, '');
  t.deepEqual((await runIn(['cat'], {...who, input, flags: ['-i']})).bytes, input);
});

test.asEach('runs a shell when no command is given', async (t, who) => {
  t.is((await keelbox(['run', '--rm', '-i', 'host'], {...who, input: 'echo $((6 * 7))'})).stdout, '42\n');
});
