/** Runs a parsed template over a value. */
import {type Assignment, type Branch, type Expression, type Node, type Range, TemplateError} from './nodes';
import {isRecord, isTrue, type Method, sortedKeys, textOf} from './values';

export interface Language {
  functions: Readonly<Record<string, Method>>;
  /** The field `name` of `of`; `path` is the way to it as written, for messages. Throws a TemplateError. */
  field(of: unknown, path: readonly string[], at: number): unknown;
  /** What `range` goes over: key or index, and item. Undefined: nothing that has items. */
  items(value: unknown): readonly (readonly [key: unknown, item: unknown])[] | undefined;
}

export function evaluate(nodes: readonly Node[], value: unknown, language: Language): string {
  const run = new Run(language);
  run.nodes(nodes, {dot: value, variables: new Map([['$', value]])});
  return run.output;
}

interface Scope {
  dot: unknown;
  variables: Map<string, unknown>;
  outer?: Scope;
}

class Run {
  output = '';

  constructor(private readonly language: Language) {}

  nodes(nodes: readonly Node[], scope: Scope): void {
    for (const node of nodes) this.node(node, scope);
  }

  private node(node: Node, scope: Scope): void {
    switch (node.kind) {
      case 'text':
        this.output += node.text;
        break;
      case 'action': {
        const value = this.value(node.value, scope);
        if (node.assignment) assign(node.assignment, value, scope);
        else this.output += textOf(value);
        break;
      }
      case 'range':
        this.range(node, scope);
        break;
      default:
        this.conditional(node.branches, node.otherwise, node.kind === 'with', inner(scope, scope.dot));
    }
  }

  private conditional(branches: readonly Branch[], otherwise: readonly Node[], setsDot: boolean, scope: Scope): void {
    for (const {assignment, condition, body} of branches) {
      const value = this.value(condition, scope);
      if (assignment) assign(assignment, value, scope);
      if (!isTrue(value)) continue;
      this.nodes(body, inner(scope, setsDot ? value : scope.dot));
      return;
    }
    this.nodes(otherwise, inner(scope, scope.dot));
  }

  private range({over, variables, body, otherwise}: Range, scope: Scope): void {
    const value = this.value(over, scope);
    const items = value === undefined || value === null ? [] : this.language.items(value);
    if (items === undefined) throw new TemplateError(`range cannot go over ${textOf(value)}`, over.at);
    if (items.length === 0) this.nodes(otherwise, inner(scope, scope.dot));
    for (const [key, item] of items) {
      const each = inner(scope, item);
      const values = variables.length === 2 ? [key, item] : [item];
      variables.forEach((name, index) => {
        each.variables.set(name, values[index]);
      });
      this.nodes(body, each);
    }
  }

  /** `piped` has the value of the stage before, when there is one. */
  private value(expression: Expression, scope: Scope, piped: readonly unknown[] = []): unknown {
    switch (expression.kind) {
      case 'literal':
        return expression.value;
      case 'dot':
        return scope.dot;
      case 'variable':
        return holder(expression.name, scope)?.variables.get(expression.name);
      case 'path':
        return this.path(expression, scope, piped);
      case 'call':
        return this.call(expression, scope, piped);
      default:
        return expression.stages.reduce<readonly unknown[]>((last, stage) => [this.value(stage, scope, last)], [])[0];
    }
  }

  private path(path: Extract<Expression, {kind: 'path'}>, scope: Scope, piped: readonly unknown[]): unknown {
    let value = this.value(path.of, scope);
    path.names.forEach(({at}, index) => {
      value = this.language.field(
        value,
        path.names.slice(0, index + 1).map(({name}) => name),
        at,
      );
    });
    const values = [...path.values.map(argument => this.value(argument, scope)), ...piped];
    const {name = '', at} = path.names.at(-1) ?? {at: path.at};
    if (typeof value === 'function') return called(name, at, () => (value as Method)(...values));
    if (values.length > 0) throw new TemplateError(`.${name} is no method and can have no arguments`, at);
    return value;
  }

  private call(
    {name, at, values}: Extract<Expression, {kind: 'call'}>,
    scope: Scope,
    piped: readonly unknown[],
  ): unknown {
    if (name === 'and' || name === 'or') return this.shortCut(name, at, values, scope, piped);
    const known = this.language.functions;
    const method = Object.hasOwn(known, name) ? known[name] : undefined;
    if (method === undefined) {
      throw new TemplateError(
        `unknown function ${name}`,
        at,
        `functions: and or ${Object.keys(known).sort().join(' ')}`,
      );
    }
    const all = [...values.map(argument => this.value(argument, scope)), ...piped];
    return called(name, at, () => method(...all));
  }

  /** The first value that decides, or the last; those behind it are not evaluated. */
  private shortCut(
    name: 'and' | 'or',
    at: number,
    values: readonly Expression[],
    scope: Scope,
    piped: readonly unknown[],
  ): unknown {
    let value: unknown;
    for (const argument of values) {
      value = this.value(argument, scope);
      if (isTrue(value) === (name === 'or')) return value;
    }
    if (values.length + piped.length === 0) throw new TemplateError(`${name} wants at least one value`, at);
    return piped.length > 0 ? piped[0] : value;
  }
}

function called(name: string, at: number, call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    throw error instanceof TemplateError ? error : new TemplateError((error as Error).message || name, at);
  }
}

function inner(outer: Scope, dot: unknown): Scope {
  return {dot, variables: new Map(), outer};
}

function holder(name: string, scope: Scope): Scope | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) if (at.variables.has(name)) return at;
  return undefined;
}

function assign({name, isNew}: Assignment, value: unknown, scope: Scope): void {
  ((isNew ? undefined : holder(name, scope)) ?? scope).variables.set(name, value);
}

/** Lists by index, maps by sorted key. */
export function itemsOf(value: unknown): readonly (readonly [unknown, unknown])[] | undefined {
  if (Array.isArray(value)) return value.map((item, index) => [index, item] as const);
  if (isRecord(value)) return sortedKeys(value).map(key => [key, value[key]] as const);
  return undefined;
}
