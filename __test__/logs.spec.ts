/** `keelbox logs`: what containers have printed, exactly, over the files of a log and while it is written. */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {appendFileSync, closeSync, existsSync, openSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {command, homeOf, keelbox, specFolder} from './helpers/cli';
import {
  at,
  dataOf,
  endedContainer,
  Following,
  liveContainer,
  records,
  rotate,
  supervisorOf,
  until,
  writeLog,
} from './helpers/journal';
import {lane, patience, scaled, type Who} from './helpers/lane';

const test = lane({host: true, guest: true, rootless: true});

const remove = (who: Who, ...names: string[]) => keelbox(['rm', '-f', ...names], who);

/** What `logs ARGS` prints on stdout. */
async function shown(who: Who, ...args: string[]): Promise<string> {
  const {exitCode, stdout, stderr} = await keelbox(['logs', ...args], who);
  return exitCode === 0 ? stdout : `${exitCode}: ${stderr}`;
}

test.asEach('each output goes where it came from, byte by byte', async (t, who) => {
  await endedContainer(who, 'exact');
  t.is(await shown(who, 'exact'), '', 'no log yet is an empty log');
  const odd = Buffer.concat([
    Buffer.from(records('stdout F one', 'stderr F bad', 'stdout F ')),
    Buffer.from(`${at(3)} stdout P \x1b[31m`),
    Buffer.from([0xff, 0x00, 0x80, 0x0d]),
    Buffer.from(`\n${at(4)} stderr P half\n${at(5)} stdout F end\n${at(6)} stdout P no newline\n`),
  ]);
  writeLog(who, 'exact', odd);
  const {exitCode, bytes, stderr} = await keelbox(['logs', 'exact'], who);
  t.is(exitCode, 0);
  const text = Buffer.concat([
    Buffer.from('one\n\n\x1b[31m'),
    Buffer.from([0xff, 0x00, 0x80, 0x0d]),
    Buffer.from('end\nno newline'),
  ]);
  t.deepEqual(bytes, text);
  t.is(stderr, 'bad\nhalf');
  await remove(who, 'exact');
});

test('times, tail, since and until choose lines over all files', async t => {
  const who = {asUser: false};
  await endedContainer(who, 'chosen');
  const line = (second: number) => `${at(second)} stdout F ${second}\n`;
  writeLog(who, 'chosen', [0, 1, 2].map(line).join(''), 'log.2');
  writeLog(who, 'chosen', `${[3, 4].map(line).join('')}${at(5)} stdout P fi\n`, 'log.1');
  writeLog(who, 'chosen', `${at(6)} stdout F ve\n${line(7)}`);
  const told = async (...args: string[]) => (await shown(who, ...args, 'chosen')).replaceAll('\n', ' ').trim();
  t.is(await told(), '0 1 2 3 4 five 7');
  t.is(await told('--tail', 'all'), '0 1 2 3 4 five 7');
  t.is(await told('-n', '-1'), '0 1 2 3 4 five 7');
  t.is(await told('-n3'), '4 five 7');
  t.is(await told('--tail=2'), 'five 7');
  t.is(await told('--tail', '0'), '');
  t.is(await told('--since', at(4)), '4 five 7');
  t.is(await told('--until', at(2), '-n', '2'), '1 2');
  t.is(await told('--since', at(1), '--until', at(3)), '1 2 3');
  t.is(await told('--since', String(Date.parse(at(7)) / 1000)), '7');
  t.is(await told('--since', '2026-01-02', '--until', '2026-01-01'), '');
  t.is(await told('-t', '-n', '2'), `${at(5)} five ${at(7)} 7`);
  const local = await keelbox(['logs', '--since', '2026-01-02T05:00:03', 'chosen'], {env: {TZ: 'Etc/GMT-2'}});
  t.is(local.stdout.split('\n')[0], '3', 'a time without a zone is local');
  await remove(who, 'chosen');
});

test('times that are none, numbers that are none, and containers that are none', async t => {
  for (const wrong of ['', 'yesterday', '10', '2026-02-30', '2026-01-02T25:00', '1d', '10 m', '2026-1-2']) {
    const {exitCode, stderr} = await keelbox(['logs', '--since', wrong, 'x']);
    // Ten seconds after 1970 is a time.
    t.is(exitCode, wrong === '10' ? 1 : 125, stderr);
    if (wrong !== '10') t.regex(stderr, /--since.*expected a time/s);
  }
  t.is((await keelbox(['logs', '--tail', 'many', 'x'])).exitCode, 125);
  t.is((await keelbox(['logs'])).exitCode, 125);
  const missing = await keelbox(['logs', 'nobody']);
  t.is(missing.exitCode, 1);
  t.regex(missing.stderr, /no such container: nobody.*ERR_KEELBOX_NOT_FOUND/s);
  const who = {asUser: false};
  await endedContainer(who, 'there');
  writeLog(who, 'there', records('stdout F one'));
  const some = await keelbox(['logs', 'there', 'nobody']);
  t.is(some.exitCode, 1);
  t.is(some.stdout, '');
  await remove(who, 'there');
});

test('several containers are shown by time, with who it was', async t => {
  const who = {asUser: false};
  await endedContainer(who, 'first');
  await endedContainer(who, 'second');
  writeLog(who, 'first', `${at(0)} stdout F a\n${at(2)} stdout P c\n${at(4)} stdout F d\n${at(5)} stderr F f\n`);
  writeLog(who, 'second', `${at(1)} stdout F b\n${at(3)} stdout F e\n`);
  t.is(await shown(who, '--names', 'first', 'second'), 'first a\nsecond b\nfirst cd\nsecond e\n');
  const ids = ['first', 'second'].map(name => path.basename(dataOf(who, name)).slice(0, 12));
  t.is(await shown(who, '-n', '1', '-t', 'first', 'second'), `${ids[1]} ${at(3)} e\n`);
  const {stdout, stderr} = await keelbox(['logs', '--names', '--color', 'first', 'second']);
  t.is(stdout.split('\n')[0], '\x1b[36mfirst\x1b[0m a');
  t.is(stderr, '\x1b[36mfirst\x1b[0m f\n');
  t.is(await shown(who, '--names', 'second'), 'second b\nsecond e\n');
  await remove(who, 'first', 'second');
});

test('what is no record of a log is left out', async t => {
  const who = {asUser: false};
  await endedContainer(who, 'rubbish');
  const parts = [
    records('stdout F one'),
    Buffer.alloc(100_000),
    records('stdout F two'),
    '\n{"log":"json"}\n2026-99-02T03:00:00.000000000Z stdout F no\n',
    Buffer.alloc(200_000, 0xfe),
    '\n',
    records('stdout F three'),
    `${at(9)} stdout F cut sho`,
  ];
  writeLog(who, 'rubbish', Buffer.concat(parts.map(part => Buffer.from(part as string))));
  t.is(await shown(who, 'rubbish'), 'one\ntwo\nthree\ncut sho\n');
  t.is(await shown(who, '-n', '2', 'rubbish'), 'three\ncut sho\n');
  await remove(who, 'rubbish');
});

test.asEach('following shows what comes, over renamed files, until the container has ended', async (t, who) => {
  const running = await liveContainer(who, 'live');
  const log = writeLog(who, 'live', records('stdout F one'));
  const following = new Following(['logs', '-f', 'live'], who);
  t.true(await following.says('one\n'));
  appendFileSync(log, `${at(1)} stderr F two\n${at(2)} stdout F three\n${at(3)} stdout F fo`);
  t.true(await following.says('three\n'));
  appendFileSync(log, 'ur\n');
  t.true(await following.says('four\n'));
  appendFileSync(log, `${at(4)} stdout F five\n`);
  rotate(who, 'live');
  appendFileSync(log, `${at(5)} stdout F six\n`);
  t.true(await following.says('six\n'));
  t.is((await remove(who, 'live')).exitCode, 0);
  t.deepEqual(await following.ended, {exitCode: 0, signal: null});
  t.is(following.stdout, 'one\nthree\nfour\nfive\nsix\n');
  t.is(following.stderr, 'two\n');
  await running.ended;
});

test('following a container that does not run ends at once', async t => {
  const who = {asUser: false};
  await endedContainer(who, 'over');
  writeLog(who, 'over', records('stdout F one'));
  t.is(await shown(who, '-f', 'over'), 'one\n');
  await remove(who, 'over');
});

test.asEach('following ends when the supervisor is killed, without another command', async (t, who) => {
  const running = await liveContainer(who, 'killed');
  writeLog(who, 'killed', records('stdout F one'));
  const following = new Following(['logs', '-f', 'killed'], who);
  t.true(await following.says('one\n'));
  process.kill(supervisorOf(who, 'killed'), 'SIGKILL');
  t.deepEqual(await following.ended, {exitCode: 0, signal: null});
  await running.ended;
  await remove(who, 'killed');
});

test.serial('following until a time ends then', async t => {
  const who = {asUser: false};
  const running = await liveContainer(who, 'timed');
  writeLog(who, 'timed', records('stdout F one'));
  const before = Date.now();
  // In the future: a duration before now, counted backwards.
  t.is(await shown(who, '-f', '--until', '-1s', 'timed'), 'one\n');
  t.true(Date.now() - before >= 1000);
  await remove(who, 'timed');
  await running.ended;
});

test.serial('following loses and repeats nothing while files are renamed again and again', async t => {
  const who = {asUser: false};
  const running = await liveContainer(who, 'busy');
  const log = writeLog(who, 'busy', '');
  const following = new Following(['logs', '-f', 'busy'], who);
  const count = scaled(20_000);
  let expected = '';
  for (let number = 0; number < count; number += 1) {
    const text = `line ${number}`;
    appendFileSync(log, `${at(number % 3600)} stdout F ${text}\n`);
    expected += `${text}\n`;
    if (number % 97 !== 96) continue;
    rotate(who, 'busy', 40);
    // The reader may be 40 files behind and no more.
    if (number % (97 * 20) === 96) await following.says(expected.length);
  }
  t.true(await following.says(expected.length));
  t.is(following.stdout, expected);
  await remove(who, 'busy');
  t.is((await following.ended).exitCode, 0);
  await running.ended;
});

test.serial('several containers are followed until the last has ended', async t => {
  const who = {asUser: false};
  const running = [await liveContainer(who, 'two-a'), await liveContainer(who, 'two-b')];
  const logs = ['two-a', 'two-b'].map(name => writeLog(who, name, records(`stdout F from ${name}`)));
  const following = new Following(['logs', '-f', '--names', 'two-a', 'two-b'], who);
  t.true(await following.says('two-b from two-b\n'));
  await remove(who, 'two-a');
  appendFileSync(logs[1] as string, records('stdout F alone'));
  t.true(await following.says('two-b alone\n'));
  await remove(who, 'two-b');
  t.is((await following.ended).exitCode, 0);
  await Promise.all(running.map(({ended}) => ended));
});

test.serial('a reader that has enough ends it, also while nothing comes', async t => {
  const who = {asUser: false};
  const running = await liveContainer(who, 'enough');
  writeLog(who, 'enough', records(...Array.from({length: 100}, (_, number) => `stdout F ${number}`)));
  const following = new Following(['logs', '-f', 'enough'], who);
  t.true(await following.says('99\n'));
  following.child.stdout?.destroy();
  t.deepEqual(await following.ended, {exitCode: 0, signal: null});
  await remove(who, 'enough');
  await running.ended;
});

test('stdout that takes nothing is an error', async t => {
  const who = {asUser: false};
  await endedContainer(who, 'full');
  writeLog(who, 'full', records('stdout F one'));
  const {file, args, options} = command(['logs', 'full']);
  const full = openSync('/dev/full', 'w');
  const child = spawn(file, args, {...options, stdio: ['ignore', full, 'pipe']});
  closeSync(full);
  let stderr = '';
  child.stderr?.on('data', chunk => {
    stderr += chunk;
  });
  t.deepEqual(await once(child, 'close'), [125, null]);
  t.regex(stderr, /cannot show the log: No space left on device/);
  await remove(who, 'full');
});

test.serial('Node is gone while it is followed', async t => {
  const who = {asUser: false};
  const running = await liveContainer(who, 'small');
  writeLog(who, 'small', records('stdout F one'));
  const following = new Following(['logs', '-f', 'small'], who);
  t.true(await following.says('one\n'));
  const status = readFileSync(`/proc/${following.child.pid}/status`, 'utf8');
  t.true(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) < 4000, status);
  await remove(who, 'small');
  await following.ended;
  await running.ended;
});

