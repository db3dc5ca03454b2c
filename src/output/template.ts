/**
 * `--format` with a Go template, as docker's users write it: `{{.ID}}`, `table {{.Names}}\t{{.Status}}`, `{{json .}}`.
 * In a bundle of its own (`formats.ts` loads it), since most commands are used without.
 */
import {invalidArgument, type KeelboxError} from '../errors/keelbox-error';
import {formatColumns, textWidth} from './columns';
import {evaluate, itemsOf, type Language} from './template/evaluate';
import {fieldOf} from './template/fields';
import {functions} from './template/functions';
import {type Node, TemplateError} from './template/nodes';
import {parseTemplate} from './template/parser';

/** Field name to value; a function is a method, such as `.Label "key"`, and no part of `{{json .}}`. */
export type Row = Readonly<Record<string, unknown>>;

/** Field name to heading, where the heading is not the name in capitals. */
export type Headings = Readonly<Record<string, string>>;

/**
 * A list in the form that was asked for: `json` (docker's: one object per line), a template for each row, or
 * `table TEMPLATE`. Without a template (`table` alone) it is `table` that is printed.
 */
export function formatRows(format: string, rows: readonly Row[], headings: Headings, table: string): string {
  const text = format.trim();
  if (text === 'json') return lines(rows.map(row => JSON.stringify(row)));
  const isTable = /^table(?=\s|\\t|\{|$)/.test(text);
  const template = isTable ? text.slice('table'.length).trim() || table : text;
  const nodes = parsed(template);
  if (!isTable) return lines(rows.map(row => evaluated(nodes, row, template, language)));
  const texts = [
    evaluated(nodes, {}, template, headingLanguage(headings)),
    ...rows.map(row => evaluated(nodes, row, template, language)),
  ];
  return formatColumns(texts.flatMap(each => each.split('\n')).map(line => line.split('\t')));
}

/** A template for each of what `inspect` answers. */
export function formatEach(template: string, values: readonly unknown[]): string {
  if (template.trim() === 'json') return lines(values.map(value => JSON.stringify(value)));
  const nodes = parsed(template);
  return lines(values.map(value => evaluated(nodes, value, template, language)));
}

const language: Language = {functions, field: fieldOf, items: itemsOf};

/**
 * The heading line is the same template over the fields' headings. What asks or changes a value must let the heading
 * pass: each function answers its first argument, and a `range` goes round once.
 */
function headingLanguage(headings: Headings): Language {
  const passing = Object.keys(functions).filter(name => !name.startsWith('print'));
  const pass = (value: unknown) => value;
  return {
    functions: {...functions, ...Object.fromEntries(passing.map(name => [name, pass]))},
    field: (_, path) => headingOf(path.at(-1) ?? '', headings),
    items: value => [['', value]],
  };
}

function headingOf(name: string, headings: Headings): unknown {
  const heading = headings[name] ?? name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, ' ').toUpperCase();
  // A method's heading is its first argument: `.Label "tier"`.
  return name === 'Label' ? (key: unknown) => key : heading;
}

function parsed(template: string): readonly Node[] {
  try {
    return parseTemplate(template);
  } catch (error) {
    throw explained(error, template);
  }
}

function evaluated(nodes: readonly Node[], value: unknown, template: string, using: Language): string {
  try {
    return evaluate(nodes, value, using);
  } catch (error) {
    throw explained(error, template);
  }
}

const shownWidth = 60;

/** The template's line with a caret below the place. */
function explained(error: unknown, template: string): KeelboxError | unknown {
  if (!(error instanceof TemplateError)) return error;
  const {message, at, hint} = error;
  const start = template.lastIndexOf('\n', at - 1) + 1;
  const from = Math.max(start, at - shownWidth);
  const [line = ''] = template.slice(from).split('\n');
  const clean = (text: string) => text.replace(/\p{Cc}/gu, ' ');
  const caret = ' '.repeat(textWidth(clean(template.slice(from, at))));
  return invalidArgument(`bad template for --format: ${message}`, {
    why: `${clean(line)
      .slice(0, at - from + shownWidth)
      .trimEnd()}\n${caret}^ here, at character ${at + 1}`,
    hint: hint ?? 'see https://pkg.go.dev/text/template for the form; keelbox has the parts of it that print values',
  });
}

function lines(texts: readonly string[]): string {
  return texts.map(text => `${text}\n`).join('');
}
