/**
 * What needs systemd as pid 1: its journal, and units that bring containers back. The machine starts twice: what the first
 * run leaves (`again`), the second one looks at.
 */
import {spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {keelbox} from './helpers/cli';
import {lane, patience, type Who} from './helpers/lane';

const test = lane({systemd: true, rootless: true});
/** How often the machine has started; guest-suite.sh counts. */
const BOOT = Number(process.env.KEELBOX_BOOT ?? 1);
/** The specs that are to run after the next start. */
const AGAIN = '/var/lib/keelbox-test/again';
const USER = 'owl';
const CLI = path.resolve('dist/cli.cjs');

/** Adds a line to a file in its writable layer each time that it starts, and ends when it is told to. */
const COUNTING = 'trap "exit 0" TERM; echo start >>/starts; while :; do sleep 1000 & wait; done';

/** Root with the system's manager, or a user whose own manager is there without a session; both with keelbox's own folders. */
class Owner {
  readonly #words: string[];
  readonly units: string;
  readonly #scope: string[];

  constructor({asUser}: Who) {
    const home = asUser ? `/home/${USER}` : '/root';
    this.units = asUser ? `${home}/.config/systemd/user` : '/etc/systemd/system';
    this.#scope = asUser ? ['--user'] : [];
    const environment = ['env', '-i', `PATH=${process.env.PATH}`, `HOME=${home}`];
    if (!asUser) this.#words = environment;
    else {
      const uid = made(USER);
      const drop = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--init-groups', '--'];
      this.#words = [...drop, ...environment, `XDG_RUNTIME_DIR=/run/user/${uid}`];
    }
  }

  run(...args: string[]): {status: number | null; stdout: string; stderr: string} {
    const [file = '', ...words] = [...this.#words, ...args];
    return spawnSync(file, words, {encoding: 'utf8', cwd: '/', timeout: patience(60_000)});
  }

  keelbox(...args: string[]) {
    return this.run(process.execPath, '--', CLI, ...args);
  }

  systemctl(...args: string[]) {
    return this.run('systemctl', ...this.#scope, ...args);
  }

  /** The same, which must go well. */
  done(t: ExecutionContext, program: 'keelbox' | 'systemctl', ...args: string[]): string {
    const {status, stdout, stderr} = this[program](...args);
    t.is(status, 0, `${args.join(' ')}: ${stderr}${status === 0 ? '' : this.#journal()}`);
    return stdout;
  }

  status(name: string): string {
    return this.keelbox('ps', '-a', '--filter', `name=^${name}$`, '--format', '{{.Status}}').stdout.trim();
  }

  /** How often the container has started, by what it has written. */
  starts(name: string): number {
    return this.keelbox('exec', name, 'cat', '/starts').stdout.split('\n').filter(Boolean).length;
  }

  async until(t: ExecutionContext, isSo: () => boolean, what: string): Promise<void> {
    for (const end = Date.now() + patience(30_000); Date.now() < end; await sleep(200)) if (isSo()) return;
    t.fail(`${what}: ${this.keelbox('ps', '-a').stdout}${this.#journal()}`);
  }

  #journal(): string {
    return spawnSync('journalctl', ['-b', '-n', '40', '--no-pager'], {encoding: 'utf8'}).stdout;
  }
}

/** The user's id; made, with a manager that runs without a session, when there is none yet. */
function made(user: string): number {
  const id = () => spawnSync('id', ['-u', user], {encoding: 'utf8'}).stdout.trim();
  if (id() === '') {
    spawnSync('useradd', ['--create-home', '--shell', '/bin/sh', user]);
    spawnSync('loginctl', ['enable-linger', user]);
  }
  return Number(id());
}

function journal(...matches: string[]): Record<string, string>[] {
  spawnSync('journalctl', ['--sync']);
  const {stdout} = spawnSync('journalctl', ['-o', 'json', '--no-pager', ...matches], {encoding: 'utf8'});
  return stdout
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line));
}

