/** `ps --sort`: podman's words. */
import type {ContainerSummary} from '../../native';
import type {Sizes} from '../container/sizes';

type Compare = (a: ContainerSummary, b: ContainerSummary) => number;

const newestFirst: Compare = (a, b) => b.createdAt - a.createdAt;

/** In the order of its text; of two alike the newer one first. */
const by =
  (text: (container: ContainerSummary) => string): Compare =>
  (a, b) => {
    const [one, two] = [text(a), text(b)];
    return one < two ? -1 : one > two ? 1 : newestFirst(a, b);
  };

const orders: Readonly<Record<string, Compare>> = {
  created: newestFirst,
  runningfor: newestFirst,
  command: by(({command}) => command.join(' ')),
  id: by(({id}) => id),
  image: by(({image}) => image),
  names: by(({name}) => name),
  status: by(({status}) => status),
};

export const sortWords = [...Object.keys(orders), 'size'];

export function sorted(
  containers: readonly ContainerSummary[],
  order: string,
  sizeOf: (container: ContainerSummary) => Sizes,
): ContainerSummary[] {
  if (order !== 'size') return [...containers].sort(orders[order] ?? newestFirst);
  const sizes = new Map(containers.map(container => [container.id, sizeOf(container).rw]));
  return [...containers].sort((a, b) => (sizes.get(a.id) ?? 0) - (sizes.get(b.id) ?? 0) || newestFirst(a, b));
}
