// `-v`, `--mount` and `--tmpfs`: every option, whose files they are, what travels, and what must not lead out.

import {spawn} from 'node:child_process';
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import {command, keelbox, type Result, testUser} from './helpers/cli';
import {folder, own} from './helpers/folders';
import {answer, inside, ownState, refused, refusedAndGone, snapshot} from './helpers/inside';
import {lane, patience, scaled, type Who} from './helpers/lane';
import {busybox, busyboxRoot} from './helpers/roots';

const everywhere = lane({host: true, guest: true, rootless: true});
const test = everywhere.needing('unshare', 'mount');
const testBusybox = everywhere.needing('unshare', 'mount', busybox);
/** What is refused before the kernel is asked is refused alike on all of them, and the guest is slow. */
const testWords = lane({host: true, rootless: true});
const MOUNT = 'ERR_KEELBOX_MOUNT';
const INVALID = 'ERR_KEELBOX_INVALID_ARG';

/** The path of another folder in the same one. */
const beside = (file: string) => `${file}-out`;

interface Script extends Who {
  /** Run by root in a mount namespace of its own, whose mounts are peers of nobody outside; `$KEELBOX` runs keelbox. */
  script: string;
  propagation?: 'shared' | 'private';
}

/** keelbox among mounts that nobody else sees. */
function among({asUser, script, propagation = 'private'}: Script): Promise<Result> {
  const {file, args, options} = command([], {asUser});
  const who = asUser ? `setpriv --reuid ${options.uid} --regid ${options.gid} --clear-groups` : '';
  const keelboxCommand = `${who} ${[file, ...args].join(' ')}`;
  const child = spawn('unshare', ['-m', '--propagation', propagation, 'sh', '-c', `set -e\n${script}`], {
    cwd: options.cwd,
    env: {...options.env, KEELBOX: keelboxCommand},
    // A script that waits for a container that never came would wait for ever.
    timeout: patience(60_000),
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', chunk => (stdout += chunk));
  child.stderr.on('data', chunk => (stderr += chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode, signal) => resolve({exitCode, signal, stdout, stderr, bytes: Buffer.alloc(0)}));
  });
}

const ids = (file: string) => {
  const {uid, gid} = lstatSync(file);
  return {uid, gid};
};
const callerOf = ({asUser}: Who) => (asUser ? testUser() : {uid: process.getuid?.(), gid: process.getgid?.()});

test.asEach('files that root of a container makes in a bind belong to the caller', async (t, who) => {
  const shared = folder(who);
  await answer(t, 'mkdir /d/a; echo x > /d/a/f; ln -s f /d/a/l', {...who, flags: ['-v', `${shared}:/d`]});
  for (const name of ['a', 'a/f', 'a/l']) t.deepEqual(ids(path.join(shared, name)), callerOf(who), name);
});

test.asUser('without subordinate ids, files made in a bind belong to the caller too', async (t, who) => {
  const shared = folder(who);
  // No newuidmap in sight: as for a user that /etc/subuid does not know.
  const script = `mount -t tmpfs none /etc/subordinate 2>/dev/null || true
for f in /etc/subuid /etc/subgid; do mount --bind /dev/null $f; done
$KEELBOX run --rm -v ${shared}:/d host -- sh -c 'wc -l < /proc/self/uid_map; touch /d/f'`;
  const {stdout, stderr} = await among({...who, script});
  t.is(stdout, '1\n', stderr);
  t.deepEqual(ids(path.join(shared, 'f')), callerOf(who));
});

const SUBMOUNT = (shared: string) => `mkdir -p ${shared}/sub && mount -t tmpfs -o mode=777 none ${shared}/sub`;
const WRITES = 'for f in /d/f /d/sub/f; do (echo x > $f) 2>/dev/null && echo wrote $f; done; true';

const readOnly: Record<string, [string, string]> = {
  '-v ro is for the mounts below as well': ['-v $D:/d:ro', ''],
  '-v rro too': ['-v $D:/d:rro', ''],
  '--mount readonly too': ['--mount type=bind,src=$D,dst=/d,readonly', ''],
  '--mount bind-recursive=readonly too': ['--mount type=bind,src=$D,dst=/d,readonly,bind-recursive=readonly', ''],
  '--mount bind-recursive=writable leaves them writable': [
    '--mount type=bind,src=$D,dst=/d,readonly,bind-recursive=writable',
    'wrote /d/sub/f\n',
  ],
  'rw has all of it': ['-v $D:/d:rw', 'wrote /d/f\nwrote /d/sub/f\n'],
};