test.serial('a container without a log that can be read says why, and what to do', async t => {
  const who = {asUser: false};
  await endedContainer(who, 'driver');
  // As if it had never had one: a log that is there is shown, whatever the driver.
  rmSync(path.join(dataOf(who, 'driver'), 'log'), {force: true});
  const config = path.join(dataOf(who, 'driver'), 'config.json');
  const made = JSON.parse(readFileSync(config, 'utf8'));
  const drivers = {
    none: /what it prints is not kept.*json-file/s,
    passthrough: /goes to the command that started it.*json-file/s,
    journald: /journald has it.*journalctl CONTAINER_ID_FULL=[0-9a-f]{64}/s,
  };
  for (const [logDriver, expected] of Object.entries(drivers)) {
    const life = {...made.request?.life, logDriver};
    writeFileSync(config, JSON.stringify({...made, request: {...made.request, life}}));
    const {exitCode, stderr} = await keelbox(['logs', 'driver']);
    t.is(exitCode, 125);
    t.regex(stderr, /driver has no log here/);
    t.regex(stderr, expected);
    t.regex(stderr, /ERR_KEELBOX_STATE/);
  }
  writeFileSync(config, JSON.stringify(made));
  await remove(who, 'driver');
  const running = await liveContainer(who, 'thrown', ['--rm']);
  t.regex((await keelbox(['logs', 'thrown'])).stderr, /goes to the command that started it/);
  await remove(who, 'thrown');
  await running.ended;
});

