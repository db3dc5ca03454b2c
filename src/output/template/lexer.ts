/** Cuts a template into plain text and actions, and each action into tokens (Go's text/template, "Text and spaces"). */
import {TemplateError} from './nodes';

export interface Token {
  /** `field` is one `.Name`, `word` a function or keyword; all else is what it looks like. */
  kind: 'field' | 'variable' | 'word' | 'string' | 'number' | 'symbol';
  at: number;
  /** Without the dot of a field and the quotes of a string; the `$` of a variable stays. */
  text: string;
  /** No space before it: `.A.B` is one path, `.A .B` are two values. */
  isAttached: boolean;
}

export type Segment = {kind: 'text'; text: string} | {kind: 'action'; at: number; tokens: readonly Token[]};

const comment = /\/\*[\s\S]*?\*\//y;
const space = /\s+/y;

/** Tried in this order, at one position. The first group is the token's text. */
const patterns: readonly (readonly [Token['kind'], RegExp])[] = [
  ['field', /\.([\p{L}_][\p{L}\p{N}_]*)/uy],
  ['variable', /(\$[\p{L}\p{N}_]*)/uy],
  ['number', /([+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))(?![\p{L}\p{N}_])/uy],
  ['word', /([\p{L}_][\p{L}\p{N}_]*)/uy],
  ['string', /("(?:[^"\\\n]|\\.)*"|`[^`]*`)/y],
  ['symbol', /(:=|[.|(),=])/y],
];

export function lex(template: string): Segment[] {
  const segments: Segment[] = [];
  let at = 0;
  let trimsStart = false;
  while (at < template.length) {
    const open = template.indexOf('{{', at);
    const end = open < 0 ? template.length : open;
    const trimsEnd = open >= 0 && /^-\s/.test(template.slice(open + 2, open + 4));
    pushText(segments, template.slice(at, end), trimsStart, trimsEnd);
    if (open < 0) break;
    const action = lexAction(template, open, open + (trimsEnd ? 3 : 2));
    if (action.tokens.length > 0) segments.push({kind: 'action', at: open, tokens: action.tokens});
    else if (!action.hadComment) throw new TemplateError('nothing stands between {{ and }}', open);
    trimsStart = action.trimsNext;
    at = action.end;
  }
  return segments;
}

/** The shell leaves `\t` and `\n` as two characters each; docker makes tabs and lines of them, and so do we. */
function pushText(segments: Segment[], raw: string, trimsStart: boolean, trimsEnd: boolean): void {
  let text = raw.replaceAll('\\t', '\t').replaceAll('\\n', '\n');
  if (trimsStart) text = text.trimStart();
  if (trimsEnd) text = text.trimEnd();
  if (text !== '') segments.push({kind: 'text', text});
}

interface Action {
  tokens: Token[];
  end: number;
  trimsNext: boolean;
  hadComment: boolean;
}

function lexAction(template: string, open: number, start: number): Action {
  const action: Action = {tokens: [], end: 0, trimsNext: false, hadComment: false};
  let at = start;
  while (at < template.length) {
    const before = at;
    at += matchAt(space, template, at)?.[0].length ?? 0;
    const close = /^(-?)\}\}/.exec(template.slice(at, at + 3));
    // "-}}" closes only after a space: "3-}}" could be a number otherwise.
    if (close && (close[1] === '' || at > before)) {
      return {...action, trimsNext: close[1] === '-', end: at + close[0].length};
    }
    const remark = matchAt(comment, template, at);
    if (remark) {
      action.hadComment = true;
      at += remark[0].length;
      continue;
    }
    if (at >= template.length) break;
    const token = tokenAt(template, at, at === before);
    action.tokens.push(token.value);
    at += token.length;
  }
  throw new TemplateError('this {{ has no }}', open);
}

function tokenAt(template: string, at: number, isAttached: boolean): {value: Token; length: number} {
  for (const [kind, pattern] of patterns) {
    const found = matchAt(pattern, template, at);
    if (!found) continue;
    const raw = found[1] ?? '';
    const text = kind === 'string' ? unquote(raw, at) : raw;
    return {value: {kind, at, text, isAttached}, length: found[0].length};
  }
  if (/["`]/.test(template.charAt(at))) throw new TemplateError('this quote is not closed', at);
  const character = String.fromCodePoint(template.codePointAt(at) ?? 0);
  const hint = character === "'" ? 'strings stand in double quotes or backquotes' : undefined;
  throw new TemplateError(`unexpected ${JSON.stringify(character)}`, at, hint);
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

const escapes: Readonly<Record<string, string>> = {n: '\n', t: '\t', r: '\r', '\\': '\\', '"': '"', "'": "'"};

function unquote(raw: string, at: number): string {
  const inner = raw.slice(1, -1);
  if (raw.startsWith('`')) return inner;
  return inner.replace(/\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)/g, (whole, name: string) => {
    if (name.length > 1) return String.fromCharCode(Number.parseInt(name.slice(1), 16));
    const character = escapes[name];
    if (character === undefined) throw new TemplateError(`unknown escape ${whole} in a string`, at);
    return character;
  });
}
