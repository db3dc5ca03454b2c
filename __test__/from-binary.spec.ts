/** `run --from-binary`: a root of programs of this machine, their loader and libraries, and nothing else. */
import {spawnSync} from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {keelbox, type Result, specFolder, testUser} from './helpers/cli';
import {lane, type Who} from './helpers/lane';

const test = lane({host: true, guest: true, rootless: true});

/** Whose programs, and where their roots are kept when not beside those of the other tests. */
interface Place extends Who {
  root?: string;
}

/** `run --rm --from-binary P... -- WORDS`. */
function run(programs: string[], words: string[], {asUser, root}: Place): Promise<Result> {
  const flags = programs.flatMap(name => ['--from-binary', name]);
  return keelbox(['run', '--rm', ...flags, '--', ...words], {asUser, ...(root && {env: {KEELBOX_ROOT: root}})});
}

async function output(t: ExecutionContext, programs: string[], words: string[], place: Place): Promise<string> {
  const {exitCode, stdout, stderr} = await run(programs, words, place);
  t.is(exitCode, 0, stderr);
  return stdout;
}

/** A folder of the caller's. */
function folderOf({asUser}: Who): string {
  const folder = mkdtempSync(path.join(specFolder(), 'folder-'));
  chmodSync(folder, 0o755);
  if (asUser) chownSync(folder, testUser().uid, testUser().gid);
  return folder;
}

/** The roots that have been made in a place of its own, and drafts of such. */
function made({root = ''}: Place): string[] {
  const store = path.join(root, 'binaries');
  return existsSync(store) ? readdirSync(store).sort() : [];
}

/** What is at these paths and wherever their links lead: the last names of all. */
function names(file: string): string[] {
  const target = lstatSync(file).isSymbolicLink()
    ? path.resolve(realpathSync(path.dirname(file)), readlinkSync(file))
    : undefined;
  return [path.basename(file), ...(target ? names(target) : [])];
}

/** What the machine's own loader says that it loads. */
function loaded(program: string): string[] {
  const {stdout} = spawnSync('ldd', [program], {encoding: 'utf8'});
  return [...stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(/gm)].map(([, file]) => file ?? '');
}

test.needing('ps', 'ldd').asEach('sh, ps and ls work, and nothing else is there', async (t, who) => {
  const programs = ['/bin/sh', '/bin/ps', '/bin/ls'];
  const inside = (line: string) => output(t, programs, ['sh', '-c', line], who);
  t.regex(await inside('ps -ef; ls /'), /\b1 .* sh -c ps -ef; ls \/\n[\s\S]* ps -ef\nbin\ndev\netc\n/);
  t.is(await inside('cat /etc/passwd || echo no cat'), 'no cat\n');
  const listed = (await inside('ls -RpA /usr')).split('\n').filter(line => !/^$|[:/]$/.test(line));
  const expected = [...programs, ...programs.flatMap(loaded)].flatMap(names);
  // What glibc loads by itself when a thread is cancelled.
  const others = new Set(listed.filter(name => !expected.includes(name)));
  t.deepEqual(
    [...others].filter(name => name !== 'libgcc_s.so.1'),
    [],
  );
  t.deepEqual(
    expected.filter(name => !listed.includes(name)),
    [],
  );
});

test.asEach('the first program is the command when there is none, and a name is looked up in PATH', async (t, who) => {
  const {exitCode, stdout, stderr} = await keelbox(['run', '--rm', '--from-binary', 'id'], who);
  t.is(exitCode, 0, stderr);
  t.regex(stdout, /^uid=0\(root\) gid=0\(root\)/);
});

test.needing('getent').asEach('names of users and hosts are found', async (t, who) => {
  t.is(
    await output(t, ['/usr/bin/getent'], ['getent', 'passwd', 'nobody'], who),
    'nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n',
  );
  t.regex(await output(t, ['/usr/bin/getent'], ['getent', 'hosts', 'localhost'], who), /localhost/);
});

test.asEach('a script comes with its interpreter', async (t, who) => {
  const folder = folderOf(who);
  const script = path.join(folder, 'hello');
  writeFileSync(script, '#!/bin/sh\necho "hello $1 from $0"\n', {mode: 0o755});
  t.is(await output(t, [script], ['hello', 'you'], who), `hello you from ${script}\n`);
});

test.asEach('a static program needs nothing', async (t, who) => {
  const {exitCode, stdout} = await run(['/bin/busybox'], ['busybox', 'ls', '/', '/etc'], who);
  t.is(exitCode, 0);
  t.notRegex(stdout, /lib|ld\.so|nsswitch/);
});