/** The addon's own calls, in a Node of their own. */
async function withAddon(script: string): Promise<string> {
  const {options} = command([]);
  const addon = path.join(specFolder(), 'dist/native', `keelbox.linux-${process.arch}-gnu.node`);
  const file = path.join(homeOf().home, `addon-${Math.random()}.cjs`);
  writeFileSync(file, `const native = require(${JSON.stringify(addon)});\n(async () => {${script}})();`);
  const child = spawn(process.execPath, [file], {
    ...options,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: patience(30_000),
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', chunk => {
      output += chunk;
    });
  const [status] = await once(child, 'close');
  rmSync(file);
  return status === 0 ? output : `${status}: ${output}`;
}

test('the library reads a log by pulls', async t => {
  const who = {asUser: false};
  await endedContainer(who, 'pulled');
  writeLog(who, 'pulled', records('stdout F one', 'stderr P two', 'stderr F three'));
  const script = `
    const handle = native.logsOpen('pulled', {tail: 2});
    for (let lines; (lines = await native.logsNext(handle)); )
      for (const {stream, time, text, partial} of lines) console.log(stream, time, text.toString(), partial);
    native.logsClose(handle);
    try { native.logsNext(handle); } catch (error) { console.log(error.message); }
    try { native.logsOpen('nobody', {}); } catch (error) { console.log(error.code, error.exitCode); }
    try { native.logsOpen('pulled', {since: 'x'}); } catch (error) { console.log(error.code); }`;
  t.deepEqual((await withAddon(script)).split('\n'), [
    `stdout ${at(0)} one false`,
    `stderr ${at(1)} two true`,
    `stderr ${at(2)} three false`,
    'there is no such container here',
    'ERR_KEELBOX_NOT_FOUND 1',
    'ERR_KEELBOX_INVALID_ARG',
    '',
  ]);
  await remove(who, 'pulled');
});

