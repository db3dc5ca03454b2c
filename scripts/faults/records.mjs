/** Once: each file of a running and of an ended container is damaged in seven ways; `ps` lists the rest, `rm -f` works. */
import {readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';

export const usual = 1;

const DAMAGES = {
  empty: () => '',
  half: text => text.slice(0, text.length / 2),
  zeros: text => '\0'.repeat(text.length),
  garble: text => [...text].map((letter, at) => (at % 3 === 0 ? '\u0001' : letter)).join(''),
  'NUL tail': text => text.slice(0, -8) + '\0'.repeat(8),
  'wrong JSON': () => '{"x":1}',
  missing: undefined,
};

function records(folder) {
  return readdirSync(folder)
    .map(name => path.join(folder, name))
    .filter(file => statSync(file).isFile());
}

export async function run(lab, rounds) {
  const figures = {damages: 0, 'ps failed': 0, 'bystander lost': 0, 'rm failed': 0, orphans: 0};
  for (let round = 0; round < rounds; round += 1) {
    for (const kind of ['running', 'ended']) {
      for (const [name, damage] of Object.entries(DAMAGES)) damageEach(lab, kind, name, damage, figures);
    }
  }
  const {damages, ...failures} = figures;
  return {figures, bad: Object.values(failures).reduce((sum, count) => sum + count, 0)};
}

function make(lab, name, kind) {
  lab.keelbox(['run', '-d', '--name', name, 'host', ...lab.sleep]);
  if (kind === 'ended') lab.keelbox(['kill', name]);
  return lab.keelbox(['inspect', '-f', '{{.Id}}', name]).stdout.trim();
}

/** One container for each file that it has. */
function damageEach(lab, kind, name, damage, figures) {
  for (let number = 0; ; number += 1) {
    const id = make(lab, 'victim', kind);
    const folders = [path.join(lab.root, 'containers', id), path.join(lab.runRoot, 'containers', id)];
    const files = folders.flatMap(folder => {
      try {
        return records(folder);
      } catch {
        return [];
      }
    });
    const file = files[number];
    if (file === undefined) {
      lab.keelbox(['rm', '-f', id]);
      return;
    }
    make(lab, 'bystander', kind);
    if (damage === undefined) rmSync(file);
    else writeFileSync(file, damage(readFileSync(file, 'utf8')));
    figures.damages += 1;
    const what = `${kind}, ${path.basename(file)} ${name}`;
    const ps = lab.keelbox(['ps', '-a', '--format', '{{.Names}}']);
    figures['ps failed'] += lab.must(ps.code === 0, `${what}: ps ${ps.stderr.split('\n')[0]}`);
    figures['bystander lost'] += lab.must(ps.stdout.includes('bystander'), `${what}: ${ps.stdout}`);
    const isThere = lab.containers().includes(id);
    const rm = lab.keelbox(['rm', '-f', id, 'bystander']);
    figures['rm failed'] += lab.must(rm.code === 0 || !isThere, `${what}: rm ${rm.stderr.split('\n')[0]}`);
    const orphans = lab.processes().filter(pid => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(lab.mark));
    figures.orphans += lab.must(orphans.length === 0, `${what}: orphans ${orphans}`);
  }
}
