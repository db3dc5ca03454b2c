/** Reads the TAP that ava writes: one result per test, with its YAML block when it failed. */

const RESULT = /^(ok|not ok) \d+(?: - (.*?))?(?: # (SKIP|TODO)\b.*)?$/;

function outcome(word, directive) {
  if (directive) return 'skipped';
  return word === 'ok' ? 'passed' : 'failed';
}

/**
 * Feeds on lines; calls `onResult({outcome, title, detail})` once for each test, when its last line has been seen, and
 * `onText(line)` for what belongs to none.
 */
export class TapReader {
  #onResult;
  #onText;
  #current;

  constructor({onResult, onText}) {
    this.#onResult = onResult;
    this.#onText = onText;
  }

  line(line) {
    const match = RESULT.exec(line);
    if (match) {
      this.end();
      this.#current = {outcome: outcome(match[1], match[3]), title: match[2] ?? '', detail: []};
    } else if (this.#current && /^( {2}|# {3})/.test(line)) {
      this.#current.detail.push(line);
    } else {
      this.end();
      if (!/^(TAP version|1\.\.\d+|# (tests|pass|skip|fail) \d+)/.test(line) && line.trim() !== '') this.#onText(line);
    }
  }

  end() {
    const result = this.#current;
    this.#current = undefined;
    if (result) this.#onResult(result);
  }
}