for (const [title, [flags, expected]] of Object.entries(readOnly)) {
  test.asEach(`read-only: ${title}`, async (t, who) => {
    const shared = folder(who);
    const run = `$KEELBOX run --rm ${flags.replaceAll('$D', shared)} host -- sh -c '${WRITES}'`;
    const {stdout, stderr} = await among({...who, script: `${SUBMOUNT(shared)}\n${run}`});
    t.is(stdout, expected, stderr);
  });
}

test.asRoot('a bind without the mounts below has their empty mount points', async (t, who) => {
  const shared = folder(who);
  for (const option of ['bind-recursive=disabled', 'bind-nonrecursive']) {
    const run = `$KEELBOX run --rm --mount type=bind,src=${shared},dst=/d,${option} host -- ls /d/sub`;
    const script = `${SUBMOUNT(shared)}; touch ${shared}/sub/there\n${run}`;
    const {stdout, stderr, exitCode} = await among({...who, script});
    t.deepEqual({stdout, exitCode}, {stdout: '', exitCode: 0}, stderr);
  }
});

// An ordinary user's mounts are locked together: what one hides must not come to light (mount_namespaces(7)).
test.asUser('a bind that would bring to light what a mount hides is refused', async (t, who) => {
  const shared = folder(who, {'sub/hidden': 'secret'});
  const run = `$KEELBOX run --rm -v ${shared}:/d:bind host -- cat /d/sub/hidden`;
  refused(t, await among({...who, script: `${SUBMOUNT(shared)}\n${run}`}), {code: MOUNT, says: shared, why: /below/});
});

/** A mount of a folder on itself, whose ids every kernel maps (a tmpfs's not before Linux 6.3), with peers of its own or none. */
const onItself = (folder: string, how: 'shared' | 'private') =>
  `mount --bind ${folder} ${folder}; mount --make-private ${folder}; mount --make-${how} ${folder}`;

/** A container that says when it runs, hears of a mount by a file, and tells whether it sees it. */
const travels = (shared: string, flags: string, mount: string) => `${onItself(shared, 'shared')}
mkdir ${shared}/late; chmod 777 ${shared}/late
$KEELBOX run --rm -v ${shared}:/d:${flags} host -- sh -c 'echo > /d/runs; until [ -e /d/go ]; do sleep 0.02; done; ls /d/late' > $HOME/out &
until [ -e ${shared}/runs ]; do sleep 0.02; done
${mount}
touch ${shared}/go; wait $!; cat $HOME/out`;

const LATE = (shared: string) =>
  `mount -t tmpfs none ${shared}/late; touch ${shared}/late/seen; chmod 755 ${shared}/late`;

for (const [flags, expected] of Object.entries({rw: '', rprivate: '', rslave: 'seen\n', slave: 'seen\n'})) {
  const what = expected ? 'shows' : 'does not show';
  everywhere
    .needing('unshare', 'mount')
    .asEach(`a ${flags} bind ${what} what the host mounts later`, async (t, who) => {
      const shared = folder(who);
      const script = travels(shared, `${flags},exec`, LATE(shared)).replaceAll('$HOME', beside(shared));
      mkdirSync(beside(shared));
      const {stdout, stderr} = await among({...who, propagation: 'shared', script});
      t.is(stdout, expected, stderr);
    });
}

test.asRoot('an rshared bind shows the host’s later mounts, with and without a user namespace', async (t, who) => {
  for (const userns of ['auto', 'host']) {
    const shared = folder(who);
    const out = beside(shared);
    mkdirSync(out);
    const root = userns === 'host' ? '--userns=host --privileged host' : 'host';
    const script = travels(shared, 'rshared', LATE(shared)).replaceAll('$HOME', out).replace(' host --', ` ${root} --`);
    const {stdout, stderr} = await among({...who, propagation: 'shared', script});
    t.is(stdout, 'seen\n', stderr);
  }
});

test.asRoot(
  'what a privileged container mounts in an rshared bind is on the host, in an rslave or private one not',
  async (t, who) => {
    for (const [flags, expected] of Object.entries({rshared: 'there\n', rslave: '', rprivate: ''})) {
      const shared = folder(who);
      const script = `${onItself(shared, 'shared')}; mkdir ${shared}/m
$KEELBOX run -q --rm --privileged -v ${shared}:/d:${flags} host -- sh -c 'mount -t tmpfs none /d/m && touch /d/m/there'
ls ${shared}/m`;
      const {stdout, stderr} = await among({...who, propagation: 'shared', script});
      t.is(stdout, expected, `${flags}: ${stderr}`);
    }
  },
);

