/** Many containers at a time, from one Node and from several shells; and what a supervisor weighs. */
import {spawn} from 'node:child_process';
import {readdirSync, readFileSync, readlinkSync} from 'node:fs';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {pathToFileURL} from 'node:url';
import {command, homeOf, keelbox, specFolder} from './helpers/cli';
import {lane, patience, scaled, type Who} from './helpers/lane';

const test = lane({host: true, guest: true, rootless: true});

const COUNT = scaled(100);
const LANES = 8;

/** Runs a program to its end: exit code, stdout. */
function outcome(file: string, args: string[], who: Who): Promise<{code: number | null; stdout: string}> {
  const child = spawn(file, args, {...command([], who).options, stdio: ['ignore', 'pipe', 'inherit']});
  let stdout = '';
  child.stdout.on('data', chunk => (stdout += chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', code => resolve({code, stdout}));
  });
}

const numbers = Array.from({length: COUNT}, (_, number) => number);
const expected = numbers.map(number => `${number}:${number % 50}`);
/** What container N does: says N and ends with N % 50. */
const script = (number: string) => `echo ${number}; exit $((${number} % 50))`;

test.asEach('a hundred containers, eight at a time, from one Node', async (t, who) => {
  const program = `
    import {run} from '${pathToFileURL(path.join(specFolder(), 'dist/index.mjs')).href}';
    let next = 0;
    const lane = async () => {
      while (next < ${COUNT}) {
        const number = next++;
        const {stdout, exitCode} = await run('host', ['sh', '-c', \`${script('$' + '{number}')}\`], {reject: false});
        console.log(stdout.trim() + ':' + exitCode);
      }
    };
    await Promise.all(Array.from({length: ${LANES}}, lane));`;
  const {code, stdout} = await outcome(process.execPath, ['--input-type=module', '-e', program], who);
  t.is(code, 0);
  const lines = stdout.trim().split('\n');
  t.deepEqual(lines.toSorted(byNumber), expected);
});

const byNumber = (one: string, other: string) => Number.parseInt(one, 10) - Number.parseInt(other, 10);

test.asEach('a hundred containers from eight shells', async (t, who) => {
  const {file, args} = command([], who);
  const lines = await Promise.all(
    Array.from({length: LANES}, async (_, first) => {
      const loop = `for ((n = ${first}; n < ${COUNT}; n += ${LANES})); do
        said=$('${file}' -- '${args[1]}' run --rm host sh -c "${script('$n').replaceAll('$((', '\\$((')}"); echo "$said:$?"
      done`;
      return (await outcome('bash', ['-c', loop], who)).stdout.trim().split('\n').filter(Boolean);
    }),
  );
  t.deepEqual(lines.flat().toSorted(byNumber), expected);
});

/** Supervisors of this spec: the executable's processes that hold a state directory of this user's. */
function supervisors({asUser}: Who): string[] {
  const {runRoot} = homeOf(asUser);
  const holds = (pid: string) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/5`).startsWith(runRoot);
    } catch {
      return false;
    }
  };
  return readdirSync('/proc').filter(name => /^\d+$/.test(name) && holds(name));
}

function pss(pid: string): number {
  return Number(/^Pss: +(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
}

// The executable's pages count for all who share them, so the fewer containers the more each has to bear.
test.serial('a supervisor beside twenty others is no heavier than 150 kB', async t => {
  const who = {asUser: false};
  const clients = Array.from({length: 20}, (_, number) => {
    const {file, args, options} = command(['run', '--name', `light-${number}`, 'host', 'sleep', '1000'], who);
    return spawn(file, args, {...options, stdio: 'ignore'});
  });
  const isUp = async () => /(running[\s\S]*){20}/.test((await keelbox(['ps', '--json'], who)).stdout);
  for (const until = Date.now() + patience(30_000); !(await isUp()) && Date.now() < until; ) await sleep(50);
  const weights = supervisors(who).map(pss);
  t.is(weights.length, 20);
  t.log(`PSS of ${weights.length} supervisors: at most ${Math.max(...weights)} kB`);
  t.true(Math.max(...weights) <= 150, `${weights}`);
  const names = clients.map((_, number) => `light-${number}`);
  t.is((await keelbox(['rm', '-f', ...names], who)).exitCode, 0);
});