/** A program with a library beside it, as `$ORIGIN` names it, and one in a folder that only the program names. */
function compiled(t: ExecutionContext, who: Who): string {
  const folder = folderOf(who);
  for (const name of ['bin', 'lib', 'far']) mkdirSync(path.join(folder, name));
  const source = (name: string, text: string) => writeFileSync(path.join(folder, name), text);
  source('far.c', 'const char *far_word(void) { return "far"; }\n');
  source(
    'near.c',
    '#include <stdio.h>\nconst char *far_word(void);\nvoid near_word(void) { printf("near %s\\n", far_word()); }\n',
  );
  source('main.c', 'void near_word(void);\nint main(void) { near_word(); return 0; }\n');
  const gcc = (...words: string[]) => {
    const {status, stderr} = spawnSync('gcc', words, {cwd: folder, encoding: 'utf8'});
    t.is(status, 0, stderr);
  };
  gcc('-shared', '-fPIC', '-o', 'far/libfar.so', 'far.c');
  gcc(
    '-shared',
    '-fPIC',
    '-o',
    'lib/libnear.so',
    'near.c',
    '-Lfar',
    '-lfar',
    `-Wl,--enable-new-dtags,-rpath,${folder}/far`,
  );
  gcc('-o', 'bin/app', 'main.c', '-Llib', '-lnear', '-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib,-rpath-link,far');
  if (who.asUser) spawnSync('chown', ['-R', `${testUser().uid}:${testUser().gid}`, folder]);
  return path.join(folder, 'bin/app');
}

lane({host: true, rootless: true})
  .needing('gcc')
  .asEach('libraries by $ORIGIN and by a path of the library that needs them', async (t, who) => {
    const app = compiled(t, who);
    t.is(await output(t, [app], ['app'], who), 'near far\n');
    spawnSync('rm', [path.join(path.dirname(app), '../far/libfar.so')]);
    const {exitCode, stderr} = await run([app], ['app'], who);
    t.is(exitCode, 125);
    t.regex(
      stderr,
      /error: cannot make a root of \S+app\n {2}why: it needs the library libfar\.so \(by way of \S+libnear\.so\)/,
    );
    t.regex(stderr, /far, [\s\S]*\n {2}fix: install the library[\s\S]*ERR_KEELBOX_BINARY/);
  });

test.asEach(
  'a root is made once, is not written to, and another is made when a program has changed',
  async (t, who) => {
    const program = path.join(folderOf(who), 'tool');
    const write = (word: string) => {
      writeFileSync(program, `#!/bin/sh\necho ${word}; echo changed > "$0"; test ! -e /left && echo x > /left\n`);
      chmodSync(program, 0o755);
    };
    write('one');
    const place = {...who, root: folderOf(who)};
    t.is((await run([program], [], place)).stdout, 'one\n');
    const first = made(place);
    t.is(first.length, 1);
    t.regex(first[0] ?? '', /^[0-9a-f]{64}$/);
    t.is((await run([program], [], place)).stdout, 'one\n');
    t.deepEqual(made(place), first);
    write('other');
    t.is((await run([program], [], place)).stdout, 'other\n');
    t.is(made(place).length, 2);
  },
);

test('what is left of a root that was never finished goes, and an old one that no container has', async t => {
  const place = {asUser: false, root: folderOf({asUser: false})};
  const env = {KEELBOX_ROOT: place.root};
  const kept = await keelbox(['run', '--name', 'keeper', '--from-binary', '/bin/true'], {env});
  t.is(kept.exitCode, 0, kept.stderr);
  t.is((await run(['/bin/false'], [], place)).exitCode, 1);
  const store = path.join(place.root, 'binaries');
  mkdirSync(path.join(store, '.draft-1-0/etc'), {recursive: true});
  const yesterday = Date.now() / 1000 - 25 * 3600;
  for (const name of made(place)) utimesSync(path.join(store, name), yesterday, yesterday);
  mkdirSync(path.join(store, '1'.repeat(64)));
  t.is(made(place).length, 4);
  t.is((await run(['/bin/sh'], ['sh', '-c', 'exit 4'], place)).exitCode, 4);
  // The container's, the new one, and the one that somebody else has just made.
  t.is(made(place).length, 3);
  t.true(made(place).includes('1'.repeat(64)));
  t.is((await keelbox(['rm', 'keeper'], {env})).exitCode, 0);
});

const REFUSED: Record<string, [string[], RegExp]> = {
  'a path where nothing is': [['/no/such/program'], /\/no\/such\/program\n {2}why: No such file or directory/],
  'a name that is not in PATH': [['no-such-program'], /no program of that name is in PATH/],
  'a directory': [['/usr/bin'], /it is a directory/],
  'a file that nobody may execute': [['/etc/passwd'], /it is not executable/],
  'a device': [['/dev/null'], /below \/dev/],
};

