import {engine} from '../engine';
import {notYet} from '../errors/keelbox-error';
import {writeOut} from '../output/write';
import {defineCommand} from './definition';
import {packageVersion} from './package-version';

interface VersionReport {
  version: string;
  engine: string | null;
  node: string;
  os: string;
  arch: string;
}

export const versionCommand = defineCommand({
  path: ['version'],
  summary: 'Show the versions of the command line and of the engine',
  positionals: {usage: '', min: 0, max: 0},
  options: {
    format: {kind: 'value', short: 'f', value: 'json', group: 'Output', help: 'As JSON'},
    json: {kind: 'boolean', group: 'Output', help: 'The same as --format json'},
  },
  execute(options) {
    if (options.format !== undefined && options.format !== 'json') {
      throw notYet(`keelbox version --format '${options.format}'`);
    }
    const versions = collectVersions();
    writeOut(options.json || options.format ? `${JSON.stringify(versions)}\n` : versionText(versions));
    return 0;
  },
});

function collectVersions(): VersionReport {
  return {
    version: packageVersion,
    engine: engineVersion(),
    node: process.versions.node,
    os: process.platform,
    arch: process.arch,
  };
}

/** Null where the platform package is missing: the version is what one is asked for in a report of just that. */
function engineVersion(): string | null {
  try {
    return engine().info().version;
  } catch {
    return null;
  }
}

function versionText({version, engine: native, node, os, arch}: VersionReport): string {
  return [
    `keelbox version ${version}`,
    `  engine   ${native ?? 'cannot be loaded; keelbox info says why'}`,
    `  node     ${node}`,
    `  os/arch  ${os}/${arch}`,
    '',
  ].join('\n');
}
