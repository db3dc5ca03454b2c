/** An image in docker's shape. */
import type {ImageDescription} from '../../border/images';

export function imageDocument({id, digest, names, size, layers, config}: ImageDescription): Record<string, unknown> {
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