test.asEach('propagation that the source’s mount cannot have is refused', async (t, who) => {
  const shared = folder(who);
  for (const flags of ['rshared', 'rslave']) {
    const run = `${onItself(shared, 'private')}; $KEELBOX run --rm -v ${shared}:/d:${flags} host -- true`;
    const result = await among({...who, script: run});
    refused(t, result, {code: MOUNT, says: flags, why: /not a shared/, fix: '--make-shared'});
  }
});

test.asEach('nothing may be mounted below a bind that is shared with the host', async (t, who) => {
  const shared = folder(who);
  const run = `${onItself(shared, 'shared')}
$KEELBOX run --rm -v ${shared}:/d:rshared --tmpfs /d/x host -- true || echo $?; ls ${shared}`;
  const {stdout, stderr} = await among({...who, propagation: 'shared', script: run});
  t.is(stdout, '125\n', stderr);
  t.regex(stderr, /cannot mount on \/d\/x/);
});

testBusybox.asEach('a root in place on a shared mount gets none of the container’s mounts', async (t, who) => {
  const root = await busyboxRoot(who);
  const top = folder(who);
  const script = `mount --bind ${root} ${top}
$KEELBOX run --rm --tmpfs /mnt --rootfs ${top} true; grep -c ${top} /proc/self/mountinfo; ls ${top}/proc`;
  const {stdout, stderr} = await among({...who, propagation: 'shared', script});
  t.is(stdout, '1\n', stderr);
});

test.asRoot('a tree with a mount that takes no ids is mapped mount by mount', async (t, who) => {
  const [shared, sub, deep] = [folder(who, {own: ''}), folder(who, {f: '', 'deep/f': ''}), folder(who)];
  const script = `mkdir ${shared}/sub ${shared}/proc
mount --bind ${sub} ${shared}/sub; mount --bind ${deep} ${shared}/sub/deep
mount -t proc none ${shared}/proc
$KEELBOX run --rm -v ${shared}:/d host -- sh -c 'cd /d; stat -c "%u %n" own sub sub/f sub/deep proc; touch sub/new sub/deep/new'
stat -c "%u %n" ${sub}/new ${deep}/new; grep -c ${shared} /proc/self/mountinfo`;
  const {stdout, stderr} = await among({...who, script});
  t.is(stderr, '');
  t.is(stdout, `0 own\n0 sub\n0 sub/f\n0 sub/deep\n65534 proc\n0 ${sub}/new\n0 ${deep}/new\n3\n`);
});

test.asRoot('idmap shows ids on disk as those it names', async t => {
  const shared = folder({asUser: false}, {a: '', b: ''});
  chownSync(path.join(shared, 'a'), 7, 8);
  chownSync(path.join(shared, 'b'), 9, 9);
  const script = 'stat -c "%u:%g" /d/a /d/b; su -s /bin/sh daemon -c "echo x > /d/made" 2>/dev/null; true';
  const map = 'idmap=uids=@7-1-1#9-@;gids=@8-2-1'.replace('#9-@', '#@9-3-1');
  for (const flags of [
    ['-v', `${shared}:/d:${map}`],
    ['--mount', `type=bind,src=${shared},dst=/d,${map}`],
  ]) {
    t.is(await answer(t, script, {flags}), '1:2\n3:65534\n');
  }
  t.is(await answer(t, 'stat -c %u:%g /d/a', {flags: ['-v', `${shared}:/d:idmap`]}), '7:8\n');
});

test.asUser('idmap is refused to an ordinary user', async (t, who) => {
  const shared = folder(who);
  await refusedAndGone(t, ['run', '--rm', '-v', `${shared}:/d:idmap`, 'host', 'true'], {code: MOUNT, says: 'ids'}, who);
});

test.asRoot('U gives everything to the container’s user, links themselves, and nothing behind them', async t => {
  const shared = folder({asUser: false}, {'deep/er/f': '', other: ''});
  const canary = folder({asUser: false}, {secret: 'x'});
  symlinkSync(canary, path.join(shared, 'out'));
  symlinkSync(path.join(canary, 'secret'), path.join(shared, 'file'));
  const before = snapshot(canary);
  const flags = ['-u', '33:44', '--mount', `type=bind,src=${shared},dst=/d,U,readonly`];
  t.is(await answer(t, 'id -u; (echo > /d/x) 2>/dev/null || echo read-only', {flags}), '33\nread-only\n');
  for (const name of ['', 'deep', 'deep/er', 'deep/er/f', 'other', 'out', 'file']) {
    t.deepEqual(ids(path.join(shared, name)), {uid: 33, gid: 44}, name);
  }
  t.deepEqual(snapshot(canary), before);
});

