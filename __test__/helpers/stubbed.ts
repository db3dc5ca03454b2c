/** The command line as built, over the addon that only says what it was asked. */
import {spawnSync} from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {stubAddon} from './stub-addon';

export interface Outcome {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** The words of a command line; one with spaces in its words comes as a list. */
export type Line = string | readonly string[];

/** How it is started, without starting it. */
export function stubCommand(line: Line, environment: Record<string, string> = {}) {
  const words = typeof line === 'string' ? line.split(' ') : line;
  const env = {PATH: process.env.PATH ?? '', KEELBOX_NATIVE: stubAddon(), STUB_NOW: String(Date.now()), ...environment};
  const args = ['--', path.resolve('dist/cli.cjs'), ...words];
  return {file: process.execPath, args, options: {env, cwd: os.tmpdir()}};
}

export function stubbed(line: Line, environment: Record<string, string> = {}): Outcome {
  const {file, args, options} = stubCommand(line, environment);
  const {status, stdout, stderr} = spawnSync(file, args, {
    ...options,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return {exitCode: status, stdout, stderr};
}

/** stdout of a line that must succeed. */
export function answered(t: ExecutionContext, line: Line, environment: Record<string, string> = {}): string {
  const {exitCode, stdout, stderr} = stubbed(line, environment);
  t.is(exitCode, 0, stderr);
  return stdout;
}

/** What the engine was asked, and what was printed. */
export function asked(
  t: ExecutionContext,
  line: Line,
  environment: Record<string, string> = {},
): {actions: Record<string, unknown>[]; stdout: string} {
  const {exitCode, stdout, stderr} = stubbed(line, {STUB_TELL: '1', ...environment});
  t.is(exitCode, 0, stderr);
  const actions = stderr.split('\n').filter(text => text.startsWith('{'));
  return {actions: actions.map(text => JSON.parse(text) as Record<string, unknown>), stdout};
}

export function refusedStub(t: ExecutionContext, line: Line, text: RegExp, exitCode = 125): void {
  const outcome = stubbed(line);
  t.is(outcome.exitCode, exitCode, outcome.stderr);
  t.regex(outcome.stderr, text);
}
