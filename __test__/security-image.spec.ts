/**
 * Roots that somebody made to get out of a container: links where keelbox mounts, reads or makes something. A canary of
 * the host, which the links lead to, must never change, and its secret must never be seen (`CVE-...`: whom it once got).
 */
import {execFileSync} from 'node:child_process';
import {chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {type Result, specFolder, testUser} from './helpers/cli';
import {inside, refused, runIn, snapshot} from './helpers/inside';
import {lane, scaled, type Who} from './helpers/lane';
import {busybox, busyboxRoot} from './helpers/roots';

const test = lane({host: true, guest: true, rootless: true}).needing(busybox);

const SECRET = 'CANARY-SECRET';

/** A folder that belongs to whoever runs keelbox: what an escape could reach, it could change. */
function canaryFolder({asUser}: Who): string {
  const folder = mkdtempSync(path.join(specFolder(), 'canary-'));
  chmodSync(folder, 0o755);
  mkdirSync(path.join(folder, 'sub'), {mode: 0o700});
  for (const name of ['secret', 'sub/secret']) writeFileSync(path.join(folder, name), SECRET, {mode: 0o600});
  const all = ['', 'secret', 'sub', 'sub/secret'];
  if (asUser) for (const name of all) chownSync(path.join(folder, name), testUser().uid, testUser().gid);
  return folder;
}

interface Attack {
  root: string;
  canary: string;
  /** A link in the root, in place of what is there. */
  link: (name: string, target: string) => void;
}

type Prepare = (attack: Attack) => void;

/** Paths that lead to the canary: absolute, and by more `..` than there are directories. */
const WAYS = {
  absolute: (canary: string) => canary,
  dotdot: (canary: string) => `${'../'.repeat(20)}${canary.slice(1)}`,
};

/** Runs `attempt` on a prepared tree, in place and under an overlay. The canary must stand, and its secret be unseen. */
async function contained(
  t: ExecutionContext,
  who: Who,
  prepare: Prepare,
  attempt: (rootfs: string, canary: string) => Promise<Result | Result[]>,
): Promise<void> {
  for (const suffix of ['', ':O']) {
    const canary = canaryFolder(who);
    const root = await busyboxRoot(who);
    const link = (name: string, target: string) => {
      rmSync(path.join(root, name), {recursive: true, force: true});
      symlinkSync(target, path.join(root, name));
    };
    prepare({root, canary, link});
    const before = snapshot(canary);
    const results = [await attempt(`${root}${suffix}`, canary)].flat();
    t.deepEqual(snapshot(canary), before, `the canary changed (${suffix})`);
    for (const {stdout, stderr} of results)
      t.false((stdout + stderr).includes(SECRET), `the secret was seen (${suffix})`);
  }
}

for (const [way, to] of Object.entries(WAYS)) {
  for (const name of ['proc', 'sys', 'dev']) {
    test.asEach(
      `/${name} that is a link (${way}) is refused (CVE-2019-19921, CVE-2023-27561, CVE-2026-41579)`,
      async (t, who) => {
        await contained(
          t,
          who,
          ({link, canary}) => link(name, to(canary)),
          async rootfs => {
            const result = await inside(`ls /${name}; cat /${name}/secret`, {...who, rootfs});
            refused(t, result, {
              code: 'ERR_KEELBOX_MOUNT',
              says: `/${name}`,
              why: 'symbolic link',
              fix: 'replace the link',
            });
            return result;
          },
        );
      },
    );
  }

  test.asEach(`hosts, hostname, resolv.conf that are links (${way}) stay inside (CVE-2025-24965)`, async (t, who) => {
    await contained(
      t,
      who,
      ({link, canary}) => {
        link('etc/hosts', to(`${canary}/secret`));
        link('etc/hostname', to(`${canary}/made`));
        link('etc/resolv.conf', to(`${canary}/sub/secret`));
      },
      rootfs => inside('cat /etc/hosts /etc/hostname /etc/resolv.conf; echo x >> /etc/hosts', {...who, rootfs}),
    );
  });

  test.asEach(`an /etc that is a link (${way}) stays inside`, async (t, who) => {
    await contained(
      t,
      who,
      ({link, canary}) => link('etc', to(canary)),
      rootfs => inside('ls /etc/; cat /etc/secret; echo x > /etc/made', {...who, rootfs}),
    );
  });

  test.asEach(`passwd and group that are links (${way}) are read inside the root only`, async (t, who) => {
    await contained(
      t,
      who,
      ({link, canary, root}) => {
        writeFileSync(path.join(canary, 'passwd'), 'evil:x:0:0::/:/bin/sh\n', {mode: 0o644});
        link('etc/passwd', to(`${canary}/passwd`));
        link('etc/group', to(`${canary}/secret`));
        mkdirSync(path.join(root, 'x'));
      },
      async rootfs => {
        const result = await runIn(['id'], {...who, rootfs, flags: ['-u', 'evil']});
        refused(t, result, {code: 'ERR_KEELBOX_USER', says: 'evil'});
        return result;
      },
    );
  });

  test.asEach(
    `a volume’s mount point behind a link (${way}) is made inside (CVE-2021-30465, CVE-2019-18837, CVE-2024-5154, CVE-2026-87766)`,
    async (t, who) => {
      await contained(
        t,
        who,
        ({link, canary}) => link('data', to(canary)),
        async (rootfs, canary) => {
          const volume = canaryFolder(who);
          writeFileSync(path.join(volume, 'secret'), 'volume');
          const script = 'cat /data/deep/dir/secret; echo made > /data/made; echo made > /data/deep/made';
          const mounts = [`${volume}:/data/deep/dir`, `${volume}/secret:/data/deep/file`];
          const result = await inside(script, {...who, rootfs, flags: mounts.flatMap(mount => ['-v', mount])});
          t.is(result.stdout, 'volume', `${canary}: ${result.stderr}`);
          return result;
        },
      );
    },
  );

  test.asEach(`--tmpfs and --workdir behind a link (${way}) stay inside (CVE-2026-55686)`, async (t, who) => {
    await contained(
      t,
      who,
      ({link, canary}) => {
        link('t', to(canary));
        link('w', to(`${canary}/sub`));
        link('n', to(`${canary}/not-there`));
      },
      async rootfs => [
        await inside('echo x > /t/made; cat /t/secret', {...who, rootfs, flags: ['--tmpfs', '/t']}),
        await inside('echo x > made; cat secret', {...who, rootfs, flags: ['-w', '/w']}),
        await inside('echo x > made', {...who, rootfs, flags: ['-w', '/n/new/dir']}),
      ],
    );
  });

  test.asEach(
    `/dev/null, console, shm, pts and ptmx that are links (${way}) do nothing (CVE-2025-31133, CVE-2025-62161, CVE-2025-52565, CVE-2026-88264, CVE-2026-88265)`,
    async (t, who) => {
      await contained(
        t,
        who,
        ({link, canary}) => {
          link('dev/null', to(`${canary}/secret`));
          link('dev/console', to(`${canary}/console`));
          for (const name of ['shm', 'pts', 'mqueue']) link(`dev/${name}`, to(`${canary}/sub`));
          link('dev/ptmx', to(`${canary}/ptmx`));
        },
        async rootfs => {
          const script =
            'cat /proc/kallsyms /proc/keys; echo x > /dev/null; ls -l /dev/null | cut -c 1; ls /dev/shm /dev/pts';
          const plain = await inside(script, {...who, rootfs});
          t.is(plain.stdout, 'c\n/dev/pts:\nptmx\n\n/dev/shm:\n', plain.stderr);
          const terminal = await inside('echo x > /dev/console; tty', {...who, rootfs, flags: ['-t']});
          t.is(terminal.exitCode, 0, terminal.stdout);
          return [plain, terminal];
        },
      );
    },
  );

  test.asEach(`a program that is a link (${way}) to one of the host is not found`, async (t, who) => {
    await contained(
      t,
      who,
      ({link, canary}) => {
        writeFileSync(path.join(canary, 'program'), `#!/bin/sh\necho ${SECRET}\n`, {mode: 0o755});
        link('bin/program', to(`${canary}/program`));
      },
      async rootfs => {
        const result = await runIn(['program'], {...who, rootfs});
        t.is(result.exitCode, 127, result.stderr);
        return result;
      },
    );
  });
}

for (const [name, target] of Object.entries({
  '/proc': '/proc',
  'a folder of /proc': '/proc/sys/kernel',
  '/proc/self': '/proc/self',
  '/sys': '../../sys',
  'the root': '/',
})) {
  test.asEach(
    `a mount point that the root links to ${name} is refused, as that path itself is (CVE-2025-52881, CVE-2025-62596)`,
    async (t, who) => {
      await contained(
        t,
        who,
        ({link}) => link('data', target),
        async rootfs => {
          const volume = canaryFolder(who);
          const point = target === '/proc/self' ? '/data/attr' : '/data';
          const results = [
            await inside('cat /proc/self/mountinfo', {...who, rootfs, flags: ['-v', `${volume}:${point}`]}),
            await inside('cat /proc/self/mountinfo', {...who, rootfs, flags: ['--tmpfs', point]}),
          ];
          for (const result of results) refused(t, result, {code: 'ERR_KEELBOX_MOUNT', says: point});
          return results;
        },
      );
    },
  );
}

test.asEach('/proc and /sys that are files are refused, and say what they are', async (t, who) => {
  for (const name of ['proc', 'sys', 'dev']) {
    const rootfs = await busyboxRoot(who);
    rmSync(path.join(rootfs, name), {recursive: true});
    writeFileSync(path.join(rootfs, name), 'x');
    const result = await inside('true', {...who, rootfs});
    refused(t, result, {code: 'ERR_KEELBOX_MOUNT', says: `/${name}`, why: /not a directory/i, fix: 'directory'});
  }
});

test.asEach(
  '/proc/self/fd in the root’s own making does not lead a read-only mount astray (CVE-2026-115521)',
  async (t, who) => {
    const rootfs = await busyboxRoot(who);
    mkdirSync(path.join(rootfs, 'proc/self/fd'), {recursive: true});
    const {stdout} = await inside('echo x > /made || echo read-only', {...who, rootfs, flags: ['--read-only']});
    t.is(stdout, 'read-only\n');
  },
);

test.asEach('a passwd that is a pipe, a directory or too big is refused at once (CVE-2026-47262)', async (t, who) => {
  const prepared: Record<string, (file: string) => void> = {
    'not a regular file': file => execFileSync('mkfifo', [file]),
    'it is not a regular file': file => mkdirSync(file),
    '10485760': file => {
      writeFileSync(file, '');
      truncateSync(file, 2 ** 30);
    },
  };
  for (const [why, prepare] of Object.entries(prepared)) {
    const rootfs = await busyboxRoot(who);
    const file = path.join(rootfs, 'etc/passwd');
    rmSync(file);
    prepare(file);
    refused(t, await runIn(['id'], {...who, rootfs, flags: ['-u', 'guest']}), {
      code: 'ERR_KEELBOX_USER',
      says: 'passwd',
      why,
    });
  }
});

test.asEach('a working directory through an open directory of keelbox is refused (CVE-2024-21626)', async (t, who) => {
  for (let fd = 0; fd < 14; fd += scaled(2) === 1 ? 3 : 1) {
    const result = await inside('pwd; cd ../../../..; ls', {...who, flags: ['-w', `/proc/self/fd/${fd}`]});
    t.deepEqual([result.exitCode, result.stdout], [125, ''], `${fd}: ${result.stderr}`);
  }
});

test.asEach('a root that links a path to /proc/self/fd/N is no way to the caller’s directories', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  for (const fd of [3, 5, 7]) symlinkSync(`/proc/self/fd/${fd}`, path.join(rootfs, `w${fd}`));
  for (const fd of [3, 5, 7]) {
    const result = await inside('pwd', {...who, rootfs, flags: ['-w', `/w${fd}`]});
    t.deepEqual([result.exitCode, result.stdout], [125, ''], result.stderr);
  }
});