test.serial('many logs are waited for at once, closed at any time, and hold up nothing else', async t => {
  const who = {asUser: false};
  const running = await liveContainer(who, 'waits');
  writeLog(who, 'waits', records('stdout F one'));
  const script = `
    const handles = Array.from({length: 50}, () => native.logsOpen('waits', {follow: true}));
    const first = await Promise.all(handles.map(native.logsNext));
    const waiting = handles.map(native.logsNext);
    await require('node:fs/promises').readFile(__filename);
    await new Promise(resolve => setTimeout(resolve, 50));
    handles.forEach(native.logsClose);
    console.log(first.every(([line]) => line.text.toString() === 'one'), (await Promise.all(waiting)).every(each => each === null));
    const left = native.logsOpen('waits', {follow: true});
    native.logsNext(left).then(() => { native.logsNext(left); process.exit(); });`;
  t.is(await withAddon(script), 'true true\n');
  await remove(who, 'waits');
  await running.ended;
});

/** Starts a container without a client. */
async function detached(who: Who, name: string, script: string, flags: string[] = []): Promise<void> {
  const {exitCode, stderr} = await keelbox(
    ['run', '-d', '--name', name, ...flags, 'host', '--', 'sh', '-c', script],
    who,
  );
  if (exitCode !== 0) throw new Error(stderr);
}

