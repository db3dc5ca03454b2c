/** `keelbox diff` and `keelbox commit`: what a container has changed, and an image of it that goes through save and load. */
import {execFileSync} from 'node:child_process';
import {writeFileSync} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {baseTar} from './helpers/archives';
import {homeOf, keelbox} from './helpers/cli';
import {lane, type Who} from './helpers/lane';
import {busybox, busyboxRoot} from './helpers/roots';
import {runningOf} from './helpers/running';

const test = lane({host: true, guest: true, rootless: true}).needing(busybox);

async function done(t: ExecutionContext, who: Who, args: string[], input?: Buffer): Promise<string> {
  const {exitCode, stdout, stderr} = await keelbox(args, {...who, ...(input && {input})});
  t.is(exitCode, 0, `${args.join(' ')}\n${stderr}`);
  return stdout.trim();
}

let count = 0;

/** An image of a busybox tree, gone with all that was made of it when the test is over. */
async function image(t: ExecutionContext, who: Who): Promise<string> {
  count += 1;
  const name = `base-${count}:1`;
  const flags = ['-c', 'ENV A=image B=image', '-c', 'WORKDIR /tmp', '-c', 'CMD ["sh"]'];
  await done(t, who, ['import', ...flags, '-', name], await baseTar());
  return name;
}

const SCRIPT = `echo new > /etc/new; echo x >> /etc/passwd; rm /etc/group; ln /etc/new /hard; ln -s /etc/new /soft
  rm -r /home; mkdir -p /opt/a/b; touch /opt/a/b/c; chown 7:8 /opt/a/b/c; chmod 700 /var; mkfifo /pipe`;

test.asEach('diff tells what is added, changed and deleted', async (t, who) => {
  const base = await image(t, who);
  await done(t, who, ['run', '-q', '--name', 'changed', base, 'sh', '-ec', SCRIPT]);
  const lines = (await done(t, who, ['diff', 'changed'])).split('\n');
  const expected = ['A /etc/new', 'A /hard', 'A /opt/a', 'A /opt/a/b', 'A /opt/a/b/c', 'A /pipe', 'A /soft'];
  expected.push('C /etc', 'C /etc/passwd', 'C /var', 'D /etc/group', 'D /home');
  for (const line of expected) t.true(lines.includes(line), `${line} in\n${lines.join('\n')}`);
  t.deepEqual(
    lines.filter(line => /\/(bin|usr|lib|sys|proc|dev)\b/.test(line)),
    [],
  );
  t.deepEqual(
    [...lines].sort((one, other) => (one.slice(2) < other.slice(2) ? -1 : 1)),
    lines,
  );
  const json = JSON.parse(await done(t, who, ['diff', '--format', 'json', 'changed'])) as Record<string, string[]>;
  t.true(json.deleted?.includes('/home'));
  await done(t, who, ['rm', 'changed']);
  t.is((await keelbox(['diff', 'changed'], who)).exitCode, 1);
});

test.asEach('diff of a running container of this machine’s programs', async (t, who) => {
  const {name, exec} = await runningOf(t, who, ['host']);
  await exec(['sh', '-c', 'touch /srv/x; mkdir /root/y']);
  const lines = (await done(t, who, ['diff', name])).split('\n');
  t.true(lines.includes('A /srv/x') && lines.includes('C /srv') && lines.includes('A /root/y'), lines.join('\n'));
});

test.asEach('a directory of the caller’s has no layer of its own', async (t, who) => {
  const rootfs = await busyboxRoot(who);
  await done(t, who, ['run', '-q', '--name', 'inplace', '--rootfs', rootfs, 'true']);
  t.regex((await keelbox(['diff', 'inplace'], who)).stderr, /which it changes itself/);
  await done(t, who, ['rm', 'inplace']);
});

test.asEach('an image of a container has its changes, and survives save and load', async (t, who) => {
  const base = await image(t, who);
  const flags = ['-q', '--name', 'source', '-e', 'A=run', '-l', 'one=1', '-u', '0'];
  await done(t, who, ['run', ...flags, base, 'sh', '-ec', SCRIPT]);
  const changes = ['-c', 'ENV B=change', '-c', 'LABEL two=2', '-c', 'CMD ["id"]'];
  const id = await done(t, who, ['commit', '-m', 'why', '-a', 'who', ...changes, 'source', 'made:1']);
  t.regex(id, /^sha256:[0-9a-f]{64}$/);
  const file = path.join(homeOf(who.asUser).home, 'made.tar');
  await done(t, who, ['save', '-o', file, 'made:1']);
  await done(t, who, ['rmi', '-f', 'made:1']);
  await done(t, who, ['load', '-i', file]);
  const look = `cat /etc/new /hard; readlink /soft; ls -d /home /etc/group 2>/dev/null; stat -c '%u:%g %a' /opt/a/b/c /var
    [ $(stat -c %i /etc/new) = $(stat -c %i /hard) ] && echo same; [ -p /pipe ] && echo pipe; echo $A $B $PWD; tail -n 1 /etc/passwd`;
  const seen = await done(t, who, ['run', '--rm', '-q', 'made:1', 'sh', '-c', look]);
  t.is(seen, 'new\nnew\n/etc/new\n7:8 644\n0:0 700\nsame\npipe\nrun change /tmp\nx');
  const [found] = JSON.parse(await done(t, who, ['inspect', '--type', 'image', 'made:1'])) as {
    Config: Record<string, unknown>;
    RootFS: {Layers: string[]};
  }[];
  t.is(found?.RootFS.Layers.length, 2, 'the layer of the other image, and one more');
  t.deepEqual(found?.Config.Cmd, ['id']);
  t.deepEqual(found?.Config.Labels, {one: '1', two: '2'});
  t.regex(await done(t, who, ['history', 'made:1']), /why/);
  const changed = await done(t, who, ['diff', 'source']);
  t.is(await done(t, who, ['diff', 'made:1']), changed, 'the last layer is what the container had changed');
  t.is(await done(t, who, ['image', 'diff', 'made:1']), changed);
  const only = (await done(t, who, ['diff', base])).split('\n');
  t.true(only.includes('A /etc/passwd') && only.every(line => line.startsWith('A ')), only.join('\n'));
  t.is((await keelbox(['image', 'diff', 'source'], who)).exitCode, 1);
  await done(t, who, ['rm', 'source']);
  await done(t, who, ['rmi', '-f', 'made:1', base]);
});

