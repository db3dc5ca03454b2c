/** `--userns`, `--uidmap`, `--gidmap`, `--subuidname`: the ids inside, the ids outside, and what is refused. */
import {spawnSync} from 'node:child_process';
import {chmodSync, chownSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {keelbox, specFolder, testUser} from './helpers/cli';
import {answer, refused, refusedAndGone, runIn} from './helpers/inside';
import {lane, type Who} from './helpers/lane';
import {busybox, busyboxRoot} from './helpers/roots';

const test = lane({host: true, guest: true, rootless: true});
const subordinate = {name: 'subordinate ids', isThere: () => ranges() !== undefined};
const testMapped = test.needing(subordinate);
const testBusybox = test.needing(subordinate, busybox);

type Extent = [inside: number, outside: number, count: number];

/** The ordinary user's first range in /etc/subuid. */
function ranges(): {first: number; count: number} | undefined {
  const name = spawnSync('id', ['-un', String(testUser().uid)], {encoding: 'utf8'}).stdout.trim();
  const line = readFileSync('/etc/subuid', 'utf8')
    .split('\n')
    .find(text => text.startsWith(`${name}:`));
  const [, first, count] = line?.split(':').map(Number) ?? [];
  return first === undefined || count === undefined ? undefined : {first, count};
}

async function maps(t: ExecutionContext, flags: string[], who: Who): Promise<{uids: Extent[]; gids: Extent[]}> {
  const script = 'cat /proc/self/uid_map; echo; cat /proc/self/gid_map';
  const [uids = '', gids = ''] = (await answer(t, script, {...who, flags})).split('\n\n');
  const read = (text: string) =>
    text
      .trim()
      .split('\n')
      .map(line => line.trim().split(/\s+/).map(Number) as Extent);
  return {uids: read(uids), gids: read(gids)};
}

/** A folder of the host that anybody may write to. */
function openFolder(): string {
  const folder = mkdtempSync(path.join(specFolder(), 'open-'));
  chmodSync(folder, 0o1777);
  return folder;
}

test.asRoot('each container of root has a range that no other has, as large as it asks for', async t => {
  const who = {asUser: false};
  const {uids, gids} = await maps(t, ['--userns=auto:size=150000'], who);
  t.deepEqual(uids, gids);
  t.is(uids.length, 1);
  const [inside, outside, count] = uids[0] ?? [];
  t.deepEqual([inside, count], [0, 150_000]);
  t.true((outside ?? 0) >= 0x7000_0000);
  t.is(
    await answer(t, 'chown 149999 /tmp && stat -c %u /tmp', {...who, flags: ['--userns=auto:size=150000']}),
    '149999\n',
  );
  refused(t, await runIn(['true'], {...who, flags: ['--userns=auto:size=300000000']}), {
    code: 'ERR_KEELBOX_USERNS',
    says: '300000000',
    fix: 'smaller',
  });
});

test.asRoot('containers that run at the same time share no id, also when they are large', async t => {
  // None of them ends before all have started: a range that is free again may be anybody's.
  const meet = 'touch "/v/$(hostname)"; while [ "$(ls /v | wc -l)" -lt 4 ]; do sleep 0.05; done';
  const flags = ['--userns=auto:size=1000000', '-v', `${openFolder()}:/v`];
  const one = () => answer(t, `${meet}; cat /proc/self/uid_map`, {asUser: false, flags});
  const all = (await Promise.all([one(), one(), one(), one()]))
    .map(map => Number(map.trim().split(/\s+/)[1]))
    .sort((a, b) => a - b);
  for (const [index, first] of all.slice(1).entries()) t.true(first - (all[index] ?? 0) >= 1_000_000, all.join(' '));
});

test.asRoot("root's --uidmap and --gidmap are this machine's ids; one alone is for both", async t => {
  const who = {asUser: false};
  const both = await maps(t, ['--uidmap', '0:200000:1000', '--uidmap=1000:500000:2'], who);
  t.deepEqual(both.uids, [
    [0, 200_000, 1000],
    [1000, 500_000, 2],
  ]);
  t.deepEqual(both.gids, both.uids);
  const each = await maps(t, ['--uidmap=0:200000:10', '--gidmap=0:300000:20'], who);
  t.deepEqual([each.uids, each.gids], [[[0, 200_000, 10]], [[0, 300_000, 20]]]);
  const {uids, gids} = await maps(t, ['--uidmap', '+u5:77:1'], who);
  t.deepEqual(uids[1], [5, 77, 1], 'into the usual map');
  t.is(gids.length, 1);
});

test.asRoot('files on disk have the ids of the container, and volumes those that the map says', async t => {
  const folder = openFolder();
  const flags = ['--uidmap=0:200000:1000', '--gidmap=0:300000:1000', '-v', `${folder}:/v`];
  const script =
    'touch /v/root; su -s /bin/sh daemon -c "touch /v/daemon"; chown 7:8 /v/root; stat -c "%u:%g" /v/root /etc/hostname';
  t.is(await answer(t, script, {flags: [...flags, '--allow-new-privileges']}), '7:8\n0:0\n');
  const {uid, gid} = statSync(path.join(folder, 'root'));
  t.deepEqual([uid, gid], [7, 8], 'the natural map: what the container sees is what the disk has');
});

test.asRoot('--subuidname takes ranges of /etc/subuid, and keep-id is not for root', async t => {
  refused(t, await runIn(['true'], {flags: ['--subuidname', 'nobody-here']}), {
    code: 'ERR_KEELBOX_USERNS',
    says: '--subuidname=nobody-here',
    fix: '/etc/subuid',
  });
  refused(t, await runIn(['true'], {flags: ['--userns=keep-id']}), {code: 'ERR_KEELBOX_INVALID_ARG', says: 'keep-id'});
  t.is((await maps(t, ['--userns=nomap'], {asUser: false})).uids[0]?.[2], 65_536);
});

testMapped.asUser('keep-id maps the caller to itself, runs as it, and makes files that are its own', async (t, who) => {
  const {uid, gid} = who.asUser ? testUser() : {uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0};
  const {first = 0, count = 0} = ranges() ?? {};
  const {uids} = await maps(t, ['--userns=keep-id'], who);
  t.deepEqual(uids, [
    [0, first, uid],
    [uid, uid, 1],
    [uid + 1, first + uid, count - uid],
  ]);
  const folder = openFolder();
  const script = 'id -u; id -g; id -G; touch /v/mine; stat -c %u:%g /v/mine';
  const flags = ['--userns=keep-id', '-v', `${folder}:/v`];
  t.is(await answer(t, script, {...who, flags}), `${uid}\n${gid}\n${gid}\n${uid}:${gid}\n`);
  t.deepEqual([statSync(path.join(folder, 'mine')).uid, statSync(path.join(folder, 'mine')).gid], [uid, gid]);
  const asRoot = await answer(t, 'id -u; touch /v/theirs; touch /root/x && rm /root/x', {
    ...who,
    flags: [...flags, '-u', '0'],
  });
  t.is(asRoot, '0\n');
  t.is(statSync(path.join(folder, 'theirs')).uid, first);
});

testMapped.asUser('keep-id:uid,gid puts the caller where the image wants it', async (t, who) => {
  const flags = ['--userns=keep-id:uid=33,gid=34'];
  t.is(await answer(t, 'id -u; id -g', {...who, flags}), '33\n34\n');
  const {uids} = await maps(t, flags, who);
  t.deepEqual(uids[1]?.slice(0, 1), [33]);
  const small = await maps(t, ['--userns=keep-id:uid=5,gid=5,size=10'], who);
  t.is(
    small.uids.reduce((sum, extent) => sum + extent[2], 0),
    10,
  );
});

testBusybox.asUser('keep-id gives the user a name where the root has none', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  // The tree's own user may have the very id of ours: on a machine without other users it is 1000.
  const before = 'root:x:0:0:root:/root:/bin/sh\n';
  writeFileSync(path.join(rootfs, 'etc/passwd'), before);
  const script = 'test "$(whoami)" != root && whoami && tail -n 1 /etc/passwd && echo $HOME';
  const {uid} = testUser();
  const lines = (
    await answer(t, script, {...who, rootfs: `${rootfs}:O`, flags: ['--userns=keep-id', '-w', '/tmp']})
  ).split('\n');
  t.regex(lines[1] ?? '', new RegExp(`^${lines[0]}:x:${uid}:`));
  t.is(lines[2], '/tmp');
  t.is(readFileSync(path.join(rootfs, 'etc/passwd'), 'utf8'), before);
});

