/**
 * An addon that does nothing and says what it was asked, so that the command line can be tried without a kernel: what
 * `prepare` gets is printed as JSON by `attach`, which exits with the code in STUB_EXIT. STUB_NOW is its clock. What `act`
 * and `actLater` get goes to stderr when STUB_TELL is set. STUB_MORE adds containers,
 * as JSON.
 */
import {mkdtempSync, realpathSync, rmSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';

const source = `
const {writeSync} = require('node:fs');
const now = Number(process.env.STUB_NOW);
const second = 1000, hour = 3600 * second;
const base = {image: 'host', command: ['sh', '-c', 'sleep 1000; echo done']};
const containers = [
  {...base, id: 'a'.repeat(64), name: 'host-otter', status: 'running', pid: 42, createdAt: now - 190 * second, startedAt: now - 185 * second},
  {...base, id: 'b'.repeat(64), name: 'host-heron', command: ['true'], labels: {tier: 'front', 'org.x/y': 'a=b'}, status: 'exited', exitCode: 7, createdAt: now - 3 * hour, startedAt: now - 3 * hour, finishedAt: now - 2 * hour},
  {...base, id: 'c'.repeat(64), name: 'host-wren', command: ['\\u001b[31mred'], status: 'created', createdAt: now - 100 * hour},
];
containers.push(...JSON.parse(process.env.STUB_MORE ?? '[]').map(more => ({...base, createdAt: now - 200 * hour, ...more})));
const find = reference => {
  const found = containers.find(({id, name}) => name === reference || id.startsWith(reference));
  if (!found) fail('there is no container "' + reference + '"', {code: 'ERR_KEELBOX_NOT_FOUND', exitCode: 1});
  return found;
};
const details = container => ({
  oomKilled: false, restartCount: 0, labels: {}, annotations: {}, request: {root: {type: 'image', name: 'host'}, command: container.command},
  imageConfig: {}, env: ['A=1'], workingDir: '/', user: '', hostname: 'box', mounts: [], paths: {data: '/d', state: '/s'}, logDriver: 'json-file',
  cgroups: [], stopSignal: 'SIGTERM', stopTimeout: 10, restartPolicy: 'no', ...container,
});
const answers = {
  create: () => ({id: 'd'.repeat(64), name: 'host-finch', notices: ['no user namespace']}),
  inspect: action => details(find(action.reference)),
  wait: action => ({...find(action.reference), exitCode: find(action.reference).exitCode ?? 0}),
  prune: action => ({ids: action.candidates ?? ['b'.repeat(64), 'c'.repeat(64)], freed: 4096}),
  healthcheck: action => ({status: 'healthy', output: '', ...find(action.reference), exitCode: Number(process.env.STUB_EXIT ?? 0)}),
};
answers.run = answers.create;
const act = action => {
  if (process.env.STUB_TELL) writeSync(2, JSON.stringify(action) + '\\n');
  return (answers[action.verb] ?? (() => { const {id, name} = find(action.reference); return {id, name}; }))(action);
};
const step = {op: 'clone', syscall: 'clone3', detail: 'CLONE_NEWNS', why: 'mounts of its own', available: true};
let asked;
const fail = (message, fields) => { throw Object.assign(new Error(message), fields); };
module.exports = {
  act,
  actLater: async action => act(action),
  checkClient: ({detachKeys}) => { if (detachKeys === 'ctrl-1') fail(detachKeys + ' are no detach keys', {code: 'ERR_KEELBOX_INVALID_ARG', exitCode: 125}); },
  prepareAttach(options) {
    find(options.reference);
    asked = options;
    return {handle: 9, id: 'a'.repeat(64), name: 'host-otter'};
  },
  imageDescribe: reference => fail('there is no image ' + reference, {code: 'ERR_KEELBOX_IMAGE_NOT_FOUND', exitCode: 125}),
  imageList: () => [],
  imagePrune: () => ({untagged: ['x:1'], deleted: ['sha256:1'], freed: 10}),
  pruneVolumes: () => ({removed: ['v1'], bytes: 10}),
  storeCheck: async () => [{what: 'nothing needs it', path: '/nowhere/left', repaired: false}, {what: 'busy', path: '/proc/self', repaired: false}],
  inspectVolume: reference => fail('there is no volume ' + reference, {code: 'ERR_KEELBOX_NOT_FOUND', exitCode: 1}),
  prepare(request, onStep) {
    asked = {...request, KEELBOX_ROOT: process.env.KEELBOX_ROOT, KEELBOX_RUNROOT: process.env.KEELBOX_RUNROOT};
    if (request.root.name === 'missing') fail('there is no image "missing"', {code: 'ERR_KEELBOX_IMAGE_NOT_FOUND', exitCode: 125, hint: 'use host'});
    if (request.root.name === 'refused') fail('cannot start', {code: 'ERR_KEELBOX_KERNEL', exitCode: 125, step: 'pivot-root', syscall: 'pivot_root', errno: 'EINVAL', path: '/x'});
    if (request.root.name === 'broken') throw new TypeError('x is not a function');
    if (request.command[0] === 'nope') fail('there is no command "nope"', {code: 'ERR_KEELBOX_COMMAND_NOT_FOUND', exitCode: 127});
    if (onStep) onStep({...step, index: 0, side: 'launcher', microseconds: 41});
    return {id: 'a'.repeat(64), name: 'host-otter', pid: 1, stdio: [-1, -1, -1], handle: 7, notices: ['no user namespace']};
  },
  attach(handle, client) {
    writeSync(1, JSON.stringify({...asked, handle, ...(Object.keys(client ?? {}).length > 0 && {client})}) + '\\n');
    process.exit(Number(process.env.STUB_EXIT ?? 0));
  },
  plan: () => ({namespaces: ['user', 'mount'], cgroup: {'pids.max': '2048'}, mounts: ['overlay on /'], caps: ['CHOWN'], steps: [step, {...step, op: 'idmap', syscall: 'mount_setattr', needs: 'Linux 5.12', available: false}]}),
  list: ({all}) => containers.filter(({status}) => all || ['running', 'paused', 'restarting'].includes(status)),
  remove(reference, {force}) {
    if (process.env.STUB_TELL) writeSync(2, JSON.stringify({verb: 'remove', reference, force}) + '\\n');
    const found = find(reference);
    if (found.status === 'running' && !force) fail(reference + ' is running', {code: 'ERR_KEELBOX_INVALID_ARG', exitCode: 2, hint: 'keelbox rm -f ' + reference});
    return found.id;
  },
  info: () => ({version: '0.1.0', runtimePath: '/x', kernel: '6.1.0', arch: 'x86_64', rootless: false, root: '/var/lib/keelbox', runRoot: '/run/keelbox', cgroups: 'v2', controllers: {pids: 'v2'}, apparmor: false, containers: {total: 3, running: 1, exited: 1}, idRange: '100000+65536'}),
};
`;

let folder: string | undefined;

/** The path for KEELBOX_NATIVE. */
export function stubAddon(): string {
  folder ??= realpathSync(mkdtempSync(path.join(os.tmpdir(), 'keelbox-stub-')));
  const file = path.join(folder, 'stub.cjs');
  writeFileSync(file, source);
  return file;
}

test.after.always('removes the stub', () => {
  if (folder !== undefined) rmSync(folder, {recursive: true, force: true});
});