function beforeTheRestart(): void {
  test.asEach('journald has what a container prints, under its name', async (t, who) => {
    const name = who.asUser ? 'talker-of-user' : 'talker';
    const script = 'echo to stdout; echo to stderr >&2; printf unfinished';
    const flags = ['--name', name, '--log-driver', 'journald', '--log-opt', 'tag=said-{{.Name}}'];
    const ran = await keelbox(['run', ...flags, 'host', '--', 'sh', '-c', script], who);
    t.is(ran.exitCode, 0, ran.stderr);
    const {stdout} = await keelbox(['inspect', '--format', '{{.Id}}', name], who);
    const messages = journal(`CONTAINER_NAME=${name}`);
    const seen = messages.map(({MESSAGE, PRIORITY}) => `${PRIORITY} ${MESSAGE}`).sort();
    t.deepEqual(seen, ['3 to stderr', '6 to stdout', '6 unfinished'].sort());
    for (const message of messages) {
      t.is(message.CONTAINER_ID_FULL, stdout.trim());
      t.is(message.CONTAINER_ID, stdout.slice(0, 12));
      t.is(message.CONTAINER_TAG, `said-${name}`);
      t.is(message.SYSLOG_IDENTIFIER, `said-${name}`);
    }
    t.is(journal(`CONTAINER_ID_FULL=${stdout.trim()}`).length, 3);
    t.regex((await keelbox(['logs', name], who)).stderr, /journald has it.*journalctl CONTAINER_ID_FULL=/s);
    t.is((await keelbox(['rm', name], who)).exitCode, 0);
  });

  test.asEach(
    'a unit starts its container, brings it back, stops it, and is there for the next start',
    async (t, who) => {
      const owner = new Owner(who);
      await owner.until(
        t,
        () => /starting|running|degraded/.test(owner.systemctl('is-system-running').stdout),
        'no manager',
      );
      owner.done(t, 'keelbox', 'create', '--name=web', '--restart=unless-stopped', 'host', '--', 'sh', '-c', COUNTING);
      owner.run('mkdir', '-p', owner.units);
      const unit = owner.done(t, 'keelbox', 'generate', 'systemd', '--name', 'web');
      t.regex(unit, /^Restart=always$/m);
      const file = path.join(owner.units, 'container-web.service');
      writeFileSync(file, unit);
      owner.done(t, 'systemctl', 'daemon-reload');
      owner.done(t, 'systemctl', 'enable', '--now', 'container-web.service');
      await owner.until(t, () => owner.starts('web') === 1, 'it did not start');
      t.regex(owner.status('web'), /^Up /);

      const pid = Number(owner.done(t, 'keelbox', 'inspect', '--format', '{{.State.Pid}}', 'web'));
      process.kill(pid, 'SIGKILL');
      await owner.until(t, () => owner.starts('web') === 2, 'it did not come back');
      t.is(owner.systemctl('is-active', 'container-web.service').stdout, 'active\n');

      owner.done(t, 'systemctl', 'stop', 'container-web.service');
      t.regex(owner.status('web'), /^Exited \(0\)/);
      owner.done(t, 'systemctl', 'start', 'container-web.service');
      await owner.until(t, () => owner.starts('web') === 3, 'it did not start again');

      owner.done(t, 'keelbox', 'run', '-d', '--name=plain', '--restart=always', 'host', '--', 'sh', '-c', COUNTING);
      await owner.until(t, () => owner.starts('plain') === 1, 'the one without a unit did not start');
      mkdirSync(path.dirname(AGAIN), {recursive: true});
      writeFileSync(AGAIN, 'systemd');
    },
  );
}

function afterTheRestart(): void {
  test.asEach('a unit has brought its container back with what it had written', async (t, who) => {
    const owner = new Owner(who);
    await owner.until(t, () => owner.starts('web') === 4, 'it is not there');
    t.regex(owner.status('web'), /^Up /);
    t.is(owner.systemctl('is-active', 'container-web.service').stdout, 'active\n');
    owner.done(t, 'systemctl', 'disable', '--now', 'container-web.service');
    t.regex(owner.status('web'), /^Exited \(0\)/);
    owner.done(t, 'keelbox', 'rm', 'web');
  });

  test.asEach('a container without a unit has exited, and starts with what it had written', async (t, who) => {
    const owner = new Owner(who);
    await owner.until(
      t,
      () => /starting|running|degraded/.test(owner.systemctl('is-system-running').stdout),
      'no manager',
    );
    t.regex(owner.status('plain'), /^Exited \(/);
    t.is(owner.done(t, 'keelbox', 'inspect', '--format', '{{.State.Running}} {{.State.Pid}}', 'plain'), 'false 0\n');
    owner.done(t, 'keelbox', 'start', 'plain');
    await owner.until(t, () => owner.starts('plain') === 2, 'it did not start');
    owner.done(t, 'keelbox', 'rm', '-f', 'plain');
  });

  test.asEach('nothing is left of what the machine’s end cut short', (t, who) => {
    const uid = made(USER);
    const runRoot = who.asUser ? `/run/user/${uid}/keelbox` : '/run/keelbox';
    t.true(existsSync(runRoot));
    t.false(readFileSync('/proc/self/mountinfo', 'utf8').includes(`${runRoot}/`));
  });
}

if (BOOT === 1) beforeTheRestart();
else afterTheRestart();
