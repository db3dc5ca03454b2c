/** Template text to nodes. The grammar is Go's text/template without `define`, `template`, `block`, `break`, `continue`. */
import {lex, type Segment, type Token} from './lexer';
import {type Assignment, type Branch, type Expression, type Name, type Node, TemplateError} from './nodes';
import {Tokens} from './tokens';

export function parseTemplate(template: string): readonly Node[] {
  const parser = new Parser(lex(template));
  const nodes = parser.nodes(['$']);
  const left = parser.ender;
  if (left !== undefined) throw new TemplateError(`{{${left.word}}} without {{if}}, {{range}} or {{with}}`, left.at);
  return nodes;
}

/** `{{end}}`, or `{{else ...}}` with what follows that word. */
interface Ender {
  word: 'end' | 'else';
  at: number;
  rest: Tokens;
}

const unsupported = ['define', 'template', 'block', 'break', 'continue'];

class Parser {
  /** What closed the last list of nodes; undefined: the end of the template. */
  ender: Ender | undefined;
  private position = 0;

  constructor(private readonly segments: readonly Segment[]) {}

  /** Up to the next `end` or `else`. `scope` has the variables that are known; what is declared here ends here. */
  nodes(scope: readonly string[]): Node[] {
    const nodes: Node[] = [];
    const known = [...scope];
    for (let segment = this.next(); segment !== undefined; segment = this.next()) {
      if (segment.kind === 'text') {
        nodes.push(segment);
        continue;
      }
      const tokens = new Tokens(segment.tokens, segment.at);
      const word = tokens.peek()?.kind === 'word' ? tokens.peek()?.text : undefined;
      if (word === 'end' || word === 'else') {
        tokens.take();
        if (word === 'end') tokens.expectEnd();
        this.ender = {word, at: segment.at, rest: tokens};
        return nodes;
      }
      nodes.push(this.node(word, tokens, known));
    }
    this.ender = undefined;
    return nodes;
  }

  private next(): Segment | undefined {
    return this.segments[this.position++];
  }

  private node(word: string | undefined, tokens: Tokens, known: string[]): Node {
    if (word !== undefined && unsupported.includes(word)) {
      throw new TemplateError(`{{${word}}} is not among what keelbox's templates can do`, tokens.at);
    }
    if (word === 'if' || word === 'with') return this.conditional(word, tokens, known);
    if (word === 'range') return this.range(tokens, known);
    const assignment = readAssignment(tokens, known);
    const value = readPipe(tokens, known);
    tokens.expectEnd();
    if (assignment?.isNew) known.push(assignment.name);
    return {kind: 'action', at: tokens.at, value, ...(assignment && {assignment})};
  }

  private conditional(kind: 'if' | 'with', tokens: Tokens, known: readonly string[]): Node {
    const branches: Branch[] = [];
    const open = tokens.at;
    let head = tokens;
    const scope = [...known];
    for (;;) {
      head.take();
      const at = head.at;
      const assignment = readAssignment(head, scope);
      const condition = readPipe(head, scope);
      head.expectEnd();
      if (assignment?.isNew) scope.push(assignment.name);
      branches.push({at, condition, body: this.nodes(scope), ...(assignment && {assignment})});
      const ender = this.closing(kind, open);
      if (ender.word === 'end') return {kind, branches, otherwise: []};
      if (ender.rest.peek() === undefined) return {kind, branches, otherwise: this.otherwise(kind, open, scope)};
      if (ender.rest.peek()?.text !== kind)
        throw new TemplateError(`expected {{else}} or {{else ${kind} ...}}`, ender.at);
      head = ender.rest;
    }
  }

  private range(tokens: Tokens, known: readonly string[]): Node {
    const {at} = tokens;
    tokens.take();
    const variables = readRangeVariables(tokens);
    const over = readPipe(tokens, known);
    tokens.expectEnd();
    const body = this.nodes([...known, ...variables]);
    const ender = this.closing('range', at);
    if (ender.word === 'end') return {kind: 'range', at, over, variables, body, otherwise: []};
    ender.rest.expectEnd();
    return {kind: 'range', at, over, variables, body, otherwise: this.otherwise('range', at, known)};
  }

  private otherwise(kind: string, open: number, scope: readonly string[]): Node[] {
    const nodes = this.nodes(scope);
    const ender = this.closing(kind, open);
    if (ender.word === 'else') throw new TemplateError(`a second {{else}} for one {{${kind}}}`, ender.at);
    return nodes;
  }

