/** `ps`: docker's words for every state, filters, order, sizes, and our own JSON. */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import ava, {type ExecutionContext} from 'ava';
import {lane} from './helpers/lane';
import {answered, refusedStub, stubCommand} from './helpers/stubbed';

const test = lane({host: true});
const folder = mkdtempSync(path.join(os.tmpdir(), 'keelbox-ps-'));
ava.after.always(() => rmSync(folder, {recursive: true, force: true}));

const minute = 60_000;

/** Containers in every state there is, created in this order, beside the stub's own. */
function states(now: number): Record<string, unknown>[] {
  const id = (digit: number) => `${digit}`.repeat(64);
  const started = {startedAt: now - 3 * minute - 1000, createdAt: now - 400 * minute};
  return [
    {id: id(1), name: 'frozen', status: 'paused', ...started},
    {id: id(2), name: 'sick', status: 'running', health: 'unhealthy', ...started},
    {id: id(3), name: 'well', status: 'running', health: 'healthy', ...started, image: 'alpine:3.22'},
    {id: id(4), name: 'new', status: 'running', health: 'starting', ...started, imageId: `sha256:${'9'.repeat(64)}`},
    {id: id(5), name: 'again', status: 'restarting', exitCode: 1, finishedAt: now - 5100, ...started},
    {id: id(6), name: 'torn', status: 'broken', error: 'config.json: \u001b[2Jno JSON', image: '', command: []},
  ];
}

function environment(more: Record<string, unknown>[] = []): Record<string, string> {
  const now = Date.now();
  return {STUB_NOW: String(now), STUB_MORE: JSON.stringify([...states(now), ...more])};
}

const names = (t: ExecutionContext, line: string) =>
  answered(t, [...line.split(' '), '--format', '{{.Names}}'], environment())
    .trim()
    .split('\n')
    .filter(Boolean);

test("each state has docker's words", t => {
  const text = answered(t, ['ps', '-a', '--format', '{{.Names}}: {{.Status}}'], environment());
  t.deepEqual(text.trim().split('\n').sort(), [
    'again: Restarting (1) 5 seconds ago',
    'frozen: Up 3 minutes (Paused)',
    'host-heron: Exited (7) 2 hours ago',
    'host-otter: Up 3 minutes',
    'host-wren: Created',
    'new: Up 3 minutes (health: starting)',
    'sick: Up 3 minutes (unhealthy)',
    'torn: Broken: config.json:  [2Jno JSON',
    'well: Up 3 minutes (healthy)',
  ]);
});

test('what runs, and what will again by itself, is listed without -a', t => {
  t.deepEqual(names(t, 'ps --sort names'), ['again', 'frozen', 'host-otter', 'new', 'sick', 'well']);
});

const filtered: [filters: string, expected: string[]][] = [
  ['status=paused', ['frozen']],
  ['status=dead', ['torn']],
  ['status=exited --filter status=created', ['host-heron', 'host-wren']],
  ['exited=7', ['host-heron']],
  ['health=healthy', ['well']],
  ['health=none --filter status=running', ['host-otter']],
  ['name=^host-o', ['host-otter']],
  ['name=/host-otter$', ['host-otter']],
  ['name=ell', ['well']],
  ['name=[', []],
  ['id=333', ['well']],
  ['label=tier', []],
  ['ancestor=alpine', ['well']],
  ['ancestor=999999999999', ['new']],
  ['ancestor=sha256:9999999', ['new']],
  ['since=well --filter status=running', ['host-otter']],
  ['before=host-heron --filter status=created', ['host-wren']],
  ['name!=o --filter status=running', ['sick', 'well', 'new'].sort()],
];

for (const [filters, expected] of filtered) {
  test(`ps --filter ${filters}`, t => {
    t.deepEqual(names(t, `ps --sort names --filter ${filters}`), expected);
  });
}