test.asEach('ports that the image and the container name are named by both, and by an image of it', async (t, who) => {
  await done(t, who, ['import', '-c', 'EXPOSE 8080 53/udp', '-', 'ports:1'], await baseTar());
  await done(t, who, ['create', '-q', '--name', 'ports', '--expose', '70-71', 'ports:1', 'sh']);
  const ports = ['53/udp', '70/tcp', '71/tcp', '8080/tcp'];
  const template = '{{range $port, $_ := .Config.ExposedPorts}}{{println $port}}{{end}}';
  const named = async (...words: string[]) =>
    (await done(t, who, ['inspect', ...words, '--format', template])).split('\n').filter(Boolean).sort();
  t.deepEqual(await named('ports'), ports);
  await done(t, who, ['commit', '-q', 'ports', 'ports:2']);
  t.deepEqual(await named('--type', 'image', 'ports:2'), ports);
  await done(t, who, ['rm', 'ports']);
  await done(t, who, ['rmi', '-f', 'ports:1', 'ports:2']);
});

test.asEach('a running container is committed, squashed into one layer if asked', async (t, who) => {
  const base = await image(t, who);
  const {name, exec} = await runningOf(t, who, ['-e', 'X=1', base], 'echo live > /live');
  const id = await done(t, who, ['commit', '-q', name, 'live:1']);
  await done(t, who, ['commit', '-q', '--squash', '--pause=false', name, 'live:2']);
  t.is((await exec(['cat', '/live'])).stdout, 'live\n', 'it runs on');
  for (const tag of ['live:1', 'live:2'])
    t.is(await done(t, who, ['run', '--rm', '-q', tag, 'sh', '-c', 'cat /live; echo $X']), 'live\n1');
  const layers = async (tag: string) =>
    (JSON.parse(await done(t, who, ['inspect', '--type', 'image', tag])) as {RootFS: {Layers: string[]}}[])[0]?.RootFS
      .Layers.length;
  t.deepEqual([await layers('live:1'), await layers('live:2')], [2, 1]);
  t.regex(id, /^sha256:/);
  await keelbox(['rm', '-f', name], who);
  await done(t, who, ['rmi', '-f', 'live:1', 'live:2', base]);
});

test.asEach('an image of a directory has one layer; one of this machine is refused', async (t, who) => {
  const rootfs = `${await busyboxRoot(who)}:O`;
  await done(t, who, ['run', '-q', '--name', 'tree', '--rootfs', rootfs, 'sh', '-c', 'echo tree > /tree']);
  await done(t, who, ['commit', 'tree', 'tree:1']);
  t.is(await done(t, who, ['run', '--rm', '-q', 'tree:1', 'cat', '/tree']), 'tree');
  await done(t, who, ['run', '-q', '--name', 'machine', 'host', '--', 'true']);
  const {exitCode, stderr} = await keelbox(['commit', 'machine'], who);
  t.is(exitCode, 125);
  t.regex(stderr, /cannot be committed[\s\S]*this machine's own/);
  t.is((await keelbox(['commit', 'nobody'], who)).exitCode, 1);
  await done(t, who, ['rm', 'tree', 'machine']);
  await done(t, who, ['rmi', '-f', 'tree:1']);
});

test.asRoot('extended attributes and capabilities of files are kept', async (t, who) => {
  const base = await image(t, who);
  const {name, exec, pid} = await runningOf(t, who, [base], 'echo x > /f; cp /bin/busybox /cap');
  const root = `/proc/${pid}/root`;
  execFileSync('python3', ['-c', 'import os, sys; os.setxattr(sys.argv[1], "user.k", b"v")', `${root}/f`]);
  t.is((await exec(['true'])).exitCode, 0);
  await done(t, who, ['commit', '-q', name, 'attr:1']);
  const file = path.join(homeOf(false).home, 'attr.tar');
  await done(t, who, ['save', '-o', file, 'attr:1']);
  writeFileSync(`${file}.list`, execFileSync('tar', ['-xOf', file, 'manifest.json']));
  const other = await runningOf(t, who, ['attr:1']);
  const script = 'import os, sys; print(os.getxattr(sys.argv[1], "user.k"))';
  const shown = execFileSync('python3', ['-c', script, `/proc/${other.pid}/root/f`], {encoding: 'utf8'});
  t.is(shown, "b'v'\n");
  for (const each of [name, other.name]) await keelbox(['rm', '-f', each], who);
  await done(t, who, ['rmi', '-f', 'attr:1', base]);
});