test.asUser('U gives a user of the container a subordinate id’s files', async (t, who) => {
  const shared = folder(who, {f: ''});
  const flags = ['-u', '33:33', '-v', `${shared}:/d:U`];
  t.is(await answer(t, 'stat -c %u /d /d/f; echo x > /d/new && echo wrote', {...who, flags}), '33\n33\nwrote\n');
  t.not(lstatSync(path.join(shared, 'f')).uid, testUser().uid);
  // Only root of the same ids can remove them again.
  await answer(t, 'true', {...who, flags: ['-v', `${shared}:/d:U`]});
});

for (const place of ['/', '/etc', '/usr/share', '/home', '/tmp', '/var']) {
  testWords(`U is refused on ${place}`, async t => {
    const args = ['run', '--rm', '-v', `${place}:/d:U`, 'host', 'true'];
    await refusedAndGone(t, args, {code: MOUNT, says: place, fix: 'U'}, {asUser: false});
  });
}

test.asEach('O keeps what is written from the source', async (t, who) => {
  const shared = folder(who, {f: 'old'});
  const before = snapshot(shared);
  const flags = ['-v', `${shared}:/d:O`];
  t.is(await answer(t, 'echo new > /d/f; touch /d/g; cat /d/f; ls /d', {...who, flags}), 'new\nf\ng\n');
  t.deepEqual(snapshot(shared), before);
});

test.asEach('dev, exec and suid are what the options say', async (t, who) => {
  const shared = folder(who);
  const flags = ['-v', `${shared}:/a`, '-v', `${shared}:/b:noexec,nosuid`, '-v', `${shared}:/c:dev,exec,suid`];
  const options = await answer(t, 'for d in a b c; do grep " /$d " /proc/self/mountinfo | cut -d" " -f6; done', {
    ...who,
    flags,
  });
  const [plain = '', closed = '', open = ''] = options
    .split('\n')
    .map(line => line.replace(/,(idmapped|relatime|noatime)/g, ''));
  t.deepEqual(
    [plain, closed],
    ['rw,nodev', 'rw,nosuid,nodev,noexec'].map(words => words),
  );
  if (!who.asUser) t.is(open, 'rw');
});

test.asEach('labels and consistency are accepted', async (t, who) => {
  const shared = folder(who, {f: 'text'});
  for (const option of ['z', 'Z', 'cached', 'delegated', 'consistent', 'rbind', 'rw,z,rprivate']) {
    t.is(await answer(t, 'cat /d/f', {...who, flags: ['-v', `${shared}:/d:${option}`]}), 'text', option);
  }
});

test.asEach('bind-create-src makes a missing source; -v does not', async (t, who) => {
  const shared = folder(who);
  const [made, missing] = [path.join(shared, 'a/b'), path.join(shared, 'c')];
  await answer(t, 'touch /d/f', {...who, flags: ['--mount', `type=bind,src=${made},dst=/d,bind-create-src`]});
  t.true(existsSync(path.join(made, 'f')));
  const args = ['run', '--rm', '-v', `${missing}:/d`, 'host', 'true'];
  await refusedAndGone(t, args, {code: MOUNT, says: missing, fix: 'mkdir -p'}, who);
  const dry = ['run', '--dry-run', '--mount', `type=bind,src=${missing},dst=/d,bind-create-src`, 'host', 'true'];
  t.is((await keelbox(dry, who)).exitCode, 0);
  t.false(existsSync(missing));
});

test.asEach('subpath shows a folder or a file of the source', async (t, who) => {
  const shared = folder(who, {'in/ner/f': 'inner', 'in/g': 'file'});
  symlinkSync('in/ner', path.join(shared, 'link'));
  const at = (subpath: string) => ['--mount', `type=bind,src=${shared},dst=/d,subpath=${subpath}`];
  t.is(await answer(t, 'cat /d/f', {...who, flags: at('in/ner')}), 'inner');
  t.is(await answer(t, 'cat /d/f', {...who, flags: at('link')}), 'inner');
  t.is(await answer(t, 'cat /d', {...who, flags: at('in/g')}), 'file');
});

