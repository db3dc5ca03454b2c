import {engine} from '../../engine';
import type {ContainerDetails} from '../../native';

/** Everything about a container, in the words of `src/border/containers.ts`: the engine says null where nothing was said. */
export function detailsOf(reference: string): ContainerDetails {
  const details = withoutNulls(engine().act({verb: 'inspect', reference})) as ContainerDetails;
  // One that was made by an older version kept less of what it was made with.
  return {...details, request: details.request ?? {root: {type: 'image', name: details.image}, command: []}};
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([, each]) => each !== null && each !== undefined);
  return Object.fromEntries(kept.map(([key, each]) => [key, withoutNulls(each)]));
}
