/** A state folder and a control group for one fault, and what is left of them. */
import {execFileSync, spawn, spawnSync} from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {ROOT} from '../lib.mjs';

function quietly(look, otherwise) {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

export const read = file => quietly(() => readFileSync(file, 'utf8'), '');
export const list = folder => quietly(() => readdirSync(folder), []);

/** `{uid, gid}` of a user by name. */
function accountOf(user) {
  const [uid, gid] = ['-u', '-g'].map(flag => Number(execFileSync('id', [flag, user], {encoding: 'utf8'})));
  return {uid, gid};
}

export class Lab {
  complaints = [];

  /** `user`: as whom the commands run; root still looks at what they leave. */
  constructor(name, user) {
    this.folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), `keelbox-fault-${name}-`)));
    chmodSync(this.folder, 0o755);
    this.parent = `keelbox-fault-${process.pid}`;
    this.account = user === undefined ? {} : accountOf(user);
    // A build may replace the product meanwhile, and another user may not read it.
    this.dist = path.join(this.folder, 'dist');
    cpSync(path.join(ROOT, 'dist'), this.dist, {recursive: true});
    execFileSync('chmod', ['-R', 'a+rX', this.dist]);
    this.cli = path.join(this.dist, 'cli.cjs');
    this.root = this.mkdir('root');
    this.runRoot = this.mkdir('run');
    this.home = this.mkdir('home');
    /** What containers run: its second word tells them from all other processes. */
    this.mark = `1000.${process.pid}`;
    this.sleep = ['sleep', this.mark];
    this.environment = {
      PATH: process.env.PATH,
      HOME: this.home,
      KEELBOX_ROOT: this.root,
      KEELBOX_RUNROOT: this.runRoot,
      KEELBOX_CGROUP_PARENT: this.parent,
    };
  }

  /** How commands are spawned. */
  get options() {
    return {cwd: this.home, env: this.environment, ...this.account};
  }

  /** A command to its end. */
  keelbox(args, options = {}) {
    const result = spawnSync(process.execPath, ['--', this.cli, ...args], {
      encoding: 'utf8',
      timeout: 60_000,
      ...this.options,
      ...options,
    });
    return {code: result.status, signal: result.signal, stdout: result.stdout ?? '', stderr: result.stderr ?? ''};
  }

  /** A command that runs beside this one. */
  start(args, options = {}) {
    return spawn(process.execPath, ['--', this.cli, ...args], {stdio: 'ignore', ...this.options, ...options});
  }

  /** The same, to its end. `onStart` is given the process. */
  async finish(args, onStart = () => {}) {
    const child = this.start(args, {stdio: ['ignore', 'pipe', 'pipe']});
    onStart(child);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', text => {
      stdout += text;
    });
    child.stderr.on('data', text => {
      stderr += text;
    });
    const [code, signal] = await new Promise(resolve => child.on('close', (...ended) => resolve(ended)));
    return {code, signal, stdout, stderr};
  }

  must(condition, complaint) {
    if (!condition) this.complaints.push(complaint);
    return condition ? 0 : 1;
  }

  /** Removes all containers, and tells what is still there. */
  removeAll() {
    const ids = this.keelbox(['ps', '-aq', '--no-trunc']).stdout.split('\n').filter(Boolean);
    if (ids.length === 0) return [];
    const {code, stderr} = this.keelbox(['rm', '-f', ...ids]);
    return code === 0 ? [] : [`rm -f: ${code} ${stderr.split('\n')[0]}`];
  }

  containers() {
    return list(path.join(this.root, 'containers'));
  }

  states() {
    return list(path.join(this.runRoot, 'containers'));
  }

  processes() {
    const isOurs = pid => {
      if (read(`/proc/${pid}/cmdline`).includes(this.mark)) return true;
      const links = list(`/proc/${pid}/fd`).map(fd => quietly(() => readlinkSync(`/proc/${pid}/fd/${fd}`), ''));
      return links.some(link => link.startsWith(this.folder)) || read(`/proc/${pid}/mountinfo`).includes(this.folder);
    };
    return list('/proc').filter(name => /^\d+$/.test(name) && name !== String(process.pid) && isOurs(name));
  }

  mounts() {
    return read('/proc/self/mountinfo')
      .split('\n')
      .filter(line => line.includes(this.folder));
  }

  /** Folders of containers in all hierarchies. */
  cgroups() {
    const mounts = read('/proc/self/mountinfo')
      .split('\n')
      .filter(line => / - cgroup2? /.test(line))
      .map(line => path.join(line.split(' ')[4], this.parent));
    return mounts.flatMap(folder =>
      list(folder)
        .filter(name => /^[0-9a-f]{64}$/.test(name))
        .map(name => path.join(folder, name)),
    );
  }

  /** Everything that is left once all containers are removed; what is on its way out has some seconds. */
  async leftovers() {
    const problems = this.removeAll();
    for (let round = 0; ; round += 1) {
      const left = [
        ...problems,
        ...this.containers().map(id => `container ${id}`),
        ...this.states().map(id => `state ${id}`),
        ...list(path.join(this.root, 'names')).map(name => `name ${name}`),
        ...this.processes().map(pid => `process ${pid} ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`),
        ...this.mounts().map(line => `mount ${line.split(' ')[4]}`),
        ...this.cgroups().map(folder => `cgroup ${folder}`),
      ];
      if (left.length === 0 || round === 20) return left;
      await sleep(200);
    }
  }

  close() {
    this.removeAll();
    for (const line of read('/proc/self/mountinfo')
      .split('\n')
      .filter(text => / - cgroup2? /.test(text))) {
      const folder = path.join(line.split(' ')[4], this.parent);
      if (existsSync(folder)) quietly(() => rmdirSync(folder), undefined);
    }
    for (const line of this.mounts()) quietly(() => execFileSync('umount', [line.split(' ')[4]]), undefined);
    rmSync(this.folder, {recursive: true, force: true});
  }

  mkdir(name) {
    const folder = path.join(this.folder, name);
    mkdirSync(folder, {recursive: true, mode: 0o700});
    if (this.account.uid !== undefined) chownSync(folder, this.account.uid, this.account.gid);
    return folder;
  }
}

/** Kills a process after a while, and waits for its end. */
export async function killAfter(child, milliseconds) {
  const over = new Promise(resolve => child.on('close', resolve));
  await sleep(milliseconds);
  child.kill('SIGKILL');
  await over;
}