test.asEach('CVE-2021-25741, CVE-2017-1002101: no subpath leads out of its source', async (t, who) => {
  const outside = folder(who, {secret: 'SECRET'});
  const shared = folder(who, {'in/f': ''});
  symlinkSync(outside, path.join(shared, 'absolute'));
  symlinkSync(`../../${path.basename(outside)}`, path.join(shared, 'in/relative'));
  symlinkSync('/proc/self/root', path.join(shared, 'magic'));
  for (const subpath of ['absolute', 'in/relative', 'magic', '../x', '/etc', 'in/../../x', '']) {
    const args = [
      'run',
      '--rm',
      '--mount',
      `type=bind,src=${shared},dst=/d,subpath=${subpath}`,
      'host',
      'cat',
      '/d/secret',
    ];
    await refusedAndGone(t, args, {code: MOUNT, says: /path below|cannot mount/}, who);
  }
});

test.asEach('CVE-2021-25741: nor one that is swapped for a link meanwhile', async (t, who) => {
  const outside = folder(who, {secret: 'SECRET'});
  const shared = folder(who, {'sub/f': ''});
  symlinkSync(outside, path.join(shared, 'link'));
  const swap = `while [ -e ${shared}/go ]; do mv -T --exchange ${shared}/sub ${shared}/link 2>/dev/null || { mv -T ${shared}/sub ${shared}/s; mv -T ${shared}/link ${shared}/sub; mv -T ${shared}/s ${shared}/link; }; done`;
  writeFileSync(path.join(shared, 'go'), '');
  const racing = spawn('sh', ['-c', swap], {stdio: 'ignore'});
  try {
    for (let round = 0; round < scaled(20); round++) {
      const {stdout} = await inside('cat /d/secret', {
        ...who,
        flags: ['--mount', `type=bind,src=${shared},dst=/d,subpath=sub`],
      });
      t.notRegex(stdout, /SECRET/);
    }
  } finally {
    racing.kill('SIGKILL');
  }
});

testBusybox.asEach(
  'CVE-2018-15664, CVE-2019-18837: a link in the image leads a mount nowhere but inside',
  async (t, who) => {
    const root = await busyboxRoot(who);
    const canary = folder(who, {f: 'host'});
    symlinkSync(canary, path.join(root, 'absolute'));
    symlinkSync(`../../../../../../..${canary}`, path.join(root, 'relative'));
    const before = snapshot(canary);
    const shared = folder(who, {mark: ''});
    for (const target of ['/absolute', '/relative/new', '/absolute/sub/dir']) {
      const options = {...who, rootfs: `${root}:O`, flags: ['-v', `${shared}:${target}`]};
      await answer(t, `test -e ${target}/mark`, options);
      t.deepEqual(snapshot(canary), before, target);
    }
  },
);

testBusybox.asEach(
  'CVE-2021-30465, CVE-2024-45310: nor a folder that a volume swaps for one meanwhile',
  async (t, who) => {
    const root = await busyboxRoot(who);
    const canary = folder(who, {});
    const before = snapshot(canary);
    const shared = folder(who, {});
    writeFileSync(path.join(shared, 'go'), '');
    const swap = `cd ${shared}; while [ -e go ]; do mkdir x 2>/dev/null; rm -rf x; ln -s ${canary} x; rm -f x; done`;
    const racing = spawn('sh', ['-c', swap], {stdio: 'ignore', ...(who.asUser ? testUser() : {})});
    try {
      for (let round = 0; round < scaled(40); round++) {
        await inside('true', {
          ...who,
          rootfs: `${root}:O`,
          flags: ['-v', `${shared}:/v`, '--tmpfs', '/v/x/y', '-v', `${shared}:/v/x/z`],
        });
      }
    } finally {
      racing.kill('SIGKILL');
    }
    t.deepEqual(snapshot(canary), before);
  },
);

testBusybox.asEach(
  'CVE-2026-87766: a link in a bind of the caller’s leads no other mount out of the root',
  async (t, who) => {
    const canary = folder(who, {});
    const before = snapshot(canary);
    const shared = folder(who, {});
    symlinkSync(canary, path.join(shared, 'link'));
    const root = await busyboxRoot(who);
    const flags = ['-v', `${shared}:/v`, '--tmpfs', '/v/link/made'];
    await inside('true', {...who, rootfs: `${root}:O`, flags});
    t.deepEqual(snapshot(canary), before);
  },
);

