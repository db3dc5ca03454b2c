/**
 * The container's stdin, stdout and stderr: every byte, in order, to and from whatever the caller has there, and the exit
 * code behind them. With `--rm` the caller's own pipes go into the container; without it the client moves the bytes.
 */
import {spawn} from 'node:child_process';
import {createHash, randomBytes} from 'node:crypto';
import {writeFileSync} from 'node:fs';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {type CallOptions, command, homeOf, keelbox, type Result} from './helpers/cli';
import {lane, patience, scaled, type Who} from './helpers/lane';

const test = lane({host: true, guest: true, rootless: true});

const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** `box` in a script is `keelbox run` with `--rm`, or without it and with the removal after it. */
const BOX = {
  'with --rm': 'box() { keelbox run --rm "$@"; }',
  'without --rm':
    'box() { local name=box-$BASHPID-$RANDOM code; keelbox run --name $name "$@"; code=$?; keelbox rm -f $name >&3; return $code; }',
};

interface ShellOptions extends CallOptions {
  box?: keyof typeof BOX;
}

/** Runs a bash script whose `keelbox` is ours. Its fd 3 leads nowhere. */
function shell(script: string, {box = 'with --rm', timeout = patience(60_000), ...who}: ShellOptions): Promise<Result> {
  const {file, args, options} = command([], who);
  const prelude = `exec 3>/dev/null; keelbox() { "$NODE" -- "$CLI" "$@"; }; ${BOX[box]}`;
  const child = spawn('bash', ['-c', `${prelude}\n${script}`], {
    ...options,
    env: {...options.env, NODE: file, CLI: args[1] ?? ''},
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const timer = setTimeout(() => process.kill(-(child.pid ?? 0), 'SIGKILL'), timeout);
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode, signal) => {
      clearTimeout(timer);
      const bytes = Buffer.concat(stdout);
      resolve({exitCode, signal, bytes, stdout: bytes.toString(), stderr: Buffer.concat(stderr).toString()});
    });
  });
}

let files = 0;

/** A file of the caller's own, with random bytes. */
function randomFile(size: number, {asUser}: Who): {file: string; digest: string} {
  const bytes = randomBytes(size);
  files += 1;
  const file = path.join(homeOf(asUser).home, `random-${files}`);
  writeFileSync(file, bytes, {mode: 0o644});
  return {file, digest: hash(bytes)};
}

