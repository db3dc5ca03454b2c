import {TemplateError} from './nodes';
import {isRecord, textOf} from './values';

/** Fields that hold maps with keys of the user's: one that is not there is empty, not a mistake. */
const maps = new Set([
  'Annotations',
  'Attributes',
  'DriverOpts',
  'ExposedPorts',
  'GraphDriver',
  'Labels',
  'Networks',
  'Options',
  'Ports',
  'Sysctls',
  'Tmpfs',
  'Volumes',
]);

/** `of` is the value that the path but for its last name leads to. */
export function fieldOf(of: unknown, path: readonly string[], at: number): unknown {
  const name = path.at(-1) ?? '';
  const parent = path.at(-2) ?? '';
  if (isRecord(of)) {
    if (Object.hasOwn(of, name)) return of[name];
    if (maps.has(parent)) return undefined;
    throw new TemplateError(
      `unknown field .${path.join('.')}`,
      at,
      `fields: ${Object.keys(of)
        .map(key => `.${key}`)
        .join(' ')}`,
    );
  }
  if (of === undefined || of === null) {
    throw new TemplateError(
      `.${parent} is empty and has no field .${name}`,
      at,
      `ask first: {{with .${parent}}}{{.${name}}}{{end}}`,
    );
  }
  const hint = Array.isArray(of)
    ? `a list: {{range .${parent}}}{{.${name}}}{{end}}, or {{(index .${parent} 0).${name}}}`
    : undefined;
  throw new TemplateError(
    `${Array.isArray(of) ? 'a list' : JSON.stringify(textOf(of))} has no field .${name}`,
    at,
    hint,
  );
}