testBusybox.asUser('keep-id leaves the user the name and the home that the root has for it', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  const {uid, gid} = testUser();
  const accounts = `root:x:0:0:root:/root:/bin/sh\nowl:x:${uid}:${gid}:owl:/home/guest:/bin/sh\n`;
  writeFileSync(path.join(rootfs, 'etc/passwd'), accounts);
  const flags = ['--userns=keep-id', '-w', '/tmp'];
  const told = await answer(t, 'whoami; echo $HOME; cat /etc/passwd', {...who, rootfs: `${rootfs}:O`, flags});
  t.is(told, `owl\n/home/guest\n${accounts}`);
});

testMapped.asUser('nomap leaves the caller out: its files are nobody’s', async (t, who) => {
  const {first = 0, count = 0} = ranges() ?? {};
  t.deepEqual((await maps(t, ['--userns=nomap'], who)).uids, [[0, first, count]]);
  const folder = openFolder();
  const file = path.join(folder, 'private');
  writeFileSync(file, 'secret', {mode: 0o600});
  chownSync(file, testUser().uid, testUser().gid);
  const script = `
    id -u; cat /v/private 2>/dev/null && echo read; stat -c %u /v/private
    touch /v/new /tmp/x /root/x /srv/x /x && stat -c %u /x /tmp; mkdir -p /usr/local/x 2>/dev/null; true`;
  t.is(await answer(t, script, {...who, flags: ['--userns=nomap', '-v', `${folder}:/v`]}), '0\n65534\n0\n0\n');
  t.is(statSync(path.join(folder, 'new')).uid, first);
});

