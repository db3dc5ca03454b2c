/** `--change`: instructions of a Containerfile that change an image's configuration (docker's Dockerfile reference). */
import type {ImageRunConfig} from '../../border/images';
import {invalidArgument} from '../../errors/keelbox-error';

type Apply = (config: ImageRunConfig, rest: string) => void;

const instructions: Readonly<Record<string, Apply>> = {
  CMD: (config, rest) => {
    config.Cmd = command(rest);
  },
  ENTRYPOINT: (config, rest) => {
    config.Entrypoint = command(rest);
  },
  ENV: (config, rest) => {
    for (const [key, value] of pairs(rest)) {
      config.Env = [...(config.Env ?? []).filter(known => !known.startsWith(`${key}=`)), `${key}=${value}`];
    }
  },
  EXPOSE: (config, rest) => {
    for (const port of words(rest)) {
      if (!/^\d{1,5}(-\d{1,5})?(\/(tcp|udp|sctp))?$/.test(port)) throw invalidArgument(`"${port}" is not a port`);
      config.ExposedPorts = {...config.ExposedPorts, [port.includes('/') ? port : `${port}/tcp`]: {}};
    }
  },
  LABEL: (config, rest) => {
    config.Labels = {...config.Labels, ...Object.fromEntries(pairs(rest))};
  },
  ONBUILD: (config, rest) => {
    config.OnBuild = [...(config.OnBuild ?? []), rest];
  },
  STOPSIGNAL: (config, rest) => {
    config.StopSignal = rest;
  },
  USER: (config, rest) => {
    config.User = rest;
  },
  VOLUME: (config, rest) => {
    const volumes = list(rest) ?? words(rest);
    config.Volumes = {...config.Volumes, ...Object.fromEntries(volumes.map(volume => [volume, {}]))};
  },
  WORKDIR: (config, rest) => {
    if (!rest.startsWith('/')) throw invalidArgument(`WORKDIR ${rest} is not an absolute path`);
    config.WorkingDir = rest;
  },
};

export function readChanges(changes: readonly string[]): ImageRunConfig {
  const config: ImageRunConfig = {};
  for (const change of changes) {
    const [, name = '', rest = ''] = /^\s*([A-Za-z]+)(?:[ \t=]+(.*?))?\s*$/s.exec(change) ?? [];
    const apply = instructions[name.toUpperCase()];
    if (apply === undefined || rest === '') {
      throw invalidArgument(`--change '${change}' is not an instruction that changes an image`, {
        hint: `use one of ${Object.keys(instructions).join(', ')}, e.g. --change 'CMD ["sh"]'`,
      });
    }
    apply(config, rest);
  }
  return config;
}

/** A JSON list is the command itself; anything else is a line for the shell. */
function command(rest: string): string[] {
  return list(rest) ?? ['/bin/sh', '-c', rest];
}

function list(text: string): string[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value) && value.every(item => typeof item === 'string')) return value;
  } catch {
    // Not JSON: the other form.
  }
  return undefined;
}

/** Words, in quotes or not. */
function words(text: string): string[] {
  const found = text.match(/(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/gs) ?? [];
  return found.map(unquote);
}

function unquote(word: string): string {
  return word.replace(/"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/gs, (_, double?: string, single?: string, other?: string) =>
    double === undefined ? (single ?? other ?? '') : double.replace(/\\(["\\$])/g, '$1'),
  );
}

/** `KEY=value KEY="a b"`, or the old form `KEY the rest`. */
function pairs(rest: string): [string, string][] {
  const [first = '', ...others] = words(rest);
  if (!first.includes('=')) {
    const value = rest.slice(rest.indexOf(first) + first.length).trim();
    if (value === '') throw invalidArgument(`"${rest}" has no value`, {hint: `write ${first}=VALUE`});
    return [[first, value]];
  }
  return [first, ...others].map(word => {
    const equals = word.indexOf('=');
    if (equals < 1) throw invalidArgument(`"${word}" is not KEY=VALUE`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}
