/** 100 times each: the supervisor, and the first process, of a container that runs are killed; what `ps` says is true. */
import {list, read} from './lab.mjs';

export const usual = 100;

export async function run(lab, rounds) {
  const figures = {supervisors: 0, 'first processes': 0, 'wrong states': 0, 'not started again': 0, 'not removed': 0};
  let bad = 0;
  for (const victim of ['supervisors', 'first processes']) {
    for (let round = 0; round < rounds; round += 1) {
      const {stdout} = lab.keelbox(['run', '-d', 'host', ...lab.sleep]);
      const id = stdout.trim();
      const state = JSON.parse(read(`${lab.runRoot}/containers/${id}/state.json`) || '{}');
      process.kill(victim === 'supervisors' ? state.supervisor : state.pid, 'SIGKILL');
      figures[victim] += 1;
      const [shown = {}] = await told(lab, id);
      const isTrue = shown.status === 'exited' && shown.exitCode === 137;
      figures['wrong states'] += lab.must(isTrue, `after the death of ${victim}: ${JSON.stringify(shown)}`);
      const again = lab.keelbox(['start', id]);
      figures['not started again'] += lab.must(again.code === 0, `start: ${again.stderr.split('\n')[0]}`);
      const removed = lab.keelbox(['rm', '-f', id]);
      figures['not removed'] += lab.must(removed.code === 0 && list(`${lab.root}/containers`).length === 0, 'rm -f');
    }
  }
  bad += figures['wrong states'] + figures['not started again'] + figures['not removed'];
  return {figures, bad};
}

/** The container in the list; the kernel ends its processes a moment after its supervisor. */
async function told(lab, id) {
  lab.keelbox(['wait', id]);
  return JSON.parse(lab.keelbox(['ps', '-a', '--no-trunc', '--json']).stdout).filter(container => container.id === id);
}
