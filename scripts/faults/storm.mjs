/** 8 workers with 50 rounds each: create, start, exec, stop, remove, with half of the names shared: nothing is lost. */
export const usual = 50;

const WORKERS = 8;

export async function run(lab, rounds) {
  const figures = {lifecycles: 0, 'names taken': 0, failures: 0};
  await Promise.all(Array.from({length: WORKERS}, (_, worker) => work(lab, worker, rounds, figures)));
  return {figures, bad: figures.failures};
}

async function work(lab, worker, rounds, figures) {
  for (let round = 0; round < rounds; round += 1) {
    const name = round % 2 === 0 ? `own-${worker}` : `shared-${round % 3}`;
    const created = await lab.finish(['create', '--name', name, 'host', ...lab.sleep]);
    if (created.code !== 0) {
      const isTaken = created.stderr.includes('ERR_KEELBOX_NAME_TAKEN') && name.startsWith('shared');
      figures[isTaken ? 'names taken' : 'failures'] += 1;
      if (!isTaken) lab.must(false, `create: ${created.stderr.split('\n')[0]}`);
      continue;
    }
    const id = created.stdout.trim();
    const steps = [
      ['start', id],
      ['exec', id, 'true'],
      ['stop', '-t', '0', id],
      ['rm', id],
    ];
    for (const step of steps) {
      const {code, stderr} = await lab.finish(step);
      figures.failures += lab.must(code === 0, `${step[0]}: ${code} ${stderr.split('\n')[0]}`);
    }
    figures.lifecycles += 1;
  }
}
