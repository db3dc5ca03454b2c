/** Programs with the library, each in a Node of its own. */
import {type ChildProcess, spawn} from 'node:child_process';
import path from 'node:path';
import {pathToFileURL} from 'node:url';
import {type CallOptions, command, specFolder} from './cli';

/** The library as built, as an import of it is written. */
export const libraryUrl = () => pathToFileURL(path.join(specFolder(), 'dist/index.mjs')).href;

/** Starts a program that has `Container` and `run`, and may await at its top. */
export function nodeProgram(program: string, who: CallOptions = {}): ChildProcess {
  const {file, options} = command([], who);
  const script = `import {Container, run} from '${libraryUrl()}';\n${program}`;
  return spawn(file, ['--input-type=module', '-e', script], {...options, stdio: ['ignore', 'pipe', 'pipe']});
}

export interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** What it says until it ends. */
export async function outcome(child: ChildProcess): Promise<Outcome> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', chunk => (stdout += chunk));
  child.stderr?.on('data', chunk => (stderr += chunk));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(done =>
    child.on('close', (...ended) => done(ended)),
  );
  return {code, signal, stdout, stderr};
}
