/** `--nested`: a container engine inside ours works, and reaches no further than ours lets it. */
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {specFolder} from './helpers/cli';
import {answer, inside, refused, runIn} from './helpers/inside';
import {lane, type Need} from './helpers/lane';
import {busybox} from './helpers/roots';

const test = lane({host: true, guest: true, rootless: true});
const STATE = '/var/lib/keelbox';
/** The product, for an engine inside; its state needs a file system that an overlay can write to. */
const product = () => ['-v', `${path.join(specFolder(), 'dist')}:/keelbox:ro`, '--tmpfs', `${STATE}:exec`, '--nested'];
const NODE = process.execPath;
const nodeInside: Need = {name: 'node outside home directories', isThere: () => !/^\/(home|root)\//.test(NODE)};
const x64: Need = {name: 'x86-64', isThere: () => process.arch === 'x64'};
const withNode = test.needing(nodeInside);
const withPodman = test.needing('podman', 'crun', busybox);
const withBubblewrap = test.needing('bwrap');

const keelboxInside = (args: string) =>
  `KEELBOX_ROOT=${STATE} KEELBOX_RUNROOT=/run/keelbox ${NODE} -- /keelbox/cli.cjs ${args}`;

withNode.asEach('keelbox runs in keelbox, with everything that it does by default', async (t, who) => {
  const status = 'id -u; hostname; grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status | cut -f 2; cat /proc/1/comm';
  const found = await answer(t, keelboxInside(`run --rm -h inner host -- sh -c '${status}'`), {
    ...who,
    flags: product(),
  });
  t.is(found, '0\ninner\n1\n2\nsh\n');
});

withNode.asEach('a container inside ends with its own exit code, and leaves nothing', async (t, who) => {
  const script = `${keelboxInside("run --rm host -- sh -c 'echo x > /x; exit 9'")}; echo $?; ls ${STATE}/containers; ${keelboxInside('ps -aq')}`;
  t.is(await answer(t, script, {...who, flags: product()}), '9\n');
});

withNode.asEach('the masks of the container inside cannot be taken away from there', async (t, who) => {
  const script = keelboxInside(
    "run --rm host -- sh -c 'head -c 1 /proc/interrupts | wc -c; umount /proc/interrupts; unshare -U true; head -c 1 /proc/interrupts | wc -c'",
  );
  t.is((await inside(script, {...who, flags: product()})).stdout, '0\n0\n');
});

withPodman.asEach('podman runs a container', async (t, who) => {
  const root = 'mkdir -p /tmp/r/bin /tmp/r/proc /tmp/r/sys /tmp/r/dev /tmp/r/etc; cp /bin/busybox /tmp/r/bin/';
  const script = `${root}; podman run --rm --network none --cgroups=disabled --rootfs /tmp/r /bin/busybox sh -c 'id -u; hostname' 2>/tmp/log || cat /tmp/log`;
  const {stdout, stderr} = await inside(script, {...who, flags: ['--nested', '--tmpfs', '/var/lib/containers:exec']});
  t.regex(stdout, /^0\n[0-9a-f]{12}\n$/, stderr);
});

withBubblewrap.asEach(
  'bubblewrap makes a sandbox with its own /proc and /dev, as root and as a user',
  async (t, who) => {
    const script = 'bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev sh -c "id -u; cat /proc/1/comm"';
    t.regex(await answer(t, script, {...who, flags: ['--nested']}), /^0\n(bwrap|sh)\n$/);
    t.regex(await answer(t, script, {...who, flags: ['--nested', '-u', '1000']}), /^1000\n(bwrap|sh)\n$/);
  },
);

test.asEach('without --nested none of that is possible (CVE-2022-0492)', async (t, who) => {
  const {stdout} = await inside('unshare -Ur true && echo made; unshare -UrC true && echo made; echo end', who);
  t.is(stdout, 'end\n');
});

test.asEach('root inside has no more capabilities, and cannot mount where it is', async (t, who) => {
  const script =
    'grep CapEff /proc/self/status | cut -f 2; mount -t tmpfs t /mnt && echo mounted; mount -o remount,rw /etc && echo rw; umount /proc && echo gone; true';
  t.is((await inside(script, {...who, flags: ['--nested']})).stdout, '00000000800405fb\n');
});

test.asEach('what is read-only stays so in a namespace inside', async (t, who) => {
  const script = `unshare -Urm sh -c 'mount -o remount,bind,rw /volume && echo rw; umount /volume && echo gone; touch /volume/x && echo wrote; true'`;
  const volume = ['-v', `${path.join(specFolder(), 'dist')}:/volume:ro`];
  t.is((await inside(script, {...who, flags: ['--nested', ...volume]})).stdout, '');
});

test.asEach(
  'no setting of the machine can be written from a namespace inside (CVE-2025-31133, CVE-2025-52881)',
  async (t, who) => {
    const files = [
      'kernel/core_pattern',
      'kernel/modprobe',
      'vm/drop_caches',
      'vm/overcommit_memory',
      'kernel/panic',
      'fs/suid_dumpable',
    ];
    const kept = files
      .map(file => `/proc/sys/${file}`)
      .filter(file => existsSync(file) && !file.endsWith('drop_caches'));
    const read = () => kept.map(file => readFileSync(file, 'utf8'));
    const before = read();
    const all = [
      ...files.map(file => `/proc/sys/${file}`),
      '/proc/sysrq-trigger',
      '/sys/power/state',
      '/sys/kernel/uevent_helper',
    ];
    const writes = all
      .map(file => `test -e ${file} && echo 1 2>/dev/null > ${file} && echo "wrote ${file}"`)
      .join('; ');
    const script = `(${writes}); unshare -Urmpf --mount-proc sh -c '${writes}'; true`;
    t.is((await inside(script, {...who, flags: ['--nested']})).stdout, '');
    t.deepEqual(read(), before);
  },
);

const CALLS = [
  [321, 0, 0, 0],
  [298, 0, 0, 0, 0, 0],
  [41, 38, 5, 0],
  [41, 40, 1, 0],
  [425, 1, 0],
  [323, 0],
  [304, -1, 0, 0],
  [278, -1, 0, 0, 0],
];

test
  .needing('perl', x64)
  .asEach('the rest of the filter stays: bpf, perf, sockets with a past (CVE-2022-0185)', async (t, who) => {
    const probe = CALLS.map(args => `$! = 0; syscall(${args.join(', ')}); print $! + 0, " ";`).join(' ');
    t.is(await answer(t, `perl -e '${probe}'`, {...who, flags: ['--nested']}), '1 1 1 1 1 1 1 1 ');
  });

const delegated: Need = {
  name: 'a cgroup v2 hierarchy that root may write to',
  isThere: () => ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].some(at => existsSync(path.join(at, 'cgroup.procs'))),
};
const mountPoint = () => (existsSync('/sys/fs/cgroup/cgroup.procs') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/unified');

test.needing(delegated).asRoot('makes groups below its own, which go with it, and cannot lift its limits', async t => {
  const at = mountPoint();
  const deep = Array.from({length: 40}, () => 'd').join('/');
  const script = `cd ${at}; mkdir a a/b && echo 0 > a/cgroup.procs && cat /proc/self/cgroup | grep -c "^0::/a$"; for f in pids.max memory.max cgroup.max.depth cgroup.freeze; do test -e $f && echo max 2>/dev/null > $f && echo "wrote $f"; done; mkdir -p ${deep} 2>/dev/null || echo deep enough`;
  t.is((await inside(script, {flags: ['--nested']})).stdout, '1\ndeep enough\n');
  const left = readdirSync(at).filter(name => /^keelbox/.test(name));
  for (const parent of left) {
    const groups = readdirSync(path.join(at, parent), {withFileTypes: true}).filter(entry => entry.isDirectory());
    for (const {name} of groups) t.false(existsSync(path.join(at, parent, name, 'd')), name);
  }
});

test
  .needing(delegated)
  .asRoot('--security-opt writable-cgroups and unmask=/sys/fs/cgroup open the group alone', async t => {
    const script = `mkdir ${mountPoint()}/a && echo made; unshare -U true && echo namespace; head -c 1 /proc/interrupts | wc -c`;
    t.is((await inside(script, {flags: ['--security-opt', 'writable-cgroups']})).stdout, 'made\n0\n');
    t.is((await inside(script, {flags: ['--security-opt', 'unmask=/sys/fs/cgroup']})).stdout, 'made\n0\n');
    t.is((await inside(script)).stdout, '0\n');
  });

test.asRoot('--nested is refused without a user namespace to bound it', async t => {
  const result = await runIn(['true'], {flags: ['--nested', '--userns=host']});
  refused(t, result, {code: 'ERR_KEELBOX_INVALID_ARG', says: /--nested|--userns=host/});
});

test.asEach('no_new_privs is off for newuidmap, and on when that is asked for', async (t, who) => {
  const status = 'grep NoNewPrivs: /proc/self/status | cut -f 2';
  t.is(await answer(t, status, {...who, flags: ['--nested']}), '0\n');
  t.is(await answer(t, status, {...who, flags: ['--nested', '--security-opt', 'no-new-privileges']}), '1\n');
});
