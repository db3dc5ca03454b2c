/** `-e` and `--env-file`, as docker reads them: files first, then the flags, and the engine lets later ones win. */
import {readFileSync} from 'node:fs';
import {invalidArgument, KeelboxError} from '../../errors/keelbox-error';

type Caller = Readonly<Record<string, string | undefined>>;

export function collectEnvironment(files: readonly string[], flags: readonly string[], caller: Caller): string[] {
  return [...files.flatMap(file => fromFile(file, caller)), ...flags.flatMap(flag => fromFlag(flag, caller))];
}

function fromFlag(text: string, caller: Caller): string[] {
  const key = keyOf(text);
  if (key === '') throw invalidArgument(`invalid variable "${text}"`, {why: 'there is no name before the "="'});
  if (/[\0\n]/.test(key)) {
    throw invalidArgument(`invalid variable name ${JSON.stringify(key)}`, {why: 'a name cannot hold a line break'});
  }
  return resolve(text, key, caller);
}

/** `KEY` alone takes the caller's value; a variable that the caller does not have is left out. */
function resolve(text: string, key: string, caller: Caller): string[] {
  if (text.length > key.length) return [text];
  const value = caller[key];
  return value === undefined ? [] : [`${key}=${value}`];
}

function fromFile(file: string, caller: Caller): string[] {
  const lines = readText(file)
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/);
  return lines.flatMap((line, index) => fromLine(line.trimStart(), `${file}:${index + 1}`, caller));
}

function fromLine(line: string, place: string, caller: Caller): string[] {
  if (line === '' || line.startsWith('#')) return [];
  const key = keyOf(line);
  if (key === '') throw invalidArgument(`${place}: no variable name before the "="`);
  if (/[\s\0]/.test(key)) {
    throw invalidArgument(`${place}: invalid variable name ${JSON.stringify(key)}`, {
      why: 'a name cannot hold spaces',
    });
  }
  if (line.includes('\0')) throw invalidArgument(`${place}: a value cannot hold a NUL byte`);
  return resolve(line, key, caller);
}

function keyOf(text: string): string {
  const equals = text.indexOf('=');
  return equals < 0 ? text : text.slice(0, equals);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const {code} = cause as NodeJS.ErrnoException;
    throw new KeelboxError('ERR_KEELBOX_INVALID_ARG', `cannot read --env-file ${file}`, {
      why: code === 'ENOENT' ? 'there is no such file' : String(code ?? cause),
      cause,
    });
  }
}
