/** What a template is made of, once parsed. `at` is always the offset in the template as written, for messages. */

export type Expression =
  | {kind: 'literal'; at: number; value: string | number | boolean | null}
  | {kind: 'dot'; at: number}
  | {kind: 'variable'; at: number; name: string}
  /** `.A.B`, `$x.A`, `(...).A`; with arguments when the last one is a method, as in `.Label "key"`. */
  | {kind: 'path'; at: number; of: Expression; names: readonly Name[]; values: readonly Expression[]}
  | {kind: 'call'; at: number; name: string; values: readonly Expression[]}
  /** Each stage's value is the last argument of the next. */
  | {kind: 'pipe'; at: number; stages: readonly Expression[]};

export interface Name {
  at: number;
  name: string;
}

/** `$x := ...` or `$x = ...`. */
export interface Assignment {
  name: string;
  isNew: boolean;
}

/** One `if`, `with` or `else if`, `else with`. */
export interface Branch {
  at: number;
  assignment?: Assignment;
  condition: Expression;
  body: readonly Node[];
}

export interface Range {
  kind: 'range';
  at: number;
  over: Expression;
  /** One name is the item's; of two, the first is the index's or key's. */
  variables: readonly string[];
  body: readonly Node[];
  otherwise: readonly Node[];
}

export type Node =
  | {kind: 'text'; text: string}
  | {kind: 'action'; at: number; assignment?: Assignment; value: Expression}
  | {kind: 'if' | 'with'; branches: readonly Branch[]; otherwise: readonly Node[]}
  | Range;

/** A template that cannot be read, or a value that it cannot use. */
export class TemplateError extends Error {
  constructor(
    message: string,
    readonly at: number,
    readonly hint?: string,
  ) {
    super(message);
  }
}
