/**
 * 16 fill levels of a small disk: create, start, write, log, commit say what is wrong, and all works again once there is room.
 * What a container prints reaches its client, whether its log could be written or not. Needs root, which mounts the disk.
 */
import {execFileSync} from 'node:child_process';
import {chownSync, rmSync, statfsSync, writeFileSync} from 'node:fs';
import path from 'node:path';

export const usual = 16;

export async function run(lab, levels) {
  const disk = lab.mkdir('root');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=700', 'tmpfs', disk]);
  if (lab.account.uid !== undefined) chownSync(disk, lab.account.uid, lab.account.gid);
  const figures = {levels, 'failed clearly': 0, worked: 0, 'failed otherwise': 0, 'output lost': 0, 'did not heal': 0};
  try {
    for (let level = 0; level < levels; level += 1) fill(lab, disk, level / (levels - 1), figures);
  } finally {
    lab.removeAll();
    execFileSync('umount', [disk]);
  }
  return {figures, bad: figures['failed otherwise'] + figures['output lost'] + figures['did not heal']};
}

function fill(lab, disk, share, figures) {
  const filler = path.join(disk, 'filler');
  const {bavail, bsize} = statfsSync(disk);
  // The last level leaves nothing at all.
  writeFileSync(filler, Buffer.alloc(Math.floor(bavail * share) * bsize));
  const all = [
    'create --name a host true',
    'start a',
    'run --name b host sh -c "head -c 1m /dev/zero > /tmp/x"',
    'run --name l host sh -c "head -c 5000000 /dev/zero | tr -c x x"',
    'logs l',
    'commit a c:1',
  ].map(line =>
    lab.keelbox(
      line.match(/"[^"]*"|\S+/g).map(word => word.replaceAll('"', '')),
      {maxBuffer: 1 << 24},
    ),
  );
  const {code, stdout} = all[3];
  figures['output lost'] += lab.must(code !== 0 || stdout.length === 5_000_000, `printed ${stdout.length} bytes`);
  const failed = all.filter(result => result.code !== 0);
  for (const {stderr} of failed) {
    const isClear =
      /No space left|no space left|no such container|cannot be committed|not yet/.test(stderr) || stderr === '';
    figures[isClear ? 'failed clearly' : 'failed otherwise'] += 1;
    lab.must(isClear, `${Math.round(share * 100)} %: ${stderr.split('\n').slice(0, 2).join(' ')}`);
  }
  figures.worked += all.length - failed.length;
  rmSync(filler);
  lab.removeAll();
  const healed = lab.keelbox(['run', '--rm', 'host', 'true']);
  figures['did not heal'] += lab.must(healed.code === 0, `heal: ${healed.stderr}`);
}
