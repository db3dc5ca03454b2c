/** `inspect`, in docker's shape: tools and scripts read these paths. */
import type {ImageDescription} from '../../border/images';
import {engine} from '../../engine';
import {KeelboxError} from '../../errors/keelbox-error';
import type {ContainerSummary} from '../../native';
import {formats} from '../../output/formats';
import {writeOut} from '../../output/write';
import {isOneOf} from '../checks';
import {type CommandContext, defineCommand, type OptionTable} from '../definition';

const format = {
  kind: 'value',
  short: 'f',
  value: 'json|TEMPLATE',
  group: 'Output',
  help: "A Go template for each, e.g. '{{.Config.Env}}'",
} as const satisfies OptionTable[string];

export const inspectCommand = defineCommand({
  path: ['inspect'],
  aliases: [['container', 'inspect']],
  summary: 'Show everything about a container or an image',
  description:
    'A container goes before an image of the same name. Prints a JSON array; exit code 1: one was not found.',
  examples: [{command: "keelbox inspect -f '{{.State.ExitCode}}' web", text: 'one field'}],
  positionals: {usage: 'NAME|ID [NAME|ID...]', min: 1, max: Number.POSITIVE_INFINITY},
  options: {
    format,
    type: {
      kind: 'value',
      value: 'TYPE',
      group: 'Choice',
      help: 'container or image; default: the first that there is',
      check: isOneOf('container', 'image', 'all'),
    },
  },
  later: {boolean: 'size/s latest/l'},
  execute: ({format, type = 'all'}, context) => inspect(context, format, kinds[type as keyof typeof kinds]),
});

export const imageInspectCommand = defineCommand({
  path: ['image', 'inspect'],
  summary: 'Show everything about an image',
  positionals: {usage: 'IMAGE [IMAGE...]', min: 1, max: Number.POSITIVE_INFINITY},
  options: {format},
  later: {value: 'platform'},
  execute: ({format}, context) => inspect(context, format, kinds.image),
});

type Find = (reference: string) => unknown;

const kinds = {
  container: [findContainer],
  image: [findImage],
  all: [findContainer, findImage],
} satisfies Record<string, Find[]>;

/** One that is missing does not keep the others; what was found is printed all the same. */
function inspect(context: CommandContext, template: string | undefined, finders: readonly Find[]): number {
  const found: unknown[] = [];
  let code = 0;
  for (const reference of context.positionals) {
    try {
      found.push(first(reference, finders));
    } catch (error) {
      code = Math.max(code, context.report(error) && 1);
    }
  }
  writeOut(
    template === undefined || template === ''
      ? `${JSON.stringify(found, null, 4)}\n`
      : formats().formatEach(template, found),
  );
  return code;
}

function first(reference: string, finders: readonly Find[]): unknown {
  for (const find of finders) {
    const found = find(reference);
    if (found !== undefined) return found;
  }
  throw new KeelboxError('ERR_KEELBOX_NOT_FOUND', `no such object: ${reference}`, {
    hint: 'keelbox ps -a lists containers, keelbox images lists images',
  });
}

function findImage(reference: string): unknown {
  try {
    return imageObject(engine().imageDescribe(reference));
  } catch (error) {
    if ((error as Partial<KeelboxError>).code === 'ERR_KEELBOX_IMAGE_NOT_FOUND') return undefined;
    throw error;
  }
}

function imageObject({id, digest, names, size, layers, config}: ImageDescription): unknown {
  const repositories = new Set(names.map(name => name.slice(0, name.lastIndexOf(':'))));
  const paths = layers.map(layer => layer.path).reverse();
  return {
    Id: id,
    RepoTags: names,
    RepoDigests: [...repositories].map(repository => `${repository}@${digest}`),
    Parent: '',
    Comment: config.history?.at(-1)?.comment ?? '',
    Created: config.created ?? '',
    DockerVersion: config.docker_version ?? '',
    Author: config.author ?? '',
    Config: config.config ?? {},
    Architecture: config.architecture ?? '',
    ...(config.variant && {Variant: config.variant}),
    Os: config.os ?? '',
    Size: size,
    VirtualSize: size,
    Digest: digest,
    GraphDriver: {Name: 'overlay', Data: {UpperDir: paths[0] ?? '', LowerDir: paths.slice(1).join(':')}},
    RootFS: {Type: 'layers', Layers: layers.map(layer => layer.diffId)},
    Labels: config.config?.Labels ?? null,
    History: config.history ?? [],
  };
}

function findContainer(reference: string): unknown {
  const all = engine().list({all: true});
  const named = all.find(({name}) => name === reference);
  const isId = /^[0-9a-f]+$/.test(reference);
  const matching = named ? [named] : all.filter(({id}) => isId && id.startsWith(reference));
  const [container, other] = matching;
  if (container === undefined) return undefined;
  if (other !== undefined) {
    throw new KeelboxError('ERR_KEELBOX_AMBIGUOUS_ID', `${reference} could be any of ${matching.length} containers`, {
      why: matching.map(({id, name}) => `${id.slice(0, 12)} (${name})`).join(', '),
      hint: 'write more of the id, or the name',
    });
  }
  return containerObject(container);
}

const never = '0001-01-01T00:00:00Z';

function time(milliseconds: number | undefined): string {
  return milliseconds === undefined ? never : new Date(milliseconds).toISOString();
}

function containerObject(container: ContainerSummary): unknown {
  const {id, name, image, imageId, command, status, pid, exitCode, createdAt, startedAt, finishedAt, labels} =
    container;
  const [program = '', ...args] = command;
  return {
    Id: id,
    Created: time(createdAt),
    Path: program,
    Args: args,
    State: {
      Status: status,
      Running: status === 'running',
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      Pid: pid ?? 0,
      ExitCode: exitCode ?? 0,
      Error: '',
      StartedAt: time(startedAt),
      FinishedAt: time(finishedAt),
    },
    Image: imageId ?? image,
    Name: `/${name}`,
    RestartCount: 0,
    Driver: 'overlay',
    Platform: 'linux',
    Config: {Image: image, Cmd: command, Labels: labels ?? {}},
  };
}
