/**
 * 16 fill levels of a small disk: create, start, write, log, commit say what is wrong, and all works again once there is room.
 * What a container prints reaches its client, whether its log could be written or not, and how one ended is known. Then the
 * same of the disk with the records of what runs: what is said to run does. Needs root, which mounts the disks.
 */
import {execFileSync} from 'node:child_process';
import {chownSync, rmSync, statfsSync, writeFileSync} from 'node:fs';
import path from 'node:path';

export const usual = 16;

const PRINTED = 5_000_000;

export async function run(lab, levels) {
  const figures = {
    levels,
    'failed clearly': 0,
    worked: 0,
    'failed otherwise': 0,
    'output lost': 0,
    'exit lost': 0,
    'wrong states': 0,
    'did not heal': 0,
  };
  for (const [name, size, look] of [
    ['root', '8m', fillStore],
    ['run', '32k', fillRecords],
  ]) {
    const disk = lab.mkdir(name);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'tmpfs', disk]);
    if (lab.account.uid !== undefined) chownSync(disk, lab.account.uid, lab.account.gid);
    try {
      for (let level = 0; level < levels; level += 1) look(lab, disk, level / Math.max(1, levels - 1), figures);
    } finally {
      lab.removeAll();
      execFileSync('umount', [disk]);
    }
  }
  const failures = ['failed otherwise', 'output lost', 'exit lost', 'wrong states', 'did not heal'];
  return {figures, bad: failures.reduce((sum, what) => sum + figures[what], 0)};
}

/** Takes that share of the room; the last level leaves nothing at all. */
function fill(disk, share) {
  const filler = path.join(disk, 'filler');
  const {bavail, bsize} = statfsSync(disk);
  writeFileSync(filler, Buffer.alloc(Math.floor(bavail * share) * bsize));
  return () => rmSync(filler);
}

function commands(lab, lines) {
  const words = line => line.match(/"[^"]*"|\S+/g).map(word => word.replaceAll('"', ''));
  return lines.map(line => lab.keelbox(words(line), {maxBuffer: 1 << 24}));
}

function judge(lab, results, share, figures) {
  for (const {code, stderr} of results) {
    if (code === 0) figures.worked += 1;
    else {
      const isClear =
        /No space left|no space left|no such container|cannot be committed|not yet/.test(stderr) || stderr === '';
      figures[isClear ? 'failed clearly' : 'failed otherwise'] += 1;
      lab.must(isClear, `${Math.round(share * 100)} %: ${code} ${stderr.split('\n').slice(0, 2).join(' ')}`);
    }
  }
}

function heal(lab, figures) {
  lab.removeAll();
  const healed = lab.keelbox(['run', '--rm', 'host', 'true']);
  figures['did not heal'] += lab.must(healed.code === 0, `heal: ${healed.stderr}`);
}

function fillStore(lab, disk, share, figures) {
  commands(lab, ['run --name e host sh -c "exit 3"']);
  const empty = fill(disk, share);
  const results = commands(lab, [
    'create --name a host true',
    'start a',
    'run --name b host sh -c "head -c 1m /dev/zero > /tmp/x"',
    `run --name l host sh -c "head -c ${PRINTED} /dev/zero | tr -c x x"`,
    'logs l',
    'commit a c:1',
  ]);
  const {code, stdout} = results[3];
  figures['output lost'] += lab.must(code !== 0 || stdout.length === PRINTED, `printed ${stdout.length} bytes`);
  judge(lab, results, share, figures);
  // Whether it could be started again or not.
  commands(lab, ['start -a e']);
  const [{stdout: ended}] = commands(lab, ['inspect -f "{{.State.Status}} {{.State.ExitCode}}" e']);
  figures['exit lost'] += lab.must(ended.trim() === 'exited 3', `${Math.round(share * 100)} %: e is ${ended.trim()}`);
  empty();
  heal(lab, figures);
}

function fillRecords(lab, disk, share, figures) {
  const empty = fill(disk, share);
  const results = commands(lab, [`run -d --name r host sleep ${lab.mark}`, 'run --rm host true']);
  judge(lab, results, share, figures);
  const [{stdout: shown}, exec] = commands(lab, ['ps -a --format {{.Names}}={{.State}}', 'exec r true']);
  const expected = results[0].code === 0 ? 'r=running' : '';
  const isTrue = shown.trim() === expected && (exec.code === 0) === (expected !== '');
  figures['wrong states'] += lab.must(isTrue, `${Math.round(share * 100)} %: ${shown.trim()}, exec ${exec.code}`);
  empty();
  heal(lab, figures);
}
