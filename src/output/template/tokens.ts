import type {Token} from './lexer';
import {TemplateError} from './nodes';

/** The tokens of one action, read from left to right. */
export class Tokens {
  private position = 0;

  constructor(
    private readonly tokens: readonly Token[],
    /** Where the action's `{{` stands. */
    readonly at: number,
  ) {}

  /** Where something is missing when there are no more tokens. */
  get end(): number {
    return this.tokens.at(-1)?.at ?? this.at;
  }

  peek(ahead = 0): Token | undefined {
    return this.tokens[this.position + ahead];
  }

  take(): Token | undefined {
    return this.tokens[this.position++];
  }

  takeSymbol(text: string): boolean {
    const token = this.peek();
    const isThere = token?.kind === 'symbol' && token.text === text;
    if (isThere) this.position += 1;
    return isThere;
  }

  isAtEndOfCommand(): boolean {
    const token = this.peek();
    return token === undefined || (token.kind === 'symbol' && (token.text === '|' || token.text === ')'));
  }

  expectEnd(): void {
    const token = this.peek();
    if (token !== undefined) throw new TemplateError(`unexpected "${token.text}"`, token.at);
  }
}