const ended = (who: Who, name: string) =>
  until(async () =>
    (await keelbox(['ps', '-a', '--format', '{{.Names}} {{.State}}'], who)).stdout.includes(`${name} exited`),
  );

test.asEach('what a container prints without a client is kept, and can be followed meanwhile', async (t, who) => {
  const script = `echo one; echo two >&2; head -c 40000 /dev/zero | tr '\\0' x; echo; read line < /tmp/go; echo last; printf end`;
  await detached(who, 'kept', `mkfifo /tmp/go; (sleep 1; echo go > /tmp/go) & ${script}`);
  const following = new Following(['logs', '-f', 'kept'], who);
  t.deepEqual(await following.ended, {exitCode: 0, signal: null});
  const expected = `one\n${'x'.repeat(40_000)}\nlast\nend`;
  t.is(following.stdout, expected);
  t.is(following.stderr, 'two\n');
  t.true(await ended(who, 'kept'));
  t.is(await shown(who, 'kept'), expected);
  t.is(await shown(who, '--tail', '2', 'kept'), 'last\nend');
  t.regex(await shown(who, '-t', '-n', '1', 'kept'), /^2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z end$/);
  t.is((await keelbox(['start', 'kept'], who)).exitCode, 0);
  t.true(await ended(who, 'kept'));
  t.true((await shown(who, 'kept')).startsWith(`${expected}one\n`), 'a second start goes on with the same log');
  await remove(who, 'kept');
});

test.serial('output without end stays within the bound, and a reader that has stopped holds up nobody', async t => {
  const who = {asUser: false};
  const count = scaled(2_000_000);
  const flags = ['--log-opt', 'max-size=1m', '--log-opt', 'max-file=2'];
  await detached(who, 'loud', `seq 1 ${count}; sleep 300`, flags);
  const stopped = new Following(['logs', '-f', 'loud'], who);
  t.true(await stopped.says('\n'));
  process.kill(stopped.child.pid ?? 0, 'SIGSTOP');
  stopped.child.stdout?.pause();
  t.true(await until(async () => (await shown(who, '-n', '1', 'loud')) === `${count}\n`, 60_000));
  const lines = (await shown(who, 'loud')).split('\n').filter(Boolean).map(Number);
  const first = lines[0] ?? 0;
  t.deepEqual(
    lines,
    Array.from({length: count - first + 1}, (_, number) => first + number),
    'no line is missing',
  );
  t.true(lines.length > 15_000);
  for (const file of ['log', 'log.1']) t.true(statSync(path.join(dataOf(who, 'loud'), file)).size <= 1_000_000);
  t.false(existsSync(path.join(dataOf(who, 'loud'), 'log.2')));
  process.kill(stopped.child.pid ?? 0, 'SIGKILL');
  await stopped.ended;
  await remove(who, 'loud');
});