test('a volume is found by its name and by either end', t => {
  const mounts = [
    {type: 'volume', name: 'data', source: '/v/data', destination: '/srv', mode: 'z', rw: true, propagation: ''},
  ];
  const more = environment([{id: '7'.repeat(64), name: 'keeper', status: 'running', startedAt: 1, mounts}]);
  for (const value of ['data', '/v/data', '/srv'])
    t.is(answered(t, ['ps', '-q', '--filter', `volume=${value}`], more), `${'7'.repeat(12)}\n`);
  t.is(answered(t, ['ps', '-q', '--filter', 'volume=other'], more), '');
});

test('filters that cannot be are refused', t => {
  refusedStub(t, 'ps --filter status=well', /expected one of created, running/);
  refusedStub(t, 'ps --filter health=fine', /expected one of starting/);
  refusedStub(t, 'ps -a --filter since=nobody', /there is no container nobody/);
  refusedStub(t, 'ps --sort colour', /expected one of created, runningfor, command/);
});

test('the order is what --sort says, newest first of two alike', t => {
  t.deepEqual(names(t, 'ps -a --sort names').slice(0, 3), ['again', 'frozen', 'host-heron']);
  t.deepEqual(names(t, 'ps -a --sort id').slice(0, 3), ['frozen', 'sick', 'well']);
  t.deepEqual(names(t, 'ps -a')[0], 'host-otter');
  t.is(names(t, 'ps -a --sort status')[0], 'torn');
});

test('-s counts what a container has written, a file with two names once', t => {
  const upper = path.join(folder, 'upper');
  mkdirSync(path.join(upper, 'etc'), {recursive: true});
  writeFileSync(path.join(upper, 'etc/a'), Buffer.alloc(1500));
  writeFileSync(path.join(upper, 'b'), Buffer.alloc(500));
  linkSync(path.join(upper, 'b'), path.join(upper, 'c'));
  const paths = {data: '/d', state: '/s', upper};
  const more = environment([
    {id: '8'.repeat(64), name: 'writer', status: 'running', startedAt: 1, createdAt: 1, paths},
  ]);
  const table = answered(t, ['ps', '-s', '--filter', 'name=writer'], more);
  t.regex(table, /^CONTAINER ID .* NAMES +SIZE\n8{12} .*writer +2kB \(virtual 2kB\)\n$/);
  t.is(answered(t, ['ps', '--filter', 'name=writer', '--format', '{{.Size}}'], more), '2kB (virtual 2kB)\n');
  t.is(answered(t, ['ps', '-aq', '--sort', 'size'], more).trim().split('\n').at(-1), '8'.repeat(12));
});

test('our own JSON says what is known, and null where nothing is', t => {
  const all = JSON.parse(answered(t, 'ps -a --json', environment())) as Record<string, unknown>[];
  const of = (name: string) => all.find(each => each.name === name);
  t.like(of('sick'), {status: 'running', health: 'unhealthy', restartCount: 0, exitCode: null, error: null});
  t.like(of('torn'), {status: 'broken', error: 'config.json: \u001b[2Jno JSON', startedAt: null});
  t.like(of('host-heron'), {status: 'exited', exitCode: 7, labels: {tier: 'front', 'org.x/y': 'a=b'}, health: null});
});

test('-w lists again and again, until nobody reads', async t => {
  const {file, args, options} = stubCommand(['ps', '-w', '0.05', '--format', '{{.Names}}'], environment());
  const child = spawn(file, args, {...options, stdio: ['ignore', 'pipe', 'inherit']});
  const closed = once(child, 'close');
  let text = '';
  for await (const chunk of child.stdout) {
    text += chunk;
    if (text.split('host-otter\n').length > 3) break;
  }
  t.false(text.includes('\u001b'), 'a pipe is no screen');
  t.deepEqual(await closed, [0, null]);
  for (const seconds of ['0', '-1', 'soon', '.']) refusedStub(t, ['ps', '-w', seconds], /expected a number above 0/);
});
