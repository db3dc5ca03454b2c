/**
 * 1000 kills, in a storm of 8 workers that create, start, exec into, stop and remove containers, half of them by names that
 * they share: of commands, of supervisors, also of those that are only starting, and of first processes. After every 50
 * kills the storm rests, and what `ps` says is compared with what there is; nothing hangs, and nothing is left.
 */
import {readlinkSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';
import {read} from './lab.mjs';

export const usual = 1000;

const WORKERS = 8;
const KILLS_BETWEEN_RESTS = 50;
/** Longer than any command may take, in milliseconds. */
const PATIENCE = 90_000;
const FLAGS = [[], [], ['--init'], ['--restart', 'always'], ['--health-cmd', 'true', '--health-interval', '1s']];

const pick = things => things[Math.floor(Math.random() * things.length)];

export async function run(lab, kills) {
  const figures = {
    commands: 0,
    clients: 0,
    supervisors: 0,
    'first processes': 0,
    'commands refused': 0,
    rests: 0,
    'running at rests': 0,
    'unclear ends': 0,
    hangs: 0,
    'wrong states': 0,
    'left at rests': 0,
    'check not clean': 0,
  };
  const storm = new Storm(lab, figures);
  for (let done = 0; done < kills; done += KILLS_BETWEEN_RESTS) {
    await storm.blow(Math.min(KILLS_BETWEEN_RESTS, kills - done));
    await rest(lab, figures);
  }
  const failures = ['unclear ends', 'hangs', 'wrong states', 'left at rests', 'check not clean'];
  return {figures, bad: failures.reduce((sum, what) => sum + figures[what], 0)};
}

class Storm {
  constructor(lab, figures) {
    this.lab = lab;
    this.figures = figures;
    /** Commands on their way. */
    this.clients = new Set();
    this.isOver = false;
  }

  async blow(kills) {
    this.isOver = false;
    const workers = Promise.all(Array.from({length: WORKERS}, (_, worker) => this.work(worker)));
    for (let done = 0; done < kills; ) {
      await sleep(Math.random() * 200);
      done += this.kill() ? 1 : 0;
    }
    this.isOver = true;
    await workers;
  }

  async work(worker) {
    for (let round = 0; !this.isOver; round += 1) {
      const name = round % 2 === 0 ? `own-${worker}` : `shared-${round % 3}`;
      const detached = pick([['create'], ['create'], ['run', '-d']]);
      await this.command([...detached, '--name', name, ...pick(FLAGS), 'host', ...this.lab.sleep]);
      const steps = [
        ['start', name],
        ['exec', name, 'true'],
        ['ps', '-a'],
        ['stop', '-t', '0', name],
        ['restart', '-t', '0', name],
        ['rm', ...pick([[], ['-f']]), name],
      ];
      for (const step of steps) if (!this.isOver && Math.random() < 0.8) await this.command(step);
    }
  }

  /** Runs a command that may be killed, or that may find that another was. */
  async command(args) {
    const {figures, lab} = this;
    let ours;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      ours.kill('SIGKILL');
    }, PATIENCE);
    const {code, signal, stderr} = await lab.finish(args, child => {
      ours = child;
      this.clients.add(child);
    });
    clearTimeout(timer);
    this.clients.delete(ours);
    figures.commands += 1;
    figures.hangs += lab.must(!isLate, `${args.join(' ')}: hung`);
    if (code === 0 || ours.wasKilled || isLate) return;
    const isClear = /code: ERR_KEELBOX_(?!INTERNAL)/.test(stderr) || (args[0] === 'exec' && code === 137);
    figures[isClear ? 'commands refused' : 'unclear ends'] += 1;
    lab.must(isClear, `${args.join(' ')}: ${code ?? signal} ${stderr.trim().replaceAll('\n', ' | ')}`);
  }

  /** Kills one of the kind that was killed least so far; false: there is none at this moment. */
  kill() {
    const [kind] = ['clients', 'supervisors', 'first processes'].sort((a, b) => this.figures[a] - this.figures[b]);
    const client = pick([...this.clients]);
    if (kind === 'clients') {
      if (client === undefined || client.exitCode !== null) return false;
      client.wasKilled = client.kill('SIGKILL');
      this.figures.clients += 1;
      return true;
    }
    const supervisor = pick([...recorded(this.lab), ...childrenOf(client?.pid)]);
    const victim = kind === 'supervisors' ? supervisor : pick(childrenOf(supervisor));
    // Its number may be another's by now.
    if (victim === undefined || !isOfProduct(this.lab, supervisor)) return false;
    try {
      process.kill(victim, 'SIGKILL');
    } catch {
      return false;
    }
    this.figures[kind] += 1;
    return true;
  }
}

function stateOf(lab, id) {
  try {
    return JSON.parse(read(`${lab.runRoot}/containers/${id}/state.json`));
  } catch {
    return undefined;
  }
}

const recorded = lab => lab.states().flatMap(id => stateOf(lab, id)?.supervisor ?? []);

function childrenOf(pid) {
  if (pid === undefined) return [];
  return read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

/** Whether a process is a supervisor of this lab: it has one of its folders open. */
function isOfProduct(lab, pid) {
  try {
    return ['5', '6'].some(fd => readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(lab.folder));
  } catch {
    return false;
  }
}

/** Nothing happens meanwhile: what is said must be true. Then everything goes. */
async function rest(lab, figures) {
  figures.rests += 1;
  const shown = await settled(lab);
  for (const container of shown.containers) {
    figures['running at rests'] += container.status === 'running' ? 1 : 0;
    const exec = container.status === 'running' ? lab.keelbox(['exec', container.id, 'true']) : {code: 0};
    figures['wrong states'] += lab.must(exec.code === 0, `${container.status}, but exec: ${exec.stderr}`);
  }
  for (const problem of shown.problems) figures['wrong states'] += lab.must(false, problem);
  const left = await lab.leftovers();
  for (const thing of left) figures['left at rests'] += lab.must(false, thing);
  const check = lab.keelbox(['system', 'check']);
  figures['check not clean'] += lab.must(check.code === 0, `system check: ${check.stdout} ${check.stderr}`);
}

/** The list of containers, once it and the processes agree; what it is wrong about, when they do not within seconds. */
async function settled(lab) {
  for (let round = 0; ; round += 1) {
    const text = lab.keelbox(['ps', '-a', '--no-trunc', '--json']);
    const containers = text.code === 0 ? JSON.parse(text.stdout) : [];
    const problems = text.code === 0 ? lies(lab, containers) : [`ps: ${text.stderr}`];
    if (problems.length === 0 || round === 20) return {containers, problems};
    await sleep(200);
  }
}

/** What a list says that is not so. */
function lies(lab, containers) {
  const first = pid => read(`/proc/${pid}/cmdline`).includes(lab.mark) || read(`/proc/${pid}/comm`).includes('keelbox');
  const running = containers.filter(({status}) => ['running', 'restarting'].includes(status));
  const wrong = containers.filter(({status}) => !['running', 'created', 'exited'].includes(status));
  const dead = running.filter(
    ({pid}) => pid === undefined || !first(pid) || /^State:\s+[ZX]/m.test(read(`/proc/${pid}/status`)),
  );
  const counted = lab.processes().filter(pid => read(`/proc/${pid}/cmdline`).includes(`sleep\0${lab.mark}`));
  const lost = counted.length - running.length;
  return [
    ...wrong.map(({id, status}) => `${id} is ${status} at rest`),
    ...dead.map(({id, pid}) => `${id} is said to run as ${pid}`),
    ...(lost > 0 ? [`${counted.length} containers run, and ${running.length} are said to`] : []),
  ];
}
