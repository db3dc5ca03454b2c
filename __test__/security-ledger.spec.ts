/** Holes that other runtimes had, one test each by its number, where no other spec has it already. */
import {type ChildProcess, spawn} from 'node:child_process';
import {mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {command, keelbox, specFolder} from './helpers/cli';
import {answer, errnoOf, inside, ownState, refused, runIn, snapshot} from './helpers/inside';
import {lane, scaled} from './helpers/lane';
import {busybox, busyboxRoot} from './helpers/roots';

const test = lane({host: true, guest: true, rootless: true});
const withPerl = test.needing('perl');
const withBusybox = test.needing(busybox);
const EPERM = 1;

/** `keelbox ARGS` under another program, e.g. setpriv. */
function under(program: string[], args: string[], env: Record<string, string> = {}): ChildProcess {
  const {file, args: all, options} = command(args, {env});
  const [first = '', ...rest] = program;
  return spawn(first, [...rest, file, ...all], {...options, stdio: ['ignore', 'pipe', 'inherit']});
}

async function output(child: ChildProcess): Promise<string> {
  let text = '';
  child.stdout?.on('data', chunk => (text += chunk));
  await new Promise(done => child.on('close', done));
  return text;
}

test
  .needing('setpriv')
  .asRoot('the caller’s inheritable capabilities go no further (CVE-2022-24769, CVE-2022-29162)', async t => {
    const privileges = ['setpriv', '--inh-caps=+chown,+sys_admin', '--ambient-caps=+chown,+sys_admin'];
    const found = await output(
      under(privileges, ['run', '--rm', 'host', '--', 'grep', '-E', 'Cap(Inh|Amb)', '/proc/self/status']),
    );
    t.is(found, `CapInh:\t${'0'.repeat(16)}\nCapAmb:\t${'0'.repeat(16)}\n`);
  });

withBusybox.asEach(
  'a group of the image is the user’s, so that what it takes away stays away (CVE-2022-36109, CVE-2023-25173)',
  async (t, who) => {
    const rootfs = await busyboxRoot(who);
    const accounts = 'mkdir -p /etc; echo u:x:1:5::/:/bin/sh > /etc/passwd; echo g:x:7:u > /etc/group';
    await answer(t, `${accounts}; echo secret > /f; chown 0:7 /f; chmod 0604 /f`, {...who, rootfs});
    t.is(await answer(t, 'id -G', {...who, rootfs, flags: ['-u', 'u']}), '5 7\n');
    t.is((await inside('cat /f', {...who, rootfs, flags: ['-u', 'u']})).stdout, '');
    t.is((await inside('cat /f', {...who, rootfs, flags: ['-u', '1:5']})).stdout, 'secret\n');
  },
);

test.asEach('no cgroup hierarchy can be mounted (CVE-2022-0492)', async (t, who) => {
  const script = 'mkdir /tmp/c; unshare -UrC true && echo unshared; mount -t cgroup -o memory x /tmp/c && echo mounted';
  t.is((await inside(`${script}; true`, who)).stdout, '');
});

withPerl.asEach('pipes take no pages of a file, and memory no faults of ours (CVE-2022-0847)', async (t, who) => {
  t.is(await answer(t, errnoOf(278, -1, 0, 0, 0), who), String(EPERM));
  t.is(await answer(t, errnoOf(323, 0), who), String(EPERM));
});

test.asEach(
  'no control file of the container’s cgroup can be written (CVE-2023-25809, CVE-2023-6476)',
  async (t, who) => {
    const find =
      'find /sys/fs/cgroup -type f \\( -name "*.max" -o -name "*.procs" -o -name tasks -o -name release_agent \\)';
    const script = `${find} | wc -l; ${find} | while read f; do (echo 0 > "$f") 2>/dev/null && echo "$f"; done; true`;
    const [count, ...written] = (await answer(t, script, who)).trim().split('\n');
    t.deepEqual(written, []);
    // An ordinary user's container has no group of its own, and none is shown.
    t.is(Number(count) > 0, !who.asUser);
  },
);

test.asEach(
  'what tells a neighbour’s secrets by power and interrupts is hidden (GHSA-jq35-85cj-fj4p, GHSA-6fw5-f8r9-fgfm)',
  async (t, who) => {
    const script =
      'cat /proc/interrupts 2>/dev/null; find /sys/devices/virtual/powercap /sys/devices/system/cpu -path "*energy_uj" -o -path "*thermal_throttle/*" 2>/dev/null; true';
    t.is(await answer(t, script, who), '');
  },
);

test.asEach(
  'nothing of the caller’s environment comes along (CVE-2020-14370, CVE-2021-21334, CVE-2026-23953)',
  async (t, who) => {
    const env = {CANARY_TOKEN: 'canary-secret'};
    const {stdout} = await inside('env; tr "\\0" "\\n" < /proc/1/environ', {...who, env});
    t.false(stdout.includes('canary'), stdout);
    refused(t, await inside('env', {...who, flags: ['-e', 'A\nB=1']}), {
      code: 'ERR_KEELBOX_INVALID_ARG',
      says: 'variable',
      fix: /.*/,
    });
  },
);

test.asEach('/proc is never what a volume says it is (CVE-2019-16884, CVE-2023-28642)', async (t, who) => {
  const fake = mkdtempSync(path.join(specFolder(), 'proc-'));
  mkdirSync(path.join(fake, 'self/attr'), {recursive: true});
  for (const target of ['/proc', '/proc/self', '/sys', '/./proc', '//proc/self/attr']) {
    const result = await inside('true', {...who, flags: ['-v', `${fake}:${target}`]});
    refused(t, result, {code: 'ERR_KEELBOX_MOUNT', says: target});
  }
});

test.asEach(
  'removing a container follows no link of its making (CVE-2019-12439, RUSTSEC-2023-0018)',
  async (t, who) => {
    const canary = mkdtempSync(path.join(specFolder(), 'canary-'));
    mkdirSync(path.join(canary, 'sub'));
    writeFileSync(path.join(canary, 'sub/f'), 'stays');
    const before = snapshot(canary);
    const state = ownState(who);
    const links = `mkdir -p /root/d/e; ln -s ${canary} /root/d/l; ln -s ${canary}/sub /root/d/e/l`;
    // The swap goes on until the kill, so what is removed was a directory when it was made and a link when it is looked at.
    const swap = `${links}; mkdir /root/a; ln -s ${canary} /root/b; while :; do mv -T /root/a /root/c; mv -T /root/b /root/a; mv -T /root/c /root/b; done`;
    for (let round = 0; round < scaled(8); round += 1) {
      const name = `swap${round}`;
      const {file, args, options} = command(['run', '--name', name, 'host', '--', 'sh', '-c', `echo on; ${swap}`], {
        ...who,
        env: state.env,
      });
      const child = spawn(file, args, {...options, stdio: ['ignore', 'pipe', 'ignore']});
      await new Promise(done => child.stdout?.once('data', done));
      const removed = await keelbox(['rm', '-f', name], {...who, env: state.env});
      t.is(removed.exitCode, 0, removed.stderr);
    }
    t.deepEqual(snapshot(canary), before);
    t.deepEqual(readdirSync(path.join(state.root, 'containers')), []);
  },
);

/** The largest resident size so far, in kB, of every process that is the executable in one of its roles. */
function executables(): number[] {
  const text = (pid: string, file: string) => {
    try {
      return readFileSync(path.join('/proc', pid, file), 'utf8');
    } catch {
      return '';
    }
  };
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && text(name, 'cmdline').startsWith('keelbox-runtime\0'))
    .map(pid => Number(/VmHWM:\s+(\d+)/.exec(text(pid, 'status'))?.[1] ?? 0));
}

