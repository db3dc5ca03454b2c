/** A Debian tree as the root: what people do in one works. */
import {existsSync} from 'node:fs';
import path from 'node:path';
import {answer, inside} from './helpers/inside';
import {lane} from './helpers/lane';
import {debian, debianRoot} from './helpers/roots';

const test = lane({host: true, guest: true, rootless: true}).needing(debian);

const overlaid = async (asUser = false) => `${await debianRoot({asUser})}:O`;

test.asRoot('is Debian, with its own programs', async t => {
  const rootfs = await overlaid();
  t.is(await answer(t, '. /etc/os-release; echo $ID; test -x /usr/bin/dpkg', {rootfs}), 'debian\n');
});

test.asRoot('ps -ef shows its own processes, the first one pid 1', async t => {
  const rootfs = await overlaid();
  const pids = await answer(
    t,
    'sleep 10 & sleep 0.2; cd /proc; for p in [0-9]*; do echo $p $(tr "\\0" " " < $p/cmdline); done | sort -n',
    {rootfs},
  );
  t.regex(pids, /^1 sh -c /);
  t.regex(pids, /^\d+ sleep 10 ?$/m);
});

test.asRoot('apt-get and dpkg work: a package made there is installed, listed and removed', async t => {
  const rootfs = await overlaid();
  const control =
    'Package: keelbox-test\\nVersion: 1.0\\nArchitecture: all\\nMaintainer: test <t@example.org>\\nDescription: test\\n';
  const script = `set -e
    apt-get check
    mkdir -p /p/DEBIAN /p/usr/share/keelbox-test
    printf '${control}' > /p/DEBIAN/control
    printf '#!/bin/sh\\necho configured as $(id -u)\\nchown 1:1 /usr/share/keelbox-test/file\\n' > /p/DEBIAN/postinst
    chmod 755 /p/DEBIAN/postinst
    echo content > /p/usr/share/keelbox-test/file
    dpkg-deb --build /p /tmp/keelbox-test.deb
    apt-get install -y --no-install-recommends /tmp/keelbox-test.deb
    dpkg -s keelbox-test | grep ^Status
    stat -c %u:%g /usr/share/keelbox-test/file
    apt-get remove -y keelbox-test
    test ! -e /usr/share/keelbox-test/file`;
  const {exitCode, stdout, stderr} = await inside(script, {rootfs, flags: ['-e', 'DEBIAN_FRONTEND=noninteractive']});
  t.is(exitCode, 0, stdout + stderr);
  t.regex(stdout, /^configured as 0$/m);
  t.regex(stdout, /^Status: install ok installed$/m);
  t.regex(stdout, /^1:1$/m);
  t.false(existsSync(path.join(rootfs.slice(0, -2), 'tmp/keelbox-test.deb')));
});

test.asRoot('apt-get update gets as far as its sandbox user and the network', async t => {
  const rootfs = await overlaid();
  // A source on the container's own disk needs no network, but all of apt's privilege dropping.
  const script = `mkdir /repo && cd /repo && : > Packages && rm -f /etc/apt/sources.list.d/*
    echo 'deb [trusted=yes] file:/repo ./' > /etc/apt/sources.list; apt-get update 2>&1`;
  const {exitCode, stdout} = await inside(script, {rootfs});
  t.is(exitCode, 0, stdout);
  t.notRegex(stdout, /^[WE]:/m, stdout);
});

test.asRoot('python3 works, threads, subprocesses and sockets included', async t => {
  const rootfs = await overlaid();
  const program = `
import os, socket, subprocess, threading
box = []
thread = threading.Thread(target=lambda: box.append(subprocess.check_output(["id", "-u"]).decode().strip()))
thread.start(); thread.join()
server = socket.create_server(("127.0.0.1", 0)); client = socket.create_connection(server.getsockname())
print(box[0], os.getpid(), client.getpeername()[0])`;
  t.is(await answer(t, `exec python3 -c '${program}'`, {rootfs}), '0 1 127.0.0.1\n');
});

test.asRoot('useradd, groupadd, su, chown and chmod work', async t => {
  const rootfs = await overlaid();
  const script = `set -e
    groupadd -g 2000 crew; useradd -m -u 1500 -g crew -G audio ada
    su ada -c 'id -un; id -gn; id -Gn; echo mine > ~/file; pwd' -s /bin/bash
    stat -c %U:%G /home/ada/file
    chown -R root:crew /home/ada; chmod 2750 /home/ada; stat -c '%u:%g %a' /home/ada`;
  t.is(await answer(t, script, {rootfs}), 'ada\ncrew\ncrew audio\n/\nada:crew\n0:2000 2750\n');
});

test.asRoot('su may lower rights, and nobody can raise them again', async t => {
  const rootfs = await overlaid();
  const {stdout, exitCode} = await inside(`su -s /bin/sh nobody -c 'id -un; su -c id; sh -c "echo x > /etc/x"'`, {
    rootfs,
    input: '',
  });
  t.is(stdout, 'nobody\n');
  t.not(exitCode, 0);
});

test.asRoot('set-user-id programs give rights with --allow-new-privileges only', async t => {
  const rootfs = await overlaid();
  const script = `cp /bin/cat /suid; chmod 4755 /suid; echo secret > /s; chmod 600 /s
    setpriv --reuid 1000 --regid 1000 --clear-groups /suid /s || echo refused`;
  t.is(await answer(t, script, {rootfs}), 'refused\n');
  t.is(await answer(t, script, {rootfs, flags: ['--allow-new-privileges']}), 'secret\n');
});

test.asRoot('tar keeps owners, modes, links and extended attributes', async t => {
  const rootfs = await overlaid();
  const script = `set -e
    mkdir -p /a/dir && cd /a && echo x > file && chown 1000:1001 file && chmod 4755 file && ln file hard && ln -s file soft && mkfifo pipe
    tar --numeric-owner -cf /tmp/a.tar -C / a && mkdir /b && tar --numeric-owner -xpf /tmp/a.tar -C /b
    cd /b/a; stat -c '%n %F %u:%g %a %h' * | sort; readlink soft`;
  t.is(
    await answer(t, script, {rootfs}),
    `dir directory 0:0 755 2
file regular file 1000:1001 4755 2
hard regular file 1000:1001 4755 2
pipe fifo 0:0 644 1
soft symbolic link 0:0 777 1
file
`,
  );
});

test.asRoot('bash, perl and a pipeline with process substitution work', async t => {
  const rootfs = await overlaid();
  t.is(
    await answer(t, `bash -c 'diff <(seq 3) <(printf "1\\n2\\n3\\n") && echo same; perl -e "print 6 * 7, chr 10"'`, {
      rootfs,
    }),
    'same\n42\n',
  );
});

// The tree belongs to root, whose id is not mapped: what an overlay would copy up it could give to nobody, so nothing there
// can be written; the programs run all the same.
test.asUser(
  'an ordinary user’s container of a Debian root that is not theirs has programs that run',
  async (t, who) => {
    const rootfs = await overlaid(who.asUser);
    t.is(await answer(t, 'python3 -c "print(6 * 7)"; echo x > /new; cat /new', {...who, rootfs}), '42\nx\n');
    t.false(existsSync(path.join(rootfs.slice(0, -2), 'new')));
  },
);
