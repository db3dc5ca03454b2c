/** Prints an error as what, why, fix, code (`cli.md`), and says which exit code it means. */
import {KeelboxError} from '../errors/keelbox-error';
import type {NativeErrorFields} from '../native';
import {paintFor, terminalWidth, wrap} from '../output/terminal';
import {writeErr} from '../output/write';

const engineFailed = 125;

type KnownError = Error & NativeErrorFields;

/** Answers the exit code that the error asks for. */
export function report(error: unknown): number {
  if (isKnown(error)) {
    writeErr(error.code === 'ERR_KEELBOX_NOT_YET' ? `error: ${error.message}\n` : errorText(error));
    if (isDebugging() && error.stack) writeErr(`${error.stack}\n`);
    return error.exitCode ?? engineFailed;
  }
  writeErr(unexpectedText(error));
  return engineFailed;
}

/** By its code and not by its class: the addon's errors are plain ones, and each bundle has a class of its own. */
function isKnown(error: unknown): error is KnownError {
  return error instanceof Error && String((error as Partial<KnownError>).code).startsWith('ERR_KEELBOX_');
}

function errorText(error: KnownError): string {
  const paint = paintFor(2);
  const why = printable(error.why ?? failedCall(error));
  const hint = printable(error.hint ?? usualFix(error));
  const more = `more: keelbox explain ${error.code}`;
  return [
    ...labelled(paint.bold(paint.red('error:')), 'error: ', wrap(printable(error.message), terminalWidth(2) - 7)),
    ...(why ? labelled('  why:', '  why: ', wrap(why, terminalWidth(2) - 7)) : []),
    // Never wrapped by us: a line of it may be a command to copy.
    ...(hint ? labelled(paint.green('  fix:'), '  fix: ', hint.split('\n')) : []),
    paint.dim(`  code: ${error.code}   ${more}`),
    '',
  ].join('\n');
}

/** For a word that an option cannot take, where nothing better is known. */
function usualFix({code}: KnownError): string {
  const isUsage = code === 'ERR_KEELBOX_INVALID_ARG' || code === 'ERR_KEELBOX_USAGE';
  return isUsage ? 'keelbox run --help shows the form of each option' : '';
}

/** Names come from arguments and images: what a terminal would obey is shown, not sent. */
function printable(text = ''): string {
  return text.replace(/\p{Cc}/gu, character =>
    character === '\n' ? character : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** The label before the first line, the others under its text. */
function labelled(shown: string, label: string, lines: readonly string[]): string[] {
  return lines.map((line, index) => (index === 0 ? `${shown} ${line}` : `${' '.repeat(label.length)}${line}`));
}

/** What the kernel said, for an error that has no explanation in words. */
function failedCall({step, syscall, errno, path}: KnownError): string | undefined {
  if (syscall === undefined && errno === undefined) return step && `the step "${step}" failed`;
  const call = [syscall ?? 'a kernel call', path && `on ${path}`, errno && `answered ${errno}`]
    .filter(Boolean)
    .join(' ');
  return step ? `${call} (step: ${step})` : call;
}

function unexpectedText(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? error.stack : undefined;
  const internal = new KeelboxError('ERR_KEELBOX_INTERNAL', `internal error: ${message}`, {
    why: 'this is a mistake in keelbox, not yours',
    hint: isDebugging()
      ? 'report it with the lines below: https://github.com/keelbox/keelbox/issues'
      : 'run it again as keelbox --debug ..., and report what it prints: https://github.com/keelbox/keelbox/issues',
  });
  return errorText(internal as KnownError) + (isDebugging() && stack ? `${stack}\n` : '');
}

function isDebugging(): boolean {
  return process.env.KEELBOX_DEBUG === '1';
}