for (const box of Object.keys(BOX) as (keyof typeof BOX)[]) {
  test.asEach(`binary data passes unchanged from file to file and from pipe to pipe, ${box}`, async (t, who) => {
    const {file, digest} = randomFile(scaled(16 << 20), who);
    const {stdout, exitCode} = await shell(
      `box -i host cat < ${file} > ${file}.out; echo $?; sha256sum < ${file}.out; cat ${file} | box -i host cat | sha256sum`,
      {...who, box},
    );
    t.is(exitCode, 0);
    t.deepEqual(stdout.replaceAll('  -', '').trim().split('\n'), ['0', digest, digest]);
  });

  test.asEach(`a reader that has enough ends the pipeline, ${box}`, async (t, who) => {
    const size = scaled(64 << 20);
    const all = await shell(`yes | box -i host cat | head -c ${size} | wc -c`, {...who, box});
    t.is(all.stdout.trim(), String(size));
    const {stdout} = await shell(`box host yes | head -1; echo "\${PIPESTATUS[@]}"`, {...who, box});
    // `yes` says that the pipe is broken, and fails for it.
    t.is(stdout, 'y\n1 0\n');
  });

  test.asEach(`files are written, appended to, and keep the order of stdout and stderr, ${box}`, async (t, who) => {
    const loop = `'for i in 1 2 3 4 5; do echo o$i; echo e$i >&2; done; exit 3'`;
    const {stdout} = await shell(
      `d=$(mktemp -d); cd $d
      echo first > f; box host echo second >> f; cat f
      box host sh -c ${loop} > g 2>&1; echo $?; xargs < g
      box host sh -c ${loop} 2>&1 | xargs
      box host sh -c ${loop} 2>e >o; xargs < o; xargs < e
      cd /; rm -r $d`,
      {...who, box},
    );
    const both = 'o1 e1 o2 e2 o3 e3 o4 e4 o5 e5';
    t.deepEqual(stdout.trim().split('\n'), [
      ...['first', 'second', '3', both, both],
      ...['o1 o2 o3 o4 o5', 'e1 e2 e3 e4 e5'],
    ]);
  });

  test.asEach(`closed stdio does no harm, ${box}`, async (t, who) => {
    const {stdout} = await shell(`box -i host sh -c 'cat; echo; exit 4' <&- >&- 2>&-; echo $?`, {...who, box});
    t.is(stdout, '4\n');
  });

  test.asEach(`stdin is empty without -i, and ends where the caller's ends with it, ${box}`, async (t, who) => {
    const {stdout} = await shell(
      `echo lost | box host sh -c 'readlink /proc/self/fd/0; cat'
      printf abc | box -i host sh -c 'cat; echo =eof'
      box -i host sh -c 'cat; echo =eof' < /dev/null`,
      {...who, box},
    );
    t.is(stdout, '/dev/null\nabc=eof\n=eof\n');
  });

  test.asEach(`what is written just before the end is not lost, ${box}`, async (t, who) => {
    const {stdout} = await shell(
      `for i in $(seq ${scaled(15)}); do
        box host sh -c 'seq 1 20000; echo last >&2; exit 7' 2>&1 | md5sum; echo "\${PIPESTATUS[0]}"
      done | sort | uniq -c | sort -n | awk '{print $2}'; (seq 1 20000; echo last) | md5sum`,
      {...who, box},
    );
    const lines = stdout.replaceAll('  -', '').trim().split('\n');
    t.deepEqual(lines.slice(0, -1).sort(), ['7', lines.at(-1)].sort());
  });

  test.asEach(`a slow reader gets everything, ${box}`, async (t, who) => {
    const {stdout} = await shell(`box host seq 1 400000 | (sleep 1; md5sum); seq 1 400000 | md5sum`, {...who, box});
    const [got, wanted] = stdout.trim().split('\n');
    t.is(got, wanted);
  });

  test.asEach(`output that cannot be written is an error, and holds nothing up, ${box}`, async (t, who) => {
    const short = await shell('box host echo hello > /dev/full', {...who, box});
    t.is(short.exitCode, 125);
    t.regex(short.stderr, /output to stdout: No space left on device/);
    const long = await shell('box host yes > /dev/full', {...who, box, timeout: patience(20_000)});
    t.not(long.exitCode, 0);
    t.is(long.signal, null);
  });

  test.asEach(`the unix sockets of Node's child processes carry everything, ${box}`, async (t, who) => {
    const bytes = randomBytes(scaled(8 << 20));
    const name = `socket-${box === 'with --rm' ? 'rm' : 'kept'}`;
    const flags = box === 'with --rm' ? ['--rm'] : ['--name', name];
    const result = await keelbox(['run', '-i', ...flags, 'host', 'sh', '-c', 'cat; exit 9'], {...who, input: bytes});
    t.is(result.exitCode, 9);
    t.is(hash(result.bytes), hash(bytes));
    if (box === 'without --rm') t.is((await keelbox(['rm', name], who)).exitCode, 0);
  });

  test.asEach(`nothing of the host's is open inside but stdio, ${box}`, async (t, who) => {
    const {stdout} = await shell(`box -i host sh -c 'echo /proc/self/fd/*' 7</etc/passwd 8</ 9<&0`, {...who, box});
    // The shell's own directory is open while it looks.
    t.regex(stdout.replace('/proc/self/fd/3', '').trim(), /^(\/proc\/self\/fd\/[0-2] ?){3}$/);
  });
}

test.asEach('a client that only waits for a reader can be ended', async (t, who) => {
  const script = 'head -c 400000 /dev/zero; exit 6';
  const {file, args, options} = command(['run', '--name', 'patient', 'host', 'sh', '-c', script], who);
  // Nobody reads its stdout, which holds less than that.
  const client = spawn(file, args, {...options, stdio: ['ignore', 'pipe', 'inherit']});
  const exited = new Promise(resolve => client.on('exit', resolve));
  t.teardown(() => client.kill('SIGKILL'));
  const isRunning = async () => {
    const list = JSON.parse((await keelbox(['ps', '-a', '--json'], who)).stdout) as {name: string; status: string}[];
    return list.find(({name}) => name === 'patient')?.status !== 'exited';
  };
  for (const until = Date.now() + patience(10_000); (await isRunning()) && Date.now() < until; ) await sleep(20);
  t.is(client.exitCode, null);
  client.kill('SIGTERM');
  t.is(await exited, 6);
  t.is((await keelbox(['rm', '-f', 'patient'], who)).exitCode, 0);
});

test.asRoot('a named pipe keeps its owner', async (t, who) => {
  const {stdout} = await shell(
    `f=$(mktemp -u); mkfifo $f; cat $f & keelbox run --rm host echo through > $f; wait; stat -c %u $f; rm $f`,
    who,
  );
  t.is(stdout, 'through\n0\n');
});

test.asEach('exit codes are those of a shell', async (t, who) => {
  const codes = await shell(
    `box host sh -c 'exit 42'; echo $?; box host sh -c 'kill -9 $$; exit 5'; echo $?
    box --init host sh -c 'kill -9 $$'; echo $?; box --init host sh -c 'exit 43'; echo $?
    box host /no/such/program 2>&3; echo $?; box host /etc 2>&3; echo $?; box --no-such-flag host 2>&3; echo $?`,
    who,
  );
  t.is(codes.stdout, '42\n5\n137\n43\n127\n126\n125\n');
});
