const FIRST_CAPACITY = 4096;

/**
 * Bytes one after the other in one growing buffer: a command that writes single bytes must not cost an object for each.
 */
export class ByteStore {
  #buffer = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#buffer.length) this.#grow(length);
    this.#buffer.set(chunk, this.#length);
    this.#length = length;
  }

  /** A view of what is stored, not a copy. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #grow(length: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(length, this.#buffer.length * 2, FIRST_CAPACITY));
    larger.set(this.bytes());
    this.#buffer = larger;
  }
}
