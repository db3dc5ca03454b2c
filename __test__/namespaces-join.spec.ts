/** Namespaces of another container, or of a path: who is where, who sees what, who ends whom, and what is refused. */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {command, keelbox, specFolder} from './helpers/cli';
import {answer, inside, refused, refusedAndGone, runIn} from './helpers/inside';
import {IS_ROOT, lane, patience, type Who} from './helpers/lane';

const test = lane({host: true, guest: true, rootless: true});

const isRootless = ({asUser}: Who) => asUser || !IS_ROOT;
const FLAGS = {pid: '--pid', ipc: '--ipc', uts: '--uts', net: '--network', cgroup: '--cgroupns'} as const;
const KINDS = ['user', ...Object.keys(FLAGS), 'mnt'];

interface Other {
  name: string;
  pid: number;
  /** Its namespaces, by kind. */
  links: Record<string, string>;
  end(): Promise<void>;
}

/** Command lines of this machine's processes that have a word. */
function withWord(word: string): string[] {
  const read = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    } catch {
      return '';
    }
  };
  const lines = readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(read);
  return lines.filter(line => line.includes(word));
}

let count = 0;

/** A container that runs until the test ends. */
async function other(t: ExecutionContext, who: Who, flags: string[] = [], script = ':'): Promise<Other> {
  count += 1;
  const name = `other-${process.pid}-${count}`;
  const pidfile = path.join(mkdtempSync(path.join(specFolder(), 'pid-')), 'pid');
  chmodSync(path.dirname(pidfile), 0o777);
  const words = ['run', '--rm', '-q', '--name', name, '--pidfile', pidfile, ...flags, 'host', '--', 'sh', '-c'];
  const {file, args, options} = command([...words, `${script}\necho up\nexec sleep 600`], who);
  const child = spawn(file, args, {...options, stdio: ['ignore', 'pipe', 'pipe']});
  let said = '';
  child.stderr?.on('data', data => (said += data));
  const exited = once(child, 'exit');
  t.teardown(async () => {
    await keelbox(['rm', '-f', name], who);
    await exited;
  });
  const up = await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), exited]);
  t.is(String(up[0]), 'up\n', said);
  const pid = Number(readFileSync(pidfile, 'utf8'));
  const links = Object.fromEntries(KINDS.map(kind => [kind, readlinkSync(`/proc/${pid}/ns/${kind}`)]));
  const end = async () => {
    await keelbox(['rm', '-f', name], who);
    await exited;
  };
  return {name, pid, links, end};
}

/** Kinds of namespaces that a container with these flags shares with `first`. */
async function shared(t: ExecutionContext, first: Other, flags: string[], who: Who): Promise<string[]> {
  const script = KINDS.map(kind => `readlink /proc/self/ns/${kind}`).join('; ');
  const links = (await answer(t, script, {...who, flags})).trim().split('\n');
  t.is(links.length, KINDS.length);
  return KINDS.filter((kind, index) => links[index] === first.links[kind]);
}

test.asEach('any namespace of a container can be joined, and brings its user namespace along', async (t, who) => {
  const first = await other(t, who);
  for (const [kind, flag] of Object.entries(FLAGS))
    t.deepEqual(await shared(t, first, [`${flag}=container:${first.name}`], who), ['user', kind], flag);
  t.deepEqual(await shared(t, first, [`--userns=container:${first.name}`], who), ['user']);
  const all = Object.values(FLAGS).map(flag => `${flag}=container:${first.name}`);
  t.deepEqual(await shared(t, first, all, who), KINDS.slice(0, -1));
});

test.asEach('a path is joined as a container is', async (t, who) => {
  const first = await other(t, who);
  for (const [kind, flag] of Object.entries(FLAGS))
    t.deepEqual(await shared(t, first, [`${flag}=ns:/proc/${first.pid}/ns/${kind}`], who), ['user', kind], flag);
  t.deepEqual(await shared(t, first, [`--userns=ns:/proc/${first.pid}/ns/user`], who), ['user']);
});

test.asEach('joined processes are seen, and those that are left behind end with their container', async (t, who) => {
  const first = await other(t, who);
  const flags = [`--pid=container:${first.name}`];
  t.is(await answer(t, 'tr "\\000" " " < /proc/1/cmdline', {...who, flags}), 'sleep 600 ');
  const marker = `31338.${process.pid}${who.asUser ? 1 : 0}`;
  const script = `setsid sleep ${marker} & setsid sh -c 'sleep ${marker}; true' & sleep 0.2; exit 9`;
  t.is((await inside(script, {...who, flags})).exitCode, 9);
  t.deepEqual(withWord(marker), []);
  t.is((await runIn(['sh', '-c', 'kill -TERM $$; sleep 5'], {...who, flags})).exitCode, 143);
});