test.asEach('--tmpfs takes what docker’s and podman’s takes', async (t, who) => {
  const flags = [
    '--tmpfs',
    '/t:rw,size=1m,nr_inodes=100,mode=700,noatime,exec',
    '--mount',
    'type=tmpfs,dst=/u,tmpfs-size=64k,tmpfs-mode=1770',
  ];
  const script =
    'stat -c %a /t /u; grep -E " /[tu] " /proc/self/mountinfo | cut -d" " -f5,6 | sort; df -k /t /u | tail -n +2 | tr -s " " | cut -d" " -f2';
  t.is(
    await answer(t, script, {...who, flags}),
    '700\n1770\n/t rw,nosuid,nodev,noatime\n/u rw,nosuid,nodev,noexec,relatime\n1024\n64\n',
  );
});

testBusybox.asEach('tmpcopyup begins with what the root has there; docker’s default does not', async (t, who) => {
  const root = await busyboxRoot(who);
  mkdirSync(path.join(root, 'data/in'), {recursive: true});
  writeFileSync(path.join(root, 'data/in/f'), 'text');
  if (who.asUser) own(path.join(root, 'data'));
  const look = (options: string) =>
    answer(t, 'ls -R /data', {...who, rootfs: `${root}:O`, flags: ['--tmpfs', `/data${options}`]});
  t.is(await look(':tmpcopyup'), '/data:\nin\n\n/data/in:\nf\n');
  for (const plain of ['', ':notmpcopyup']) t.is(await look(plain), '/data:\n');
});

test.asEach('--shm-size is the size of /dev/shm; 0 is none', async (t, who) => {
  const size = async (...flags: string[]) =>
    (await answer(t, 'df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2', {...who, flags})).trim();
  t.deepEqual(
    [await size(), await size('--shm-size', '2m'), await size('--shm-size=1.5MB'), await size('--shm-size=0')],
    ['65536', '2048', '1536', '0'],
  );
  await answer(t, 'head -c 100000000 /dev/zero > /dev/shm/f', {...who, flags: ['--shm-size=0']});
});

const contradictions: Record<string, string[]> = {
  'ro and rw': ['-v', '/usr:/d:ro,rw'],
  'two kinds of propagation': ['-v', '/usr:/d:rslave,rshared'],
  'dev and nodev': ['-v', '/usr:/d:dev,nodev'],
  'copy for a bind': ['-v', '/usr:/d:nocopy'],
  'O and idmap': ['-v', '/usr/share:/d:O,idmap'],
  'one key twice': ['--mount', 'type=bind,src=/usr,source=/etc,dst=/d'],
  'readonly and rw': ['--mount', 'type=bind,src=/usr,dst=/d,readonly,rw'],
  'a key of another type': ['--mount', 'type=bind,src=/usr,dst=/d,volume-nocopy'],
  'a tmpfs key for a bind': ['--mount', 'type=bind,src=/usr,dst=/d,tmpfs-size=1m'],
  'bind-recursive=writable without readonly': ['--mount', 'type=bind,src=/usr,dst=/d,bind-recursive=writable'],
  'bind-recursive twice over': ['--mount', 'type=bind,src=/usr,dst=/d,bind-recursive=enabled,bind-nonrecursive'],
  'an unknown propagation': ['--mount', 'type=bind,src=/usr,dst=/d,bind-propagation=sideways'],
  'an idmap that is none': ['-v', '/usr:/d:idmap=uids=1-2'],
  'a size that is none': ['--shm-size', 'much'],
  'a negative size': ['--shm-size=-1'],
};

for (const [title, flags] of Object.entries(contradictions)) {
  testWords(`refused: ${title}`, async t => {
    await refusedAndGone(t, ['run', '--rm', ...flags, 'host', 'true'], {code: INVALID, says: /\S/}, {asUser: false});
  });
}

test('a plan of every kind of mount makes nothing', async t => {
  const who: Who = {asUser: false};
  const state = ownState(who);
  const shared = folder(who, {f: ''});
  const flags = ['-v', `${shared}:/a:ro`, '-v', `${shared}:/b:O`, '-v', `${shared}/f:/f:U`];
  const {exitCode, stdout, stderr} = await keelbox(['run', '--dry-run', ...flags, 'host', 'true'], {
    ...who,
    env: state.env,
  });
  t.is(exitCode, 0, stderr);
  for (const word of ['MS_PRIVATE', 'overlay', '/f', 'chown']) t.true(stdout.includes(word), word);
  t.deepEqual(readdirSync(state.root), []);
  t.is(readFileSync(path.join(shared, 'f'), 'utf8'), '');
});