testMapped.asUser('what such a container leaves is removed, whoever owns it', async (t, who) => {
  for (const flag of ['--userns=nomap', '--userns=keep-id', '--uidmap=0:1:100', '--userns=auto']) {
    const folder = mkdtempSync(path.join(specFolder(), 'kept-'));
    const env = {KEELBOX_ROOT: path.join(folder, 'root'), KEELBOX_RUNROOT: path.join(folder, 'run')};
    chmodSync(folder, 0o755);
    for (const place of Object.values(env)) {
      spawnSync('mkdir', ['-m', '700', place]);
      chownSync(place, testUser().uid, testUser().gid);
    }
    const script = 'mkdir -p /srv/a/b; touch /srv/a/b/c; chmod 000 /srv/a; chown 5 /srv/a/b/c /srv/a 2>/dev/null; true';
    const run = await keelbox(['run', '--name', 'left', flag, '-u', '0', 'host', '--', 'sh', '-c', script], {
      ...who,
      env,
    });
    t.is(run.exitCode, 0, run.stderr);
    const removed = await keelbox(['rm', 'left'], {...who, env});
    t.is(removed.exitCode, 0, removed.stderr);
    t.deepEqual(readdirSync(path.join(env.KEELBOX_ROOT, 'containers')), [], flag);
  }
});

testMapped.asUser("an ordinary user's --uidmap counts its own ids; @ means this machine's", async (t, who) => {
  const {uid} = testUser();
  const {first = 0, count = 0} = ranges() ?? {};
  const own = await maps(t, ['--uidmap=0:1:1000', '--uidmap=1000:0:1', '--uidmap=1001:1001:5'], who);
  t.deepEqual(own.uids, [
    [0, first, 1000],
    [1000, uid, 1],
    [1001, first + 1000, 5],
  ]);
  const at = await maps(t, [`--uidmap=0:@${first + 7}:3`, `--gidmap=0:0:1`], who);
  t.deepEqual([at.uids, at.gids], [[[0, first + 7, 3]], [[0, testUser().gid, 1]]]);
  refused(t, await runIn(['true'], {...who, flags: ['--uidmap=0:@5:3']}), {
    code: 'ERR_KEELBOX_USERNS',
    says: 'ids 5 to 7',
    why: `${first} to ${first + count - 1}`,
  });
  refused(t, await runIn(['true'], {...who, flags: [`--uidmap=0:0:${count + 2}`]}), {
    code: 'ERR_KEELBOX_USERNS',
    says: `you have ${count + 1}`,
  });
});