test.asEach(
  'the end of a container whose processes are joined ends those that joined, and no other',
  async (t, who) => {
    const first = await other(t, who);
    const joined = runIn(['sleep', '600'], {
      ...who,
      flags: ['--name', `${first.name}-p`, `--pid=container:${first.name}`],
    });
    const network = await other(t, who, [`--network=container:${first.name}`]);
    const until = Date.now() + patience(20_000);
    while (!(await keelbox(['ps', '-q', '--no-trunc'], who)).stdout.includes('\n')) t.true(Date.now() < until);
    await first.end();
    t.is((await joined).exitCode, 137);
    t.true(existsSync(`/proc/${network.pid}`), 'a network lives as long as anybody is in it');
    t.deepEqual(await shared(t, network, [`--network=container:${network.name}`], who), ['user', 'net']);
  },
);

test.asEach('a joined host name is the same name, and is not the joining container’s to set', async (t, who) => {
  const first = await other(t, who, ['--hostname', 'first-one']);
  const flags = [`--uts=container:${first.name}`];
  t.is(await answer(t, 'hostname; echo $HOSTNAME; cat /etc/hostname', {...who, flags}), 'first-one\n'.repeat(3));
  const both = await runIn(['true'], {...who, flags: [...flags, '--hostname', 'x']});
  refused(t, both, {code: 'ERR_KEELBOX_INVALID_ARG', says: '--hostname and --uts=container:'});
});

test.asEach('joined IPC shares memory and queues; none to share is an error', async (t, who) => {
  const first = await other(t, who, ['--ipc=shareable'], 'echo hello > /dev/shm/greeting');
  const flags = [`--ipc=container:${first.name}`];
  t.is(await answer(t, 'cat /dev/shm/greeting; echo there > /dev/shm/answer', {...who, flags}), 'hello\n');
  t.is(await answer(t, 'cat /dev/shm/answer; rm /dev/shm/*', {...who, flags}), 'there\n');
  t.is(await answer(t, 'grep -c " /dev/mqueue mqueue" /proc/self/mounts', {...who, flags}), '1\n');
  const none = await other(t, who, ['--ipc=none']);
  const result = await runIn(['true'], {...who, flags: [`--ipc=container:${none.name}`]});
  refused(t, result, {code: 'ERR_KEELBOX_MOUNT', says: none.name, fix: 'shareable'});
});

test.asEach('a joined network is used: its sockets, its sysfs, low ports', async (t, who) => {
  const port = "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1:81', Listen => 1)";
  const first = await other(t, who, [], `perl -e '${port.replaceAll("'", '"')} or die; sleep 600' & sleep 0.3`);
  const flags = [`--network=container:${first.name}`];
  const connect =
    'use IO::Socket::INET; print IO::Socket::INET->new(PeerAddr => "127.0.0.1:81") ? "heard\\n" : "$!\\n"';
  t.is(await answer(t, `perl -e '${connect}'; ls /sys/class/net`, {...who, flags}), 'heard\nlo\n');
  t.regex(await answer(t, `perl -e '${connect}'`, who), /refused/i);
});

test.asEach('groups are dropped and files are mapped in a joined user namespace (CVE-2022-36109)', async (t, who) => {
  const first = await other(t, who);
  const folder = mkdtempSync(path.join(specFolder(), 'groups-'));
  chmodSync(folder, 0o1777);
  const flags = [`--userns=container:${first.name}`, '-v', `${folder}:/v`];
  const script = `
    id -G; id -u; touch /v/made /x; stat -c %u:%g /v/made /x /
    echo secret > /tmp/file; chmod 604 /tmp/file`;
  t.is(await answer(t, script, {...who, flags}), '0\n0\n0:0\n0:0\n0:0\n');
  const rooted = IS_ROOT && !who.asUser;
  t.is(statSync(path.join(folder, 'made')).uid, rooted ? 0 : statSync(`/proc/${first.pid}`).uid);
  if (isRootless(who)) return;
  // The range is held by both: while the second runs, its ids are nobody else's.
  const second = await other(t, who, flags);
  await first.end();
  const bases = await Promise.all(Array.from({length: 4}, () => answer(t, 'cat /proc/self/uid_map', who)));
  const own = readFileSync(`/proc/${second.pid}/uid_map`, 'utf8');
  for (const base of bases) t.not(base.trim(), own.trim());
});

test.asRoot('a container without a user namespace is joined without one, and it is said', async t => {
  const who = {asUser: false};
  const first = await other(t, who, ['--privileged']);
  t.is(first.links.user, readlinkSync('/proc/self/ns/user'));
  const {exitCode, stderr} = await keelbox([
    'run',
    '--rm',
    `--network=container:${first.name}`,
    '--rootfs',
    '/usr',
    '--',
    '/bin/true',
  ]);
  t.is(exitCode, 0, stderr);
  t.regex(stderr, new RegExp(`notice: no user namespace.*${first.name} has none`));
});

test.asEach('--userns of ones own contradicts joining, and so do two owners', async (t, who) => {
  const [one, two] = [await other(t, who), await other(t, who)];
  refused(t, await runIn(['true'], {...who, flags: ['--userns=auto', `--network=container:${one.name}`]}), {
    code: 'ERR_KEELBOX_INVALID_ARG',
    says: `--userns=auto and joining container ${one.name}`,
  });
  const flags = [`--pid=container:${one.name}`, `--ipc=container:${two.name}`];
  refused(t, await runIn(['true'], {...who, flags}), {
    code: 'ERR_KEELBOX_INVALID_ARG',
    says: 'cannot be joined together',
    why: 'two user namespaces',
  });
});