for (const [what, [programs, why]] of Object.entries(REFUSED)) {
  test.asEach(`${what} is refused`, async (t, who) => {
    const place = {...who, root: folderOf(who)};
    const {exitCode, stdout, stderr} = await run(['/bin/true', ...programs], [], place);
    t.like({exitCode, stdout}, {exitCode: 125, stdout: ''});
    t.regex(stderr, why);
    t.regex(stderr, /code: ERR_KEELBOX_BINARY/);
    t.deepEqual(made(place), []);
  });
}

test('a text, a program for another machine, and one that is cut short are refused', async t => {
  const who = {asUser: false};
  const folder = folderOf(who);
  const write = (name: string, bytes: Buffer | string) => {
    writeFileSync(path.join(folder, name), bytes, {mode: 0o755});
    return path.join(folder, name);
  };
  const foreign = Buffer.alloc(64);
  foreign.write('\x7fELF\x02\x01\x01', 'latin1');
  foreign.writeUInt16LE(243, 18);
  foreign.writeUInt16LE(56, 54);
  t.regex((await run([write('text', 'hello\n')], [], who)).stderr, /neither an ELF program nor a script/);
  t.regex(
    (await run([write('foreign', foreign)], [], who)).stderr,
    /it is for riscv, and this machine is (x86_64|aarch64)/,
  );
  t.regex(
    (await run([write('short', foreign.subarray(0, 30))], [], who)).stderr,
    /it ends in the middle of its own headers/,
  );
});

test.asEach('import makes an image of them, which needs the programs no more', async (t, who) => {
  const program = path.join(folderOf(who), 'greet');
  writeFileSync(program, '#!/bin/sh\necho "hello $1"; id -u\n', {mode: 0o755});
  const words = ['import', '--from-binary', program, '--from-binary', 'id', '-c', 'ENV A=1', 'greeter:1'];
  const imported = await keelbox(words, who);
  t.is(imported.exitCode, 0, imported.stderr);
  t.regex(imported.stdout, /^sha256:[0-9a-f]{64}\n$/);
  const history = await keelbox(['history', '--format', '{{.Comment}}: {{.Size}}', 'greeter:1'], who);
  t.regex(history.stdout, /^imported from \S+greet, id: \d[\d.]*[kM]B\n$/);
  unlinkSync(program);
  const byDefault = await keelbox(['run', '--rm', 'greeter:1'], who);
  t.is(byDefault.stdout, 'hello \n0\n', byDefault.stderr);
  const environment = await keelbox(['run', '--rm', 'greeter:1', 'sh', '-c', 'echo $A $PATH'], who);
  t.regex(environment.stdout, new RegExp(`^1 /usr/local/sbin:.*:${path.dirname(program)}\\n$`));
  t.is((await keelbox(['rmi', 'greeter:1'], who)).exitCode, 0);
});

test('import says what it wants', async t => {
  const refused = async (words: string[], says: RegExp) => {
    const {exitCode, stdout, stderr} = await keelbox(['import', ...words]);
    t.like({exitCode, stdout}, {exitCode: 125, stdout: ''});
    t.regex(stderr, says);
  };
  await refused([], /needs a FILE, - for stdin, or --from-binary PATH[\s\S]*ERR_KEELBOX_USAGE/);
  await refused(['--from-binary', 'sh', 'file.tar', 'name'], /with --from-binary there is no FILE/);
  await refused(['--from-binary', '/no/such', 'name'], /cannot make a root of \/no\/such/);
});

test.asUser('a program that its user may not read is refused', async (t, who) => {
  const program = path.join(folderOf(who), 'secret');
  writeFileSync(program, 'x', {mode: 0o100});
  const {exitCode, stderr} = await run([program], [], who);
  t.is(exitCode, 125);
  t.regex(stderr, /why: Permission denied\n {2}fix: let the file be readable/);
});

test('the words of the command line', async t => {
  const both = await keelbox(['run', '--rootfs', '/x', '--from-binary', 'sh']);
  t.is(both.exitCode, 125);
  t.regex(both.stderr, /two roots for one container[\s\S]*ERR_KEELBOX_USAGE/);
  const plan = await keelbox(['run', '--dry-run', '--from-binary', '/bin/true', '--from-binary', 'false']);
  t.regex(plan.stdout, /^Plan for --from-binary \/bin\/true --from-binary false; nothing has been created\n/);
  t.is((await keelbox(['run', '--rm', '--from-binary', '/bin/sh', '--', '/bin/sh', '-c', 'exit 3'])).exitCode, 3);
  t.is((await keelbox(['run', '--rm', '--from-binary', '/bin/sh', '--', 'ls'])).exitCode, 127);
});
