import type {Readable} from 'node:stream';

/**
 * Lines without their ends (LF or CRLF), also a last one without an end. `onTooLong` is told of a line of more than
 * `limit` characters and must throw.
 */
export async function* readLines(source: Readable, limit: number, onTooLong: () => Error): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', {ignoreBOM: true});
  let rest = '';
  for await (const chunk of source) {
    const lines = (rest + decoder.decode(chunk as Uint8Array, {stream: true})).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield line.endsWith('\r') ? line.slice(0, -1) : line;
    if (rest.length > limit) throw onTooLong();
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}
