/** `--pid --ipc --uts --network --cgroupns`: its own, or this machine's, seen from inside and compared from outside. */
import {spawnSync} from 'node:child_process';
import {existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync} from 'node:fs';
import {hostname} from 'node:os';
import {keelbox} from './helpers/cli';
import {answer, inside, refused, runIn} from './helpers/inside';
import {IS_ROOT, lane, type Who} from './helpers/lane';

const test = lane({host: true, guest: true, rootless: true});

const isRootless = ({asUser}: Who) => asUser || !IS_ROOT;
const KINDS = ['pid', 'ipc', 'uts', 'net', 'cgroup', 'user', 'mnt'] as const;
const FLAGS = {pid: '--pid', ipc: '--ipc', uts: '--uts', net: '--network', cgroup: '--cgroupns'} as const;

const ours = (kind: string) => readlinkSync(`/proc/self/ns/${kind}`);

/** Kinds of namespaces that the container shares with this process. */
async function shared(t: Parameters<typeof answer>[0], flags: string[], who: Who): Promise<string[]> {
  const script = KINDS.map(kind => `readlink /proc/self/ns/${kind}`).join('; ');
  const links = (await answer(t, script, {...who, flags: ['-q', ...flags]})).trim().split('\n');
  t.is(links.length, KINDS.length);
  return KINDS.filter((kind, index) => links[index] === ours(kind));
}

test.asEach('nothing is shared by default, and private says the same', async (t, who) => {
  t.deepEqual(await shared(t, [], who), []);
  const flags = [...Object.values(FLAGS), '--userns'].map(flag => `${flag}=private`);
  t.deepEqual(await shared(t, flags, who), []);
});

for (const [kind, flag] of Object.entries(FLAGS)) {
  test.asEach(`${flag}=host shares that namespace and no other`, async (t, who) => {
    t.deepEqual(await shared(t, [`${flag}=host`], who), [kind]);
  });
}

test.asEach('--pid=host shows the processes of this machine, --pid=private its own', async (t, who) => {
  const count = (flag: string) => answer(t, 'ls /proc | grep -c "^[0-9]"', {...who, flags: ['-q', flag]});
  t.true(Number(await count('--pid=private')) <= 4);
  const pid = Number(await answer(t, 'echo $$', {...who, flags: ['-q', '--pid=host']}));
  t.true(pid > 1, 'its first process is one of many');
  t.is(
    await answer(t, `cat /proc/${process.pid}/comm`, {...who, flags: ['--pid=host']}),
    readFileSync('/proc/self/comm', 'utf8'),
  );
});

test.asEach("--pid=host keeps this machine's kernel settings read-only and hidden paths hidden", async (t, who) => {
  const script = `
    (echo x > /proc/sys/kernel/core_pattern) 2>/dev/null && echo written
    (echo x > /proc/sysrq-trigger) 2>/dev/null && echo triggered
    cat /proc/kcore /proc/keys 2>/dev/null | head -c 10 | wc -c`;
  t.is(await answer(t, script, {...who, flags: ['-q', '--pid=host']}), '0\n');
});

test.asEach('with --pid=host, the processes that it leaves behind end with it', async (t, who) => {
  const marker = `31337.${process.pid}${who.asUser ? 1 : 0}`;
  const script = `setsid sleep ${marker} & setsid sh -c 'sleep ${marker} & sleep ${marker}' & sleep 0.2; exit 7`;
  const {exitCode} = await inside(script, {...who, flags: ['-q', '--pid=host']});
  t.is(exitCode, 7);
  const left = readdirSync('/proc').filter(name => /^\d+$/.test(name) && commandLine(name).includes(marker));
  t.deepEqual(left.map(commandLine), []);
});

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

test.asEach('with --pid=host the first process can be ended by any signal, as any process', async (t, who) => {
  const {exitCode} = await inside('kill -TERM $$; sleep 5', {...who, flags: ['-q', '--pid=host']});
  t.is(exitCode, 143);
});

test.asEach('--pid=host --init passes signals on and reaps', async (t, who) => {
  const script = 'sleep 0.01 & (sleep 0.05 &) ; sleep 0.2; exit 3';
  const {exitCode, stderr} = await inside(script, {...who, flags: ['-q', '--init', '--pid=host']});
  t.is(exitCode, 3, stderr);
});

