/** `-v [SRC:]DST[:OPTIONS]`. */
import {resolve} from 'node:path';
import {invalidArgument, notYet} from '../../../errors/keelbox-error';
import type {MountOptions, MountRequest} from '../../../native';
import {absoluteTarget, isHostPath, volumeName} from './ends';
import {readIdmap} from './idmap';

interface Meaning {
  readonly?: boolean;
  options: MountOptions;
}

export function fromVolume(text: string): MountRequest {
  const [first = '', second, third = '', ...more] = text.split(':');
  if (more.length > 0) throw invalid(text, 'expected [SRC:]DST[:OPTIONS]');
  if (second === undefined) {
    return {type: 'volume', target: absoluteTarget('--volume', text, first), readonly: false};
  }
  if (first === '') throw invalid(text, 'there is nothing before the ":"');
  const target = absoluteTarget('--volume', text, second);
  const isBind = isHostPath(first);
  const {readonly = false, options} = readOptions(text, third, isBind);
  const rest = Object.keys(options).length > 0 ? {options} : {};
  return isBind
    ? {type: 'bind', source: resolve(first), target, readonly, ...rest}
    : {type: 'volume', name: volumeName('--volume', text, first), target, readonly, ...rest};
}

/** Each option, the question that it answers (no two may answer one), and what it means. */
const optionTable: Readonly<Record<string, {about: string; readonly?: boolean; options?: MountOptions}>> = {
  ro: {about: 'access', readonly: true},
  rro: {about: 'access', readonly: true},
  rw: {about: 'access', readonly: false},
  private: {about: 'propagation'},
  rprivate: {about: 'propagation'},
  slave: {about: 'propagation', options: {propagation: 'slave'}},
  rslave: {about: 'propagation', options: {propagation: 'slave'}},
  shared: {about: 'propagation', options: {propagation: 'shared'}},
  rshared: {about: 'propagation', options: {propagation: 'shared'}},
  unbindable: {about: 'propagation', options: {propagation: 'unbindable'}},
  runbindable: {about: 'propagation', options: {propagation: 'unbindable'}},
  bind: {about: 'submounts', options: {submounts: 'none'}},
  rbind: {about: 'submounts'},
  dev: {about: 'dev', options: {dev: true}},
  nodev: {about: 'dev'},
  exec: {about: 'exec'},
  noexec: {about: 'exec', options: {noexec: true}},
  suid: {about: 'suid'},
  nosuid: {about: 'suid', options: {nosuid: true}},
  copy: {about: 'copy'},
  nocopy: {about: 'copy', options: {nocopy: true}},
  z: {about: 'label', options: {relabel: true}},
  Z: {about: 'label', options: {relabel: true}},
  U: {about: 'owner', options: {chown: true}},
  O: {about: 'overlay', options: {overlay: true}},
  idmap: {about: 'idmap'},
  // Of docker for Mac, where files cross a virtual machine.
  consistent: {about: 'consistency'},
  cached: {about: 'consistency'},
  delegated: {about: 'consistency'},
};

function readOptions(text: string, words: string, isBind: boolean): Meaning {
  const meaning: Meaning = {options: {}};
  const answered = new Map<string, string>();
  for (const word of words.split(',').filter(Boolean)) {
    const [name = '', value] = splitOnce(word);
    if (['upperdir', 'workdir'].includes(name)) throw notYet(`keelbox run --volume option "${name}"`);
    const option = Object.hasOwn(optionTable, name) ? optionTable[name] : undefined;
    if (option === undefined || (value !== undefined && name !== 'idmap')) {
      throw invalid(text, `"${word}" is no option; there are ${Object.keys(optionTable).join(', ')}`);
    }
    const before = answered.get(option.about);
    if (before !== undefined && before !== word) throw invalid(text, `${before} and ${word} contradict each other`);
    answered.set(option.about, word);
    if (isBind && option.about === 'copy') throw invalid(text, `${name} is for volumes, and ${text} is a bind`);
    if (option.readonly !== undefined) meaning.readonly = option.readonly;
    Object.assign(meaning.options, option.options, name === 'idmap' && {idmap: readIdmap('--volume', text, value)});
  }
  return meaning;
}

function splitOnce(word: string): [string, string?] {
  const equals = word.indexOf('=');
  return equals < 0 ? [word] : [word.slice(0, equals), word.slice(equals + 1)];
}

function invalid(text: string, why: string): Error {
  return invalidArgument(`invalid --volume "${text}"`, {why});
}
