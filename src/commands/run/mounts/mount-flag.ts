/** `--mount type=...,src=...,dst=...`: docker's and podman's keys. */
import {resolve} from 'node:path';
import {invalidArgument, notYet} from '../../../errors/keelbox-error';
import type {MountOptions, MountRequest, VolumeSettings} from '../../../native';
import {absoluteTarget, volumeName} from './ends';
import {type Fields, readFields} from './fields';
import {readIdmap} from './idmap';
import {readSize} from './size';

export function fromMount(text: string): MountRequest {
  const fields = readFields(text);
  switch (fields.type) {
    case 'bind':
      return bindOf(text, fields);
    case 'tmpfs':
      return tmpfsOf(text, fields);
    case 'image':
      return imageOf(text, fields);
    default:
      return volumeOf(text, fields);
  }
}

const target = (text: string, fields: Fields) => absoluteTarget('--mount', text, fields.value('target') ?? '');

function bindOf(text: string, fields: Fields): MountRequest {
  const source = fields.value('source');
  if (!source) throw invalid(text, 'src= is missing');
  const options = optionsOf(text, fields);
  return {
    type: 'bind',
    source: resolve(source),
    target: target(text, fields),
    readonly: fields.flag('readonly') === true,
    ...(Object.keys(options).length > 0 && {options}),
  };
}

function imageOf(text: string, fields: Fields): MountRequest {
  const source = fields.value('source');
  if (!source) throw invalid(text, 'src= is missing: the name of an image');
  const subpath = fields.value('subpath');
  return {
    type: 'image',
    source,
    target: target(text, fields),
    ...(fields.flag('readonly') === false && {writable: true}),
    ...(subpath !== undefined && {subpath}),
  };
}

function volumeOf(text: string, fields: Fields): MountRequest {
  const name = fields.value('source');
  const driver = fields.value('volume-driver');
  if (driver !== undefined && driver !== 'local') {
    throw invalid(text, `there is no driver "${driver}"; the only one is local`);
  }
  const options = optionsOf(text, fields);
  const settings = settingsOf(text, fields);
  return {
    type: 'volume',
    ...(name && {name: volumeName('--mount', text, name)}),
    target: target(text, fields),
    readonly: fields.flag('readonly') === true,
    ...(Object.keys(options).length > 0 && {options}),
    ...(settings && {settings}),
  };
}

function settingsOf(text: string, fields: Fields): VolumeSettings | undefined {
  const pairs = (key: string) =>
    Object.fromEntries(
      fields.values(key).map(pair => {
        const equals = pair.indexOf('=');
        if (equals < 0 && key === 'volume-opt') throw invalid(text, `"${pair}" is not KEY=VALUE`);
        return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
      }),
    );
  const [options, labels] = [pairs('volume-opt'), pairs('volume-label')];
  if (Object.keys(options).length + Object.keys(labels).length === 0) return undefined;
  return {options, labels};
}

function optionsOf(text: string, fields: Fields): MountOptions {
  const propagation = propagationOf(text, fields);
  const submounts = submountsOf(text, fields);
  const subpath = fields.value('subpath');
  const options: MountOptions = {
    ...(propagation && {propagation}),
    ...(submounts && {submounts}),
    ...(subpath !== undefined && {subpath}),
    ...(fields.has('idmap') && {idmap: readIdmap('--mount', text, fields.value('idmap'))}),
    ...(fields.flag('dev') && {dev: true}),
    ...(fields.flag('noexec') && {noexec: true}),
    ...(fields.flag('nosuid') && {nosuid: true}),
    ...(fields.flag('chown') && {chown: true}),
    ...(fields.flag('volume-nocopy') && {nocopy: true}),
    ...(fields.flag('bind-create-src') && {createSource: true}),
    ...(fields.has('relabel') && {relabel: true}),
  };
  const relabel = fields.value('relabel');
  if (relabel !== undefined && !['shared', 'private'].includes(relabel)) {
    throw invalid(text, `relabel is shared or private, not "${relabel}"`);
  }
  return options;
}

function propagationOf(text: string, fields: Fields): MountOptions['propagation'] {
  const word = fields.value('bind-propagation');
  const plain = word?.replace(/^r/, '');
  if (plain === undefined || plain === 'private') return undefined;
  if (plain === 'slave' || plain === 'shared' || plain === 'unbindable') return plain;
  throw invalid(text, `"${word}" is no propagation; there are rprivate, rslave, rshared, private, slave, shared`);
}

function submountsOf(text: string, fields: Fields): MountOptions['submounts'] {
  const word = fields.value('bind-recursive');
  const isReadonly = fields.flag('readonly') === true;
  if (word !== undefined && fields.has('bind-nonrecursive')) {
    throw invalid(text, 'bind-recursive and bind-nonrecursive contradict each other');
  }
  if (fields.flag('bind-nonrecursive')) return 'none';
  switch (word) {
    case undefined:
    case 'enabled':
      return undefined;
    case 'disabled':
      return 'none';
    case 'writable':
    case 'readonly':
      if (!isReadonly) throw invalid(text, `bind-recursive=${word} needs readonly`);
      return word === 'writable' ? 'writable' : undefined;
    default:
      throw invalid(text, `bind-recursive is enabled, disabled, writable or readonly, not "${word}"`);
  }
}

function tmpfsOf(text: string, fields: Fields): MountRequest {
  if (fields.has('source')) throw invalid(text, 'a tmpfs has no source');
  const size = fields.value('tmpfs-size');
  const mode = fields.value('tmpfs-mode');
  if (mode !== undefined && !/^[0-7]{1,5}$/.test(mode)) throw invalid(text, `"${mode}" is not an octal mode`);
  const ids = ['uid', 'gid'].flatMap(key => (fields.has(key) ? [`${key}=${fields.value(key)}`] : []));
  const options = [
    fields.value('tmpfs-options'),
    size === undefined ? undefined : `size=${/%$/.test(size) ? size : readSize('--mount', size)}`,
    mode === undefined ? undefined : `mode=${mode}`,
    ...ids,
    ...['tmpcopyup', 'notmpcopyup', 'noexec', 'nosuid', 'dev'].filter(key => fields.flag(key)),
    fields.flag('exec') ? 'exec' : undefined,
    fields.flag('readonly') ? 'ro' : undefined,
  ];
  if (fields.flag('chown')) throw notYet(`keelbox run --mount type=tmpfs,U (use uid= and gid=)`);
  return {type: 'tmpfs', target: target(text, fields), options: options.filter(Boolean).join(',')};
}

function invalid(text: string, why: string): Error {
  return invalidArgument(`invalid --mount "${text}"`, {why});
}
