/** `keelbox exec`: where a command is, who it is, what it may do, how it ends, and what a hostile container gets of it. */
import {spawn} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import {text} from 'node:stream/consumers';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {command, keelbox, specFolder, testUser} from './helpers/cli';
import {IS_ROOT, lane, patience, scaled, type Who} from './helpers/lane';
import {PYTHON, Terminal} from './helpers/pty';
import {running} from './helpers/running';

const test = lane({host: true, guest: true, rootless: true});
const isRootless = ({asUser}: Who) => asUser || !IS_ROOT;
const KINDS = ['user', 'mnt', 'pid', 'uts', 'ipc', 'net', 'cgroup', 'time'];
const LINKS = KINDS.map(kind => `readlink /proc/self/ns/${kind}`).join('; ');

async function becomes(condition: () => Promise<boolean> | boolean, milliseconds = patience(40_000)): Promise<boolean> {
  for (const until = Date.now() + milliseconds; Date.now() < until; await sleep(20)) if (await condition()) return true;
  return false;
}

const FLAGS = [
  [],
  ['--network', 'host'],
  ['--pid', 'host'],
  ['--ipc', 'host', '--uts', 'host'],
  ['--cgroupns', 'host'],
];
for (const flags of FLAGS) {
  test.asEach(
    `a command is in every namespace of the container: ${flags.join(' ') || 'the usual ones'}`,
    async (t, who) => {
      const {pid, exec} = await running(t, who, flags);
      const {stdout, stderr} = await exec(['sh', '-c', LINKS]);
      const links = KINDS.map(kind => readlinkSync(`/proc/${pid}/ns/${kind}`));
      t.deepEqual(stdout.trim().split('\n'), links, stderr);
    },
  );
}

test.asRoot('a command is in every namespace of a container that has root’s own ids', async (t, who) => {
  const {pid, exec} = await running(t, who, ['--privileged']);
  const {stdout, stderr} = await exec(['sh', '-c', LINKS]);
  t.deepEqual(
    stdout.trim().split('\n'),
    KINDS.map(kind => readlinkSync(`/proc/${pid}/ns/${kind}`)),
    stderr,
  );
});