test.asEach('what is no container or no namespace of that kind is refused, and leaves nothing', async (t, who) => {
  const file = path.join(mkdtempSync(path.join(specFolder(), 'no-ns-')), 'file');
  chmodSync(path.dirname(file), 0o755);
  writeFileSync(file, '');
  t.teardown(() => rmSync(file, {force: true}));
  for (const [flags, code, says, why] of [
    [['--pid=container:nobody-here'], 'ERR_KEELBOX_NOT_FOUND', 'no such container: nobody-here', undefined],
    [['--userns=container:nobody-here'], 'ERR_KEELBOX_NOT_FOUND', 'nobody-here', undefined],
    [
      ['--network=ns:/proc/self/ns/uts'],
      'ERR_KEELBOX_INVALID_ARG',
      '--network=ns:/proc/self/ns/uts',
      'kind uts, not net',
    ],
    [['--userns=ns:/proc/self/ns/mnt'], 'ERR_KEELBOX_INVALID_ARG', '--userns', 'kind mount, not user'],
    [[`--ipc=ns:${file}`], 'ERR_KEELBOX_INVALID_ARG', '--ipc', 'it is no namespace'],
    [['--ipc=ns:/dev/null'], 'ERR_KEELBOX_INVALID_ARG', '--ipc', 'it is no namespace'],
    [['--uts=ns:/nothing/there'], 'ERR_KEELBOX_INVALID_ARG', '--uts', 'No such file'],
    [['--pid=ns:'], 'ERR_KEELBOX_INVALID_ARG', '--pid', undefined],
    [['--pid=container:'], 'ERR_KEELBOX_INVALID_ARG', '--pid', undefined],
  ] as const)
    await refusedAndGone(t, ['run', '--rm', ...flags, 'host', '--', 'true'], {code, says, ...(why && {why})}, who);
});

test.asEach('a path of 70,000 bytes is an error like any other (CVE-2021-43784)', async (t, who) => {
  const long = `/proc/self/ns/${'x'.repeat(70_000)}`;
  for (const flag of ['--network', '--pid', '--userns']) {
    const result = await runIn(['true'], {...who, flags: [`${flag}=ns:${long}`]});
    refused(t, result, {code: 'ERR_KEELBOX_INVALID_ARG', says: flag, why: 'too long'});
    t.true(result.stderr.length < 2000);
  }
});

test.asEach('a container that has ended cannot be joined', async (t, who) => {
  const name = `ended-${process.pid}${who.asUser ? 1 : 0}`;
  t.teardown(() => keelbox(['rm', '-f', name], who).then(() => {}));
  t.is((await keelbox(['run', '--name', name, 'host', '--', 'true'], who)).exitCode, 0);
  const result = await runIn(['true'], {...who, flags: [`--pid=container:${name}`]});
  refused(t, result, {code: 'ERR_KEELBOX_NOT_FOUND', says: `${name} is not running`});
});

test.asEach('one’s own namespace by its path is this machine’s', async (t, who) => {
  const script = 'readlink /proc/self/ns/net';
  t.is(
    await answer(t, script, {...who, flags: ['--network=ns:/proc/self/ns/net']}),
    `${readlinkSync('/proc/self/ns/net')}\n`,
  );
});

test.asEach('--time-offset puts the clocks off, for the container alone', async (t, who) => {
  const uptime = () => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  const seen = async (offset: string) =>
    Number((await answer(t, 'cat /proc/uptime', {...who, flags: ['--time-offset', offset]})).split(' ')[0]);
  const before = uptime();
  const day = (await seen('+1d')) - 86_400;
  t.true(day >= before - 1 && day <= uptime() + 1, `${day} is not between ${before} and ${uptime()}`);
  const script = `python3 -c 'import time; print(int(time.monotonic()))'; cut -d. -f1 /proc/uptime; readlink /proc/self/ns/time`;
  const flags = ['--time-offset', 'monotonic=+2h,boottime=0'];
  const [monotonic = 0, boottime = 0] = (await answer(t, script, {...who, flags})).split('\n').map(Number);
  t.true(monotonic - boottime > 5000 && monotonic - boottime < 9000, `${monotonic} ${boottime}`);
  const links = (await answer(t, script, {...who, flags})).trim().split('\n');
  t.not(links[2], readlinkSync('/proc/self/ns/time'));
});

test.asEach('clocks cannot be put before the boot, and what is no offset is refused', async (t, who) => {
  const run = (offset: string) => runIn(['true'], {...who, flags: [`--time-offset=${offset}`]});
  refused(t, await run('-40000d'), {code: 'ERR_KEELBOX_INVALID_ARG', says: 'clocks', why: 'boot'});
  for (const bad of ['', 'x', '1y', 'realtime=1s'])
    refused(t, await run(bad), {code: 'ERR_KEELBOX_INVALID_ARG', says: '--time-offset'});
});