test('a line without end costs the supervisor no memory (CVE-2022-23471, CVE-2022-31030)', async t => {
  const bytes = scaled(256) * 1024 * 1024;
  const file = path.join(mkdtempSync(path.join(specFolder(), 'line-')), 'out');
  const {
    file: program,
    args,
    options,
  } = command(['run', '--rm', 'host', '--', 'sh', '-c', `head -c ${bytes} /dev/zero; exec sleep 1000`], {});
  const child = spawn(program, args, {...options, stdio: ['ignore', openSync(file, 'w'), 'inherit']});
  t.teardown(() => void child.kill('SIGKILL'));
  while (statSync(file).size < bytes) await new Promise(done => setTimeout(done, 100));
  const found = executables();
  t.true(found.length > 0);
  for (const kilobytes of found) t.true(kilobytes < 20 * 1024, `${kilobytes} kB`);
});

withBusybox.asEach(
  'a user that is no number is nobody, least of all root (CVE-2026-30892, CVE-2024-40635, CVE-2026-46680)',
  async (t, who) => {
    const rootfs = await busyboxRoot(who);
    for (const user of ['-1', '4294967295', '4294967296', '0x0', '1 ', '+1']) {
      const result = await runIn(['id', '-u'], {...who, rootfs, flags: [`--user=${user}`]});
      t.not(result.stdout, '0\n', user);
      t.not(result.exitCode, 0, user);
    }
  },
);