/** False: a process that is about to end is still in it. */
function isRemoved(group: string): boolean {
  try {
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
}

/** Makes a control group that is the ordinary user's, as systemd gives one to a service and another to a session. */
function delegated(t: ExecutionContext, name: string): string {
  const group = path.join('/sys/fs/cgroup', name);
  const {uid, gid} = testUser();
  mkdirSync(group);
  t.teardown(async () => {
    if (!(await becomes(() => isRemoved(group)))) throw new Error(`${group} stays in use`);
  });
  for (const file of [group, path.join(group, 'cgroup.procs')]) chownSync(file, uid, gid);
  return group;
}

/** On a machine whose control groups are the tests' own. */
const inGroups = lane({guest: true, systemd: true});

inGroups.asRoot('a user reaches a container that runs in another group of the user’s', async t => {
  const who = {asUser: true};
  const [service, session] = [delegated(t, 'keelbox-service'), delegated(t, 'keelbox-session')];
  const startIn = (group: string, args: string[]) => {
    const {file, args: all, options} = command(args, who);
    const {uid, gid, ...plain} = options;
    const script = `echo $$ >${group}/cgroup.procs && exec setpriv --reuid=${uid} --regid=${gid} --clear-groups -- "$@"`;
    return spawn('sh', ['-c', script, 'sh', file, ...all], {...plain, stdio: ['ignore', 'pipe', 'pipe']});
  };
  const container = startIn(service, [
    'run',
    '--rm',
    '--name',
    'served',
    'host',
    '--',
    'sh',
    '-c',
    'echo up; sleep 600',
  ]);
  const ended = once(container, 'close');
  t.teardown(async () => {
    await keelbox(['rm', '-f', 'served'], who);
    await ended;
  });
  t.is(String(await once(container.stdout, 'data')), 'up\n');
  const look = startIn(session, ['exec', 'served', 'sh', '-c', 'cat /proc/1/cmdline | tr "\\0" " "']);
  const [[stdout, stderr], [exitCode]] = await Promise.all([
    Promise.all([text(look.stdout), text(look.stderr)]),
    once(look, 'exit'),
  ]);
  t.is(stdout, 'sh -c echo up; sleep 600 ', stderr);
  t.is(exitCode, 0);
});

test.asEach('a command is in the control groups that the container is in', async (t, who) => {
  const {name, pid, exec} = await running(t, who);
  await keelbox(['exec', '-d', name, 'sleep', '591'], who);
  const {stdout} = await exec(['sh', '-c', 'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; echo; done']);
  t.regex(stdout, /sleep 591/);
  const host = readdirSync('/proc').find(
    each => /^\d+$/.test(each) && commandLine(each) === 'sleep 591 ' && sameRoot(each, pid),
  );
  t.truthy(host);
  t.is(readFileSync(`/proc/${host}/cgroup`, 'utf8'), readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
});

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

function sameRoot(one: string, other: number): boolean {
  return readlinkSync(`/proc/${one}/ns/mnt`) === readlinkSync(`/proc/${other}/ns/mnt`);
}

const STATUS = 'grep -E "^(Cap|NoNewPrivs|Seccomp:|Uid|Gid|Groups|Umask)" /proc/self/status';

test.asEach('a command has the user, the rights and the environment of the container', async (t, who) => {
  const given = ['-e', 'A=1', '-w', '/tmp', '--cap-drop', 'CHOWN', '--umask', '027', '--ulimit', 'nofile=77'];
  const script = `${STATUS}; ulimit -n; pwd; echo $A $HOME $HOSTNAME`;
  const flags = ['-q', ...given];
  const own = await keelbox(['run', '--rm', '--hostname', 'h', ...flags, 'host', '--', 'sh', '-c', script], who);
  const {exec} = await running(t, who, ['--hostname', 'h', ...given]);
  const {stdout, stderr} = await exec(['sh', '-c', script]);
  t.is(stderr, '');
  t.is(stdout, own.stdout);
});

test.asEach('flags say otherwise: -u, -e, --env-file, -w, --cap-add, --privileged', async (t, who) => {
  const {exec} = await running(t, who, ['-e', 'A=1', '-e', 'B=1', '-u', '1']);
  const file = path.join(specFolder(), `env-${who.asUser}`);
  writeFileSync(file, 'C=3\nB=2\n', {mode: 0o644});
  const flags = ['-u', '0', '-e', 'A=2', '--env-file', file, '-w', '/usr', '--cap-add', 'NET_RAW,SYS_PTRACE'];
  const {stdout} = await exec(['sh', '-c', 'echo $A $B $C $(pwd) $(id -u); grep CapEff /proc/self/status'], flags);
  t.is(stdout, '2 2 3 /usr 0\nCapEff:\t00000000800c25fb\n');
  t.is((await exec(['id', '-u'])).stdout, '1\n');
  t.regex((await exec(['sh', '-c', STATUS], ['--privileged', '-u', '0'])).stdout, /Seccomp:\s0/);
});

test.asEach('how a command ends is how exec ends', async (t, who) => {
  const {name, exec} = await running(t, who);
  const codes: [string[], number][] = [
    [['true'], 0],
    [['sh', '-c', 'exit 7'], 7],
    [['sh', '-c', 'kill -9 $$'], 137],
    [['sh', '-c', 'kill -15 $$'], 143],
    [['no-such-program'], 127],
    [['/no/such/program'], 127],
    [['/etc'], 126],
    [['/etc/passwd'], 126],
  ];
  for (const [words, code] of codes) t.is((await exec(words)).exitCode, code, words.join(' '));
  t.is((await exec(['true'], ['-w', '/no/such/directory'])).exitCode, 127);
  t.is((await exec(['true'], ['-u', 'nobody-at-all'])).exitCode, 125);
  t.is((await keelbox(['exec', 'no-such-container', 'true'], who)).exitCode, 125);
  t.is((await keelbox(['exec', name], who)).exitCode, 125);
  t.is((await exec(['true'], ['--no-such-flag'])).exitCode, 125);
});

test.asEach('a container that has ended runs no command', async (t, who) => {
  const name = `ended-${who.asUser}`;
  await keelbox(['run', '-q', '--name', name, 'host', '--', 'true'], who);
  t.teardown(() => keelbox(['rm', '-f', name], who));
  const {exitCode, stderr} = await keelbox(['exec', name, 'true'], who);
  t.is(exitCode, 125);
  t.regex(stderr, /is not running[\s\S]*keelbox start/);
});

test.asEach('bytes go in and out as they are, and the end of the input is told', async (t, who) => {
  const {exec} = await running(t, who);
  const bytes = randomBytes(1_500_000);
  const {bytes: back, exitCode} = await exec(['cat'], ['-i'], bytes);
  t.is(exitCode, 0);
  t.true(back.equals(bytes));
  t.is((await exec(['wc', '-c'], [], 'not connected')).stdout.trim(), '0');
  const both = await exec(['sh', '-c', 'echo out; echo err >&2']);
  t.deepEqual([both.stdout, both.stderr], ['out\n', 'err\n']);
});

test.asEach('a detached command goes on by itself, and nothing is said', async (t, who) => {
  const {exec} = await running(t, who);
  const done = await exec(['sh', '-c', 'sleep 0.3; echo done > /tmp/d'], ['-d']);
  t.deepEqual([done.exitCode, done.stdout, done.stderr], [0, '', '']);
  t.true(await becomes(async () => (await exec(['cat', '/tmp/d'])).stdout === 'done\n'));
  t.is((await exec(['no-such-program'], ['-d'])).exitCode, 127);
});

test.asEach('a command whose client is killed lives on, and is not blocked by its output', async (t, who) => {
  const {name, exec} = await running(t, who);
  const script = 'while [ ! -e /tmp/go ]; do sleep 0.05; done; head -c 3000000 /dev/zero; echo done > /tmp/after';
  const {file, args, options} = command(['exec', name, 'sh', '-c', `echo up; ${script}`], who);
  const client = spawn(file, args, {...options, stdio: ['ignore', 'pipe', 'ignore']});
  await once(client.stdout as NodeJS.ReadableStream, 'data');
  client.kill('SIGKILL');
  await once(client, 'exit');
  await exec(['touch', '/tmp/go']);
  t.true(await becomes(async () => (await exec(['cat', '/tmp/after'])).stdout === 'done\n'));
});

test.asEach('a signal to the client reaches the command', async (t, who) => {
  const {name} = await running(t, who);
  const {file, args, options} = command(
    ['exec', name, 'sh', '-c', 'trap "echo term; exit 3" TERM; echo up; while :; do sleep 1000 >&- 2>&- & wait; done'],
    who,
  );
  const client = spawn(file, args, {...options, stdio: ['ignore', 'pipe', 'ignore']});
  let said = '';
  client.stdout?.on('data', data => (said += data));
  t.true(await becomes(() => said === 'up\n'));
  client.kill('SIGTERM');
  const [code] = await once(client, 'close');
  t.deepEqual([code, said], [3, 'up\nterm\n']);
});

test
  .needing(PYTHON)
  .asEach('a terminal has the size of the caller’s, follows it, and is given back', async (t, who) => {
    const {name} = await running(t, who);
    const script = 'tty; stty size; read line; stty size; exit 4';
    const terminal = Terminal.open(t, command(['exec', '-it', name, 'sh', '-c', script], who), {
      rows: 33,
      columns: 101,
    });
    t.true(await becomes(() => /\/dev\/pts\/\d+\s+33 101/.test(terminal.output)), terminal.output);
    terminal.resize(40, 120);
    terminal.send('\r');
    t.true(await becomes(() => /40 120/.test(terminal.output)), terminal.output);
    t.is((await terminal.exited).exitCode, 4);
  });

test.needing(PYTHON).asEach('a terminal is left by its keys, and the command goes on', async (t, who) => {
  const {name, exec} = await running(t, who);
  const script =
    'read line; echo "got $line"; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo more; echo over > /tmp/over';
  const words = ['exec', '-it', '--detach-keys', 'ctrl-p,ctrl-q', name, 'sh', '-c', script];
  const terminal = Terminal.open(t, command(words, who));
  // The usual key is one like others now.
  terminal.send('a\x1db\r');
  t.true(await becomes(() => terminal.output.includes('got a\x1db')), terminal.output);
  terminal.send('\x10\x11');
  t.deepEqual(await terminal.exited, {exitCode: 0, signal: null});
  t.true((await terminal.modes()).icanon);
  t.true(terminal.output.endsWith('read escape sequence\r\n'), terminal.output);
  await exec(['touch', '/tmp/go']);
  t.true(await becomes(async () => (await exec(['cat', '/tmp/over'])).stdout === 'over\n'), 'and what it prints goes');
  const usual = Terminal.open(t, command(['exec', '-it', name, 'sh', '-c', 'echo up; exec sleep 1000'], who));
  t.true(await becomes(() => usual.output.includes('up')), usual.output);
  usual.send('\x1d');
  t.deepEqual(await usual.exited, {exitCode: 0, signal: null});
  const bad = await keelbox(['exec', '--detach-keys', 'ctrl-1', name, 'touch', '/tmp/started'], who);
  t.is(bad.exitCode, 125);
  t.regex(bad.stderr, /no detach keys/);
  t.not((await exec(['test', '-e', '/tmp/started'])).exitCode, 0);
});

test.asEach('a command whose process beside it is killed ends, and its container does not', async (t, who) => {
  const {name, pid, exec} = await running(t, who);
  const {file, args, options} = command(['exec', name, 'sh', '-c', 'echo up; exec sleep 592'], who);
  const client = spawn(file, args, {...options, stdio: ['ignore', 'pipe', 'pipe']});
  let said = '';
  client.stdout.on('data', data => (said += data));
  client.stderr.on('data', data => (said += data));
  const ended = once(client, 'close');
  t.true(await becomes(() => said === 'up\n'), said);
  const find = () => readdirSync('/proc').find(each => commandLine(each) === 'sleep 592 ' && sameRoot(each, pid));
  const [, keeper] = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${find()}/status`, 'utf8')) ?? [];
  process.kill(Number(keeper), 'SIGKILL');
  t.is((await ended)[0], 125);
  t.regex(said, /^up\nerror: the process beside the command is gone, and the command with it$/m);
  t.true(await becomes(() => find() === undefined));
  t.is((await exec(['true'])).exitCode, 0);
});

test.asEach('only three files are open in a command', async (t, who) => {
  const {exec} = await running(t, who);
  const {stdout} = await exec(['ls', '-l', '/proc/self/fd']);
  const links = stdout.match(/\d+ -> .*/g) ?? [];
  t.is(links.length, 4);
  t.regex(links[3] ?? '', /^3 -> \/proc\/\d+\/fd$/, 'that of ls itself');
});

test.asRoot('a frozen container is told apart from one that hangs', async (t, who) => {
  const {name, pid, exec} = await running(t, who);
  const [, group = ''] = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8')) ?? [];
  const mounts = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].map(top => path.join(top, group, 'cgroup.freeze'));
  const freeze = mounts.find(existsSync);
  if (!freeze) return t.fail('the container has no control group');
  writeFileSync(freeze, '1');
  const frozen = await exec(['true']);
  writeFileSync(freeze, '0');
  t.is(frozen.exitCode, 125);
  t.regex(frozen.stderr, new RegExp(`container ${name} is paused[\\s\\S]*keelbox unpause ${name}`));
  t.is((await exec(['true'])).exitCode, 0);
});

test.asEach('a container that ends meanwhile gives a clear answer', async (t, who) => {
  for (let round = 0; round < scaled(4); round += 1) {
    const {name, exec} = await running(t, who);
    const many = Array.from({length: 6}, (_, each) => sleep(each * 25).then(() => exec(['sleep', '30'])));
    await sleep(60 + round * 40);
    await keelbox(['rm', '-f', name], who);
    for (const {exitCode, stderr, signal} of await Promise.all(many)) {
      t.is(signal, null, 'none hangs');
      t.true([125, 137].includes(exitCode ?? -1), `${exitCode}: ${stderr}`);
      t.notRegex(stderr, /Resource deadlock|ERR_KEELBOX_(INTERNAL|RUNTIME|KERNEL|USERNS)/);
    }
  }
});

// CVE-2019-5736 and CVE-2016-9962: what enters a container must not be a way out of it.
const HUNTER = `
import os, sys
found = set()
end = __import__('time').time() + float(sys.argv[1])
own = os.getpid()
print('hunting', flush=True)
while __import__('time').time() < end:
    for pid in os.listdir('/proc'):
        if not pid.isdigit() or int(pid) in (1, own): continue
        base = '/proc/' + pid
        try: exe = os.readlink(base + '/exe')
        except OSError: exe = ''
        if 'keelbox' in exe or 'memfd' in exe: found.add('exe ' + exe)
        if 'keelbox' in exe or 'memfd' in exe:
            for flags in (os.O_RDWR, os.O_WRONLY | os.O_TRUNC):
                try: os.close(os.open(base + '/exe', flags)); found.add('writable ' + exe)
                except OSError: pass
        try:
            for fd in os.listdir(base + '/fd'):
                link = os.readlink(base + '/fd/' + fd)
                if not link.startswith(('pipe:', 'socket:', '/dev/null', '/dev/pts', '/proc/', 'anon_inode', '/usr', '/etc', '/lib')): found.add('fd ' + link)
        except OSError: pass
print('found', sorted(found), flush=True)
`;

test
  .needing(PYTHON)
  .asEach('a container that waits for exec gets nothing of the host (CVE-2019-5736, CVE-2016-9962)', async (t, who) => {
    const {name, exec} = await running(t, who, ['--cap-add', 'SYS_PTRACE']);
    const seconds = 15;
    const {file, args, options} = command(['exec', name, 'python3', '-c', HUNTER, String(seconds)], who);
    const hunter = spawn(file, args, {...options, stdio: ['ignore', 'pipe', 'pipe']});
    let said = '';
    hunter.stdout?.on('data', data => (said += data));
    hunter.stderr?.on('data', data => (said += data));
    const over = once(hunter, 'close');
    t.true(await becomes(() => said.includes('hunting')), said);
    for (const until = Date.now() + seconds * 500; Date.now() < until; ) {
      await Promise.all(Array.from({length: 3}, () => exec(['true'])));
    }
    await over;
    t.regex(said, /found \[\]/);
  });

test.asEach(
  'a command that is /proc/self/exe, or a script that names it, cannot change keelbox (CVE-2019-5736)',
  async (t, who) => {
    const {exec} = await running(t, who, [], 'printf "#!/proc/self/exe\\n" > /tmp/s; chmod +x /tmp/s');
    const binary = path.join(specFolder(), 'dist/native/keelbox-runtime');
    const before = readFileSync(binary);
    for (const words of [['/proc/self/exe', '--version'], ['/tmp/s']]) {
      const {exitCode} = await exec(words);
      t.not(exitCode, null);
    }
    // What it runs as meanwhile cannot be opened for writing either.
    const {stdout} = await exec(['sh', '-c', 'exec /proc/self/exe -c "true; : > /proc/$PPID/exe" 2>&1; echo $?']);
    t.notRegex(stdout, /keelbox/);
    t.true(readFileSync(binary).equals(before));
  },
);

test.asEach('many commands at once all run', async (t, who) => {
  const {exec} = await running(t, who);
  const count = scaled(isRootless(who) ? 10 : 30);
  const all = await Promise.all(Array.from({length: count}, (_, each) => exec(['sh', '-c', `echo ${each}`])));
  t.deepEqual(
    all.map(({stdout}) => stdout.trim()),
    all.map((_, each) => String(each)),
  );
});