  private closing(kind: string, open: number): Ender {
    if (this.ender === undefined) throw new TemplateError(`this {{${kind}}} has no {{end}}`, open);
    return this.ender;
  }
}

function readAssignment(tokens: Tokens, known: readonly string[]): Assignment | undefined {
  const [variable, sign] = [tokens.peek(), tokens.peek(1)];
  if (variable?.kind !== 'variable' || sign?.kind !== 'symbol' || !['=', ':='].includes(sign.text)) return undefined;
  tokens.take();
  tokens.take();
  const isNew = sign.text === ':=';
  if (!isNew) checkVariable(variable, known);
  return {name: variable.text, isNew};
}

/** `$item :=` or `$index, $item :=`. */
function readRangeVariables(tokens: Tokens): string[] {
  const shape = [0, 1, 2, 3].map(ahead => tokens.peek(ahead));
  const names = shape.flatMap(token => (token?.kind === 'variable' ? [token.text] : []));
  const signs = shape.map(token => (token?.kind === 'variable' ? '$' : (token?.text ?? ''))).join(' ');
  const count = signs.startsWith('$ := ') ? 2 : signs === '$ , $ :=' ? 4 : 0;
  for (let taken = 0; taken < count; taken++) tokens.take();
  return names.slice(0, count / 2);
}

function readPipe(tokens: Tokens, known: readonly string[]): Expression {
  const at = tokens.peek()?.at ?? tokens.at;
  const stages = [readCommand(tokens, known)];
  while (tokens.takeSymbol('|')) stages.push(readCommand(tokens, known));
  const [only] = stages;
  if (only !== undefined && stages.length === 1) return only;
  const misplaced = stages.slice(1).find(({kind}) => kind !== 'call' && kind !== 'path');
  if (misplaced) throw new TemplateError('only a function can follow "|"', misplaced.at);
  return {kind: 'pipe', at, stages};
}

/** A function or method with its arguments, or a single value. */
function readCommand(tokens: Tokens, known: readonly string[]): Expression {
  const first = readOperand(tokens, known);
  const values: Expression[] = [];
  while (!tokens.isAtEndOfCommand()) values.push(readOperand(tokens, known));
  if (values.length === 0) return first;
  if (first.kind === 'call' || first.kind === 'path') return {...first, values};
  throw new TemplateError('this is no function and can have no arguments', first.at);
}

function readOperand(tokens: Tokens, known: readonly string[]): Expression {
  const base = readBase(tokens, known);
  const names: Name[] = [];
  for (let token = tokens.peek(); token?.kind === 'field' && token.isAttached; token = tokens.peek()) {
    names.push({at: token.at, name: token.text});
    tokens.take();
  }
  if (names.length === 0) return base;
  if (base.kind !== 'path') return {kind: 'path', at: base.at, of: base, names, values: []};
  return {...base, names: [...base.names, ...names]};
}

function readBase(tokens: Tokens, known: readonly string[]): Expression {
  const token = tokens.take();
  if (token === undefined) throw new TemplateError('a value is missing', tokens.end);
  const {at, text} = token;
  switch (token.kind) {
    case 'field':
      return {kind: 'path', at, of: {kind: 'dot', at}, names: [{at, name: text}], values: []};
    case 'variable':
      checkVariable(token, known);
      return {kind: 'variable', at, name: text};
    case 'string':
      return {kind: 'literal', at, value: text};
    case 'number':
      return {kind: 'literal', at, value: Number(text)};
    case 'word':
      return wordValue(text, at);
    default:
      if (text === '.') return {kind: 'dot', at};
      if (text === '(') return readGroup(tokens, known, at);
      throw new TemplateError(`unexpected "${text}"`, at);
  }
}

function wordValue(text: string, at: number): Expression {
  if (text === 'true' || text === 'false') return {kind: 'literal', at, value: text === 'true'};
  if (text === 'nil') return {kind: 'literal', at, value: null};
  return {kind: 'call', at, name: text, values: []};
}

/** A pipe of one stage, so that what follows the parenthesis is not taken for the arguments of what is in it. */
function readGroup(tokens: Tokens, known: readonly string[], at: number): Expression {
  const inner = readPipe(tokens, known);
  if (!tokens.takeSymbol(')')) throw new TemplateError('this parenthesis is not closed', at);
  return inner.kind === 'pipe' ? inner : {kind: 'pipe', at, stages: [inner]};
}

function checkVariable({text, at}: Token, known: readonly string[]): void {
  if (!known.includes(text)) throw new TemplateError(`undefined variable ${text}`, at);
}
