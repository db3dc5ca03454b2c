/** 1000 times: `run -d` is killed at any instant; then the container is removed by force, and nothing of it is left. */
import {killAfter} from './lab.mjs';

export const usual = 1000;

export async function run(lab, rounds) {
  const begun = performance.now();
  lab.keelbox(['run', '-d', 'host', ...lab.sleep]);
  const whole = performance.now() - begun;
  lab.removeAll();
  const figures = {kills: rounds, 'had started': 0, processes: 0, states: 0, cgroups: 0, mounts: 0};
  let bad = 0;
  for (let round = 0; round < rounds; round += 1) {
    await killAfter(lab.start(['run', '-d', 'host', ...lab.sleep]), Math.random() * whole * 1.2);
    figures['had started'] += lab.states().length > 0 ? 1 : 0;
    const problems = lab.removeAll();
    bad += lab.must(problems.length === 0, problems[0]);
    const left = {processes: lab.processes(), states: lab.states(), cgroups: lab.cgroups(), mounts: lab.mounts()};
    for (const [what, things] of Object.entries(left)) {
      if (things.length === 0) continue;
      // What is on its way out is looked at again at the end.
      figures[what] += (await lab.leftovers()).length > 0 ? things.length : 0;
    }
  }
  return {figures, bad: bad + figures.processes + figures.states + figures.cgroups + figures.mounts};
}
