/** Words in a unit file, in systemd's quoting (systemd.service(5), "COMMAND LINES"; systemd.syntax(7), "QUOTING"). */

/** A command line of words. `$` and `%` are themselves. */
export function commandLine(words: readonly string[]): string {
  return words.map(word => quotedWord(word.replaceAll('$', '$$$$'))).join(' ');
}

/** One word of a setting that is a list of words. */
export function quotedWord(word: string): string {
  const text = word.replaceAll('%', '%%');
  if (/^[^\s"'\\;]+$/.test(text)) return text;
  return `"${text.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\t', '\\t')}"`;
}

export interface Section {
  name: string;
  /** One without a value is left out. */
  settings: readonly (readonly [key: string, value: string | undefined])[];
}

export function unitText(sections: readonly Section[]): string {
  return sections.map(sectionText).filter(Boolean).join('\n');
}

function sectionText({name, settings}: Section): string {
  const lines = settings.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}\n`]));
  return lines.length === 0 ? '' : `[${name}]\n${lines.join('')}`;
}