test.asEach('a volume over /dev does not decide what the masks are made of', async (t, who) => {
  const volume = canaryFolder(who);
  writeFileSync(path.join(volume, 'null'), SECRET);
  const {stdout} = await inside('cat /proc/kallsyms /proc/keys /proc/config.gz | wc -c', {
    ...who,
    flags: ['-v', `${volume}:/dev`],
  });
  t.is(stdout.trim(), '0');
});

test.asEach(
  'a mount point that another container swaps for a link meanwhile leads nowhere (CVE-2021-30465, CVE-2024-45310, CVE-2021-25741)',
  async (t, who) => {
    const shared = canaryFolder(who);
    const canary = canaryFolder(who);
    const rootfs = await busyboxRoot(who);
    const before = snapshot(canary);
    const swap = `mkdir -p /s/a; ln -s ${canary} /s/b; while test ! -e /s/stop; do mv /s/a /s/c; mv /s/b /s/a; mv /s/a /s/b; mv /s/c /s/a; done`;
    const swapping = inside(swap, {...who, rootfs: `${rootfs}:O`, flags: ['-v', `${shared}:/s`]});
    for (let round = 0; round < scaled(12); round += 1) {
      const flags = ['-v', `${shared}:/s`, '--tmpfs', `/s/a/deep${round}`];
      const {stdout, stderr} = await inside('cat /s/a/secret; echo x > /s/a/made', {
        ...who,
        rootfs: `${rootfs}:O`,
        flags,
      });
      t.false((stdout + stderr).includes(SECRET));
    }
    writeFileSync(path.join(shared, 'stop'), '');
    await swapping;
    t.deepEqual(snapshot(canary), before);
  },
);