test.asEach('--ipc=host shares this machine’s semaphores and shared memory, private does not', async (t, who) => {
  const file = `/dev/shm/keelbox-${process.pid}${who.asUser ? 1 : 0}`;
  writeFileSync(file, 'seen', {mode: 0o644});
  t.teardown(() => rmSync(file, {force: true}));
  t.is(await answer(t, `cat ${file}`, {...who, flags: ['-q', '--ipc=host']}), 'seen');
  t.is(await answer(t, `test -e ${file} || echo none`, who), 'none\n');
});

test.needing('ipcmk', 'ipcrm').asEach('--ipc=host sees the message queues of this machine', async (t, who) => {
  const made = spawnSync('ipcmk', ['-Q'], {encoding: 'utf8'});
  const id = /\d+/.exec(made.stdout)?.[0] ?? '';
  t.regex(id, /^\d+$/, made.stderr);
  t.teardown(() => spawnSync('ipcrm', ['-q', id]));
  const script = `awk '$2 == ${id}' /proc/sysvipc/msg | wc -l`;
  t.is(await answer(t, script, {...who, flags: ['-q', '--ipc=host']}), '1\n');
  t.is(await answer(t, script, who), '0\n');
});

test.asEach('--ipc=none leaves /dev/shm out, shareable is private', async (t, who) => {
  t.is(await answer(t, 'test -e /dev/shm || echo none', {...who, flags: ['--ipc=none']}), 'none\n');
  t.deepEqual(await shared(t, ['--ipc=shareable'], who), []);
});

test.asEach("--uts=host has this machine's name, and cannot change it", async (t, who) => {
  const script = 'hostname; echo $HOSTNAME; cat /etc/hostname; hostname other 2>/dev/null && echo changed; true';
  t.is(await answer(t, script, {...who, flags: ['-q', '--uts=host']}), `${hostname()}\n`.repeat(3));
  t.is(spawnSync('hostname', {encoding: 'utf8'}).stdout.trim(), hostname());
});

test.asEach('--uts=host contradicts --hostname', async (t, who) => {
  const result = await runIn(['true'], {...who, flags: ['--uts=host', '--hostname', 'x']});
  refused(t, result, {code: 'ERR_KEELBOX_INVALID_ARG', says: /--hostname and --uts=host/});
});

test.asEach('--cgroupns=private shows its group as the root, host the way there; both read-only', async (t, who) => {
  const own = await answer(t, 'cat /proc/self/cgroup', who);
  const groups = own
    .trim()
    .split('\n')
    .map(line => line.split(':').slice(2).join(':'));
  t.deepEqual(new Set(groups), new Set(['/']));
  const flags = ['-q', '--cgroupns=host'];
  const script = `
    cat /proc/self/cgroup
    find /sys/fs/cgroup -maxdepth 2 -name cgroup.procs | while read f; do (echo 0 > $f) 2>/dev/null && echo "written $f"; done
    find /sys/fs/cgroup -maxdepth 1 -type d | while read d; do mkdir $d/keelbox-escape 2>/dev/null && echo "made in $d"; done
    true`;
  const host = await answer(t, script, {...who, flags});
  t.notRegex(host, /written|made/);
  if (!isRootless(who)) t.regex(host, /\/[0-9a-f]{64}$/m);
  t.true(existsSync('/sys/fs/cgroup'));
});

test.asRoot(
  'sharing processes, names or memory with this machine goes without a user namespace, and says so',
  async t => {
    for (const flag of ['--pid', '--ipc', '--uts']) {
      const {stderr, stdout} = await keelbox([
        'run',
        '--dry-run=json',
        `${flag}=host`,
        '--rootfs',
        '/usr',
        '--',
        'true',
      ]);
      t.is(stderr, '');
      t.false((JSON.parse(stdout).namespaces as string[]).includes('user'), flag);
    }
    const {stdout} = await keelbox(['run', '--dry-run=json', '--network=host', '--rootfs', '/usr', '--', 'true']);
    t.true((JSON.parse(stdout).namespaces as string[]).includes('user'));
  },
);

test.asEach('a word that means nothing is refused', async (t, who) => {
  for (const [flag, word] of [
    ['--pid', 'shareable'],
    ['--pid', ''],
    ['--ipc', 'hosts'],
    ['--uts', 'none'],
    ['--cgroupns', 'container'],
    ['--network', ''],
    ['--userns', 'keep'],
  ] as const)
    refused(t, await runIn(['true'], {...who, flags: [`${flag}=${word}`]}), {
      code: 'ERR_KEELBOX_INVALID_ARG',
      says: `"${word}" for ${flag}`,
      why: 'host',
      fix: 'host',
    });
});
