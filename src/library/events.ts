import {Readable} from 'node:stream';
import type {ProcEvent} from './types';

type DataEvent = Extract<ProcEvent, {data: Uint8Array}>;

/** How many chunks may wait before the outputs do. */
const HIGH_WATER_MARK = 16;

/** The chunks of several outputs in the order in which they come. */
export function mergeOutputs(outputs: readonly [DataEvent['type'], Readable][]): Readable {
  const streams = outputs.map(([, output]) => output);
  const merged = new Readable({
    objectMode: true,
    highWaterMark: HIGH_WATER_MARK,
    read: () => {
      for (const stream of streams) stream.resume();
    },
    destroy: (error, callback) => {
      for (const stream of streams) stream.destroy();
      callback(error);
    },
  });
  let open = outputs.length;
  if (open === 0) merged.push(null);
  for (const [type, output] of outputs) {
    output.on('data', data => {
      if (!merged.push({type, data} satisfies DataEvent)) for (const stream of streams) stream.pause();
    });
    output.on('end', () => {
      open -= 1;
      if (open === 0) merged.push(null);
    });
  }
  return merged;
}
