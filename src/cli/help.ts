/** Help pages, from the definitions alone. */
import {
  type CommandDefinition,
  commandName,
  laterTable,
  type OptionDefinition,
  type OptionTable,
} from '../commands/definition';
import {pad} from '../output/columns';
import {type Paint, paintFor, terminalWidth, wrap} from '../output/terminal';
import {writeOut} from '../output/write';
import {globalOptions} from './global-options';

const stdout = 1;
/** Pages are wrapped even where stdout is no terminal: `keelbox run --help | less` is one. */
const readableWidth = 100;
const widestTerm = 32;

export function showText(text: string): number {
  writeOut(text);
  return 0;
}

export function showCommandHelp(definition: CommandDefinition): number {
  return showText(commandHelp(definition));
}

export function commandHelp(definition: CommandDefinition): string {
  const paint = paintFor(stdout);
  const {positionals, isLater, description, examples = [], aliases = [], options, later} = definition;
  const usage = [commandName(definition), '[OPTIONS]', positionals.usage].filter(Boolean).join(' ');
  const laterNames = Object.keys(laterTable(later)).map(name => `--${name}`);
  return sections([
    `${paint.bold('Usage:')}  ${isLater ? commandName(definition) : usage}`,
    paragraph(isLater ? `${definition.summary}. Not yet.` : definition.summary),
    paragraph(description ?? ''),
    aliases.length > 0 && paragraph(`Also: ${aliases.map(path => ['keelbox', ...path].join(' ')).join(', ')}`),
    ...optionSections(options, paint),
    examples.length > 0 &&
      section('Examples', definitionList(examples.map(({command, text}) => [command, text])), paint),
    laterNames.length > 0 && paint.dim(paragraph(`Known and not yet: ${laterNames.join(' ')}`)),
  ]);
}

function optionSections(options: OptionTable, paint: Paint): string[] {
  const groups = new Map<string, [string, string][]>();
  for (const [name, option] of Object.entries(options)) {
    const rows = groups.get(option.group) ?? [];
    groups.set(option.group, [...rows, [optionTerm(name, option), option.help]]);
  }
  return [...groups].map(([title, rows]) => section(title, definitionList(rows), paint));
}

/** `-e, --env KEY[=VALUE]` */
function optionTerm(name: string, {short, kind, value, aliases = []}: OptionDefinition): string {
  const long = [name, ...aliases].map(each => `--${each}`).join(', ');
  const shown = value === undefined ? '' : kind === 'optional' ? `[=${value}]` : ` ${value}`;
  return `${short === undefined ? '    ' : `-${short}, `}${long}${shown}`;
}

export function groupHelp(group: string, commands: readonly CommandDefinition[]): string {
  const paint = paintFor(stdout);
  const rows = commands.flatMap(definition =>
    [definition.path, ...(definition.aliases ?? [])]
      .filter(path => path[0] === group && path.length > 1)
      .map((path): [string, CommandDefinition] => [path.slice(1).join(' '), definition]),
  );
  return sections([`${paint.bold('Usage:')}  keelbox ${group} COMMAND`, ...commandSections(rows, paint)]);
}

export function overview(commands: readonly CommandDefinition[]): string {
  const paint = paintFor(stdout);
  const rows = commands.flatMap((definition): [string, CommandDefinition][] =>
    definition.isGroup || definition.path.length > 1 ? [] : [[definition.path.join(' '), definition]],
  );
  const groups = commands.flatMap(({isGroup, path}) => (isGroup ? [...path] : []));
  return sections([
    `${paint.bold('Usage:')}  keelbox [OPTIONS] COMMAND`,
    'Containers without a daemon.',
    paragraph('Try: keelbox run --rm -it host   (a shell on a throw-away copy of this machine)'),
    ...commandSections(rows, paint),
    paint.dim(paragraph(`Groups: ${groups.join(' ')}`)),
    ...optionSections(globalOptions, paint),
    'keelbox COMMAND --help tells more; keelbox explain TOPIC explains how containers work.',
  ]);
}

/** What works with its summary; what does not as a list of names, so that nobody tries one after another. */
function commandSections(rows: readonly [string, CommandDefinition][], paint: Paint): (string | false)[] {
  const ready = rows.filter(([, definition]) => !definition.isLater);
  const later = rows.filter(([, definition]) => definition.isLater).map(([name]) => name);
  return [
    ready.length > 0 && section('Commands', definitionList(ready.map(([name, {summary}]) => [name, summary])), paint),
    later.length > 0 && paint.dim(paragraph(`Known and not yet: ${later.join(' ')}`)),
  ];
}

function section(title: string, lines: readonly string[], paint: Paint): string {
  return [paint.bold(`${title}:`), ...lines].join('\n');
}

function sections(parts: readonly (string | false)[]): string {
  return `${parts.filter(Boolean).join('\n\n')}\n`;
}

/** Terms on the left, texts wrapped on the right; a term that is too long has its text on the next line. */
function definitionList(rows: readonly (readonly [string, string])[]): string[] {
  const column = Math.min(widestTerm, Math.max(...rows.map(([term]) => term.length))) + 4;
  return rows.flatMap(([term, text]) => {
    const [first = '', ...more] = wrap(text, pageWidth() - column);
    const indent = ' '.repeat(column);
    const rest = more.map(line => indent + line);
    if (term.length > widestTerm) return [`  ${term}`, indent + first, ...rest];
    return [pad(`  ${term}`, column) + first, ...rest];
  });
}

function paragraph(text: string): string {
  return wrap(text, pageWidth()).join('\n');
}

function pageWidth(): number {
  return Math.min(readableWidth, terminalWidth(stdout));
}
