/** What several scripts need: where the project is, and how a command is run. */
import {spawnSync} from 'node:child_process';
import path from 'node:path';

export const ROOT = path.dirname(import.meta.dirname);

/** A tool among the devDependencies, called without npx's half second. */
export function tool(name) {
  return path.join(ROOT, 'node_modules/.bin', name);
}

/** Ends the script with one line on stderr instead of a stack that says nothing more. */
export function fail(message, status = 1) {
  process.stderr.write(`${message}\n`);
  process.exit(status);
}

/** Runs a command on our own stdio; a failing one ends the script with its exit code. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, {cwd: ROOT, stdio: 'inherit', ...options});
  if (result.error) fail(`cannot run ${command}: ${result.error.message}`);
  if (result.status !== 0) fail(`${command} ${args[0] ?? ''} failed`, result.status || 1);
  return result;
}

/** The same for a command whose output we want; answers its stdout. */
export function output(command, args, options = {}) {
  return run(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    ...options,
  }).stdout;
}

/** Whether a program can be found; `--version` is understood by all that we ask for. */
export function hasProgram(name) {
  const result = spawnSync(name, ['--version'], {stdio: 'ignore'});
  return result.error === undefined;
}