test.asRoot('without subordinate ids there is one id, and what needs more says how to get them', t => {
  const home = mkdtempSync(path.join(specFolder(), 'alone-'));
  chmodSync(home, 0o755);
  chownSync(home, 61_234, 61_235);
  const run = (...flags: string[]) => {
    const args = [
      '--reuid',
      '61234',
      '--regid',
      '61235',
      '--clear-groups',
      process.execPath,
      'dist/cli.cjs',
      'run',
      '--rm',
    ];
    const env = {PATH: process.env.PATH, HOME: home, KEELBOX_ROOT: `${home}/root`, KEELBOX_RUNROOT: `${home}/run`};
    const script = 'echo $(cat /proc/self/uid_map) $(id -u) $(id -g); touch /tmp/x && stat -c %u /tmp/x';
    return spawnSync('setpriv', [...args, ...flags, 'host', '--', 'sh', '-c', script], {encoding: 'utf8', env});
  };
  for (const [flags, ids] of [
    [[], '0 61234 1 0 0\n0\n'],
    [['--userns=auto'], '0 61234 1 0 0\n0\n'],
    [['--userns=keep-id'], '61234 61234 1 61234 61235\n61234\n'],
    [['--userns=keep-id:uid=5,gid=6'], '5 61234 1 5 6\n5\n'],
    [['--uidmap=0:0:1'], '0 61234 1 0 0\n0\n'],
    [['--pid=host', '--uts=host'], '0 61234 1 0 0\n0\n'],
  ] as const) {
    const {stdout, stderr} = run(...flags);
    t.is(stdout, ids, `${flags.join(' ')}: ${stderr}`);
  }
  for (const flag of ['--userns=nomap', '--userns=auto:size=5', '--uidmap=0:0:2', '--uidmap=0:1:1']) {
    const {status, stderr} = run(flag);
    t.is(status, 125);
    t.regex(stderr, /subordinate ids[\s\S]*usermod --add-subuids[\s\S]*ERR_KEELBOX_USERNS/, flag);
  }
});

test.asEach('root of a small user namespace is an ordinary user with one id', (t, who) => {
  const home = mkdtempSync(path.join(specFolder(), 'nested-'));
  chmodSync(home, 0o755);
  const {uid, gid} = who.asUser ? testUser() : {uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0};
  chownSync(home, uid, gid);
  const env = {PATH: process.env.PATH, HOME: home, KEELBOX_ROOT: `${home}/root`, KEELBOX_RUNROOT: `${home}/run`};
  const run = (...flags: string[]) => {
    const words = ['-Ur', process.execPath, 'dist/cli.cjs', 'run', '--rm', ...flags, 'host', '--', 'sh', '-c'];
    return spawnSync('unshare', [...words, 'id -u; touch /x && stat -c %u /x'], {encoding: 'utf8', env, uid, gid});
  };
  t.is(run().stdout, '0\n0\n', run().stderr);
  t.is(run('--userns=auto', '--pid=host').stdout, '0\n0\n');
  t.regex(run('--userns=nomap').stderr, /subordinate ids[\s\S]*outside of it/);
});

test.asEach('maps and words that cannot be used are refused, and leave nothing', async (t, who) => {
  for (const [flags, says] of [
    [['--uidmap=0:1:0'], '"0:1:0" for --uidmap'],
    [['--uidmap=x:1:1'], '"x:1:1"'],
    [['--gidmap=0:1:1:1'], '"0:1:1:1" for --gidmap'],
    [['--uidmap=0:4294967290:10'], '"0:4294967290:10"'],
    [['--uidmap=0:0:1', '--uidmap=0:1:1'], 'the map of --uidmap'],
    [['--userns=keep-id:uid=x'], 'uid=x'],
    [['--userns=keep-id:name=x'], '"name"'],
    [['--userns=auto:size=0'], 'size=0'],
    [['--userns=auto:size'], '"size"'],
    [['--userns=host', '--uidmap=0:0:1'], '--userns=host and --uidmap'],
    [['--subuidname=x', '--gidmap=0:0:1'], '--gidmap and --subuidname'],
  ] as const)
    await refusedAndGone(
      t,
      ['run', '--rm', ...flags, 'host', '--', 'true'],
      {code: 'ERR_KEELBOX_INVALID_ARG', says},
      who,
    );
});
