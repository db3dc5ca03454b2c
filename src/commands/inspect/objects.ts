/** What a word can mean: a container goes before an image of the same name, and that before a volume, as docker has it. */
import {engine} from '../../engine';
import {KeelboxError} from '../../errors/keelbox-error';
import {formats} from '../../output/formats';
import {writeOut} from '../../output/write';
import {detailsOf} from '../container/details';
import {sizesOf} from '../container/sizes';
import type {CommandContext, OptionTable} from '../definition';
import {volumeDocument} from '../volume/rows';
import {containerDocument} from './container';
import {imageDocument} from './image';

export const formatOption = {
  kind: 'value',
  short: 'f',
  value: 'json|TEMPLATE',
  group: 'Output',
  help: "A Go template for each, e.g. '{{.Config.Env}}'",
} as const satisfies OptionTable[string];

/** Undefined: there is no such thing. */
type Find = (reference: string, withSize: boolean) => unknown;

const findContainer: Find = (reference, withSize) =>
  found('ERR_KEELBOX_NOT_FOUND', () => {
    const container = detailsOf(reference);
    const document = containerDocument(container);
    if (!withSize) return document;
    const {rw, rootFs} = sizesOf(container);
    return {...document, SizeRw: rw, SizeRootFs: rootFs};
  });

const findImage: Find = reference =>
  found('ERR_KEELBOX_IMAGE_NOT_FOUND', () => imageDocument(engine().imageDescribe(reference)));

const findVolume: Find = reference =>
  found('ERR_KEELBOX_NOT_FOUND', () => volumeDocument(engine().inspectVolume(reference)));

function found(missing: string, find: () => unknown): unknown {
  try {
    return find();
  } catch (error) {
    if ((error as Partial<KeelboxError>).code === missing) return undefined;
    throw error;
  }
}

export const finders = {
  container: [findContainer],
  image: [findImage],
  volume: [findVolume],
  all: [findContainer, findImage, findVolume],
} satisfies Record<string, readonly Find[]>;

export type Kind = keyof typeof finders;

export interface Inspecting {
  kind: Kind;
  format: string | undefined;
  withSize?: boolean;
}

/** One that is missing does not keep the others; what was found is printed all the same. */
export function inspect(
  references: readonly string[],
  {kind, format, withSize = false}: Inspecting,
  {report}: Pick<CommandContext, 'report'>,
): number {
  const documents: unknown[] = [];
  let code = 0;
  for (const reference of references) {
    try {
      documents.push(first(reference, kind, withSize));
    } catch (error) {
      code = Math.max(code, report(error) && 1);
    }
  }
  writeOut(format ? formats().formatEach(format, documents) : `${JSON.stringify(documents, null, 4)}\n`);
  return code;
}

function first(reference: string, kind: Kind, withSize: boolean): unknown {
  for (const find of finders[kind]) {
    const document = find(reference, withSize);
    if (document !== undefined) return document;
  }
  throw new KeelboxError('ERR_KEELBOX_NOT_FOUND', `no such ${kind === 'all' ? 'object' : kind}: ${reference}`, {
    hint: 'keelbox ps -a lists containers, keelbox images lists images, keelbox volume ls lists volumes',
  });
}
