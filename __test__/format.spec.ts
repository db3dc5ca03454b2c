/** `--format` and `--filter`: the template language by itself, and through `ps` as built, with an addon that only lists. */
import {spawnSync} from 'node:child_process';
import {stripVTControlCharacters} from 'node:util';
import type {KeelboxError} from '../src/errors/keelbox-error';
import {readFilters} from '../src/output/filters';
import {hasLabel} from '../src/output/labels';
import {humanSize} from '../src/output/size';
import {formatEach, formatRows} from '../src/output/template';
import {ago} from '../src/output/time';
import {keelbox} from './helpers/cli';
import {lane} from './helpers/lane';
import {stubAddon} from './helpers/stub-addon';

const test = lane({host: true});
const real = lane({host: true, guest: true, rootless: true});

const inspected = {
  ID: 'sha256:0123456789abcdef',
  Names: ['web', 'www'],
  State: {Running: true, ExitCode: 0, Pid: 42, Ratio: 0.5, Health: null},
  Config: {Labels: {tier: 'front', 'a.b/c': 'x y'}, Env: ['A=1', 'B=two words'], Cmd: []},
  Mounts: [
    {Source: '/a', Destination: '/b'},
    {Source: '/c', Destination: '/d'},
  ],
};

/** As Go's text/template and docker's functions answer. */
const rendered: [template: string, expected: string][] = [
  ['plain', 'plain'],
  ['', ''],
  ['a\\tb\\nc', 'a\tb\nc'],
  ['{{.ID}}', 'sha256:0123456789abcdef'],
  ['{{ .State.Pid }}/{{.State.Running}}/{{.State.Ratio}}', '42/true/0.5'],
  ['{{.Names}} {{.Config.Labels}}', '[web www] map[a.b/c:x y tier:front]'],
  ['{{.State}}', 'map[ExitCode:0 Health:<nil> Pid:42 Ratio:0.5 Running:true]'],
  ['{{.State.Health}}', '<no value>'],
  ['{{json .State}}', '{"Running":true,"ExitCode":0,"Pid":42,"Ratio":0.5,"Health":null}'],
  ['{{.Config.Env | json}}{{json .State.Health}}', '["A=1","B=two words"]null'],
  // Maps whose keys are the user's.
  ['{{index .Config.Labels "a.b/c"}}|{{index .Config.Labels "none"}}|', 'x y||'],
  ['{{.Config.Labels.tier}} {{.Config.Labels.none}}', 'front <no value>'],
  ['{{index .Mounts 1 "Source"}} {{(index .Mounts 0).Destination}}', '/c /b'],
  // Functions.
  ['{{join .Names ", "}}|{{.Names | join ","}}', 'web, www|web,www'],
  ['{{split .ID ":"}} {{index (split .ID ":") 0}}', '[sha256 0123456789abcdef] sha256'],
  ['{{upper "aé"}} {{lower "ÀB"}} {{title "two words"}}', 'AÉ àb Two Words'],
  ['{{truncate .ID 9}} {{.ID | truncate 3}} {{truncate "ab" 5}}', 'sha256:01 sha ab'],
  ['[{{pad "x" 1 2}}{{pad "" 1 2}}]', '[ x  ]'],
  ['{{println .State.Pid "a"}}{{print 1 "x"}}', '42 a\n1x'],
  ['{{printf "%s|%d|%v|%q|%t|%%" "a" 7 .Names "b\\"c" true}}', 'a|7|[web www]|"b\\"c"|true|%'],
  ['{{printf "%-5s|%5s|%05d|%.2f|%+d|%.2s|%x" "a" "b" 42 3.14159 7 "xyz" 255}}', 'a    |    b|00042|3.14|+7|xy|ff'],
  ['{{len .Names}} {{len .ID}} {{len .Config.Labels}} {{slice "abcdef" 1 3}} {{slice .Names 1}}', '2 23 2 bc [www]'],
  // Conditions and comparisons.
  ['{{if .State.Running}}up{{else}}down{{end}}', 'up'],
  ['{{if .State.ExitCode}}a{{else if .Config.Cmd}}b{{else if .Names}}c{{else}}d{{end}}', 'c'],
  ['{{if not .State.Health}}none{{end}}', 'none'],
  [
    '{{eq .State.Pid 42}} {{eq "a" "b" "a"}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt "b" "a"}} {{ge 1 2}}',
    'true true true true true true false',
  ],
  ['{{eq .State.Health nil}}{{ne .ID nil}}', 'truetrue'],
  ['{{if and .State.Running (eq .State.ExitCode 0)}}fine{{end}}{{or .State.ExitCode "zero"}}', 'finezero'],
  ['{{or .Names .Nope}}{{and "" .Nope}}', '[web www]'],
  // range, with, variables.
  ['{{range .Names}}<{{.}}>{{end}}', '<web><www>'],
  ['{{range $i, $name := .Names}}{{if $i}}, {{end}}{{$i}}={{$name}}{{end}}', '0=web, 1=www'],
  ['{{range $key, $value := .Config.Labels}}{{$key}}:{{$value}};{{end}}', 'a.b/c:x y;tier:front;'],
  ['{{range $m := .Mounts}}{{$m.Source}} {{$.State.Pid}} {{end}}', '/a 42 /c 42 '],
  ['{{range .Config.Cmd}}x{{else}}empty{{end}}{{range .State.Health}}x{{end}}', 'empty'],
  ['{{with .State}}{{.Pid}}{{end}}{{with .State.Health}}x{{else with .ID}}{{.}}{{end}}', '42sha256:0123456789abcdef'],
  ['{{$x := 1}}{{if true}}{{$x = 2}}{{$y := 3}}{{$y}}{{end}}{{$x}}', '32'],
  ['{{with $x := .State.Pid}}{{$x}}{{end}}{{if $y := .ID}}{{len $y}}{{end}}', '4223'],
  // Spaces, comments, literals.
  ['a  {{- /* nothing */ -}}  b', 'ab'],
  ['a {{- .State.Pid -}} \n b{{/* x */}}c', 'a42bc'],
  [
    '{{"a}}b"}}{{`c\\n"`}}{{"\\u0041\\t"}}{{-1}} {{0x10}} {{1e3}} {{.5}} {{nil}}',
    'a}}bc\\n"A\t-1 16 1000 0.5 <no value>',
  ],
  ['{{ (printf "%d" (len .Names)) | printf "%s%s" "n" }}', 'n2'],
];

for (const [template, expected] of rendered) {
  test(`renders ${JSON.stringify(template)}`, t => {
    t.is(formatEach(template, [inspected]), `${expected}\n`);
  });
}

/** Message, and the place: what the caret points to. */
const refused: [template: string, message: RegExp, place: string][] = [
  ['{{.Nope}}', /unknown field \.Nope$/, '.Nope'],
  ['{{.State.Nope}}', /unknown field \.State\.Nope$/, '.Nope'],
  ['x {{.State.Health.Status}}', /\.Health is empty and has no field \.Status/, '.Status'],
  ['{{.Names.First}}', /a list has no field \.First/, '.First'],
  ['{{.ID.X}}', /"sha256:[0-9a-f]+" has no field \.X/, '.X'],
  ['{{nope .ID}}', /unknown function nope/, 'nope'],
  ['ab {{.ID', /this \{\{ has no \}\}/, '{{.ID'],
  ['{{}}', /nothing stands between/, '{{}}'],
  ['{{if .ID}}x', /this \{\{if\}\} has no \{\{end\}\}/, '{{if'],
  ['x{{end}}', /\{\{end\}\} without/, '{{end}}'],
  ['{{if .ID}}{{else}}{{else}}{{end}}', /a second \{\{else\}\}/, '{{else}}{{end}}'],
  ['{{if .ID}}{{else range .X}}{{end}}', /expected \{\{else\}\} or \{\{else if/, '{{else range'],
  ['{{.ID | .State}}', /\.State is no method/, '.State'],
  ['{{.ID | 3}}', /only a function can follow/, '3'],
  ['{{.ID .Names}}', /\.ID is no method/, '.ID'],
  ['{{"a" "b"}}', /this is no function/, '"a"'],
  ['{{(.ID}}', /this parenthesis is not closed/, '(.ID'],
  ['{{.ID)}}', /unexpected "\)"/, ')}}'],
  ['{{$x}}', /undefined variable \$x/, '$x'],
  ['{{if true}}{{$x := 1}}{{end}}{{$x}}', /undefined variable \$x/, '$x}}'],
  ['{{$x = 1}}', /undefined variable \$x/, '$x'],
  ['{{printf "%s"}}', /printf has no value for %s/, 'printf'],
  ['{{printf "x" 1}}', /printf has more values \(1\) than verbs \(0\)/, 'printf'],
  ['{{printf "%y" 1}}', /printf does not know %y/, 'printf'],
  ['{{printf "%d" "a"}}', /%d needs a whole number/, 'printf'],
  ['{{index .Names 2}}', /there is no index 2 in a list of 2/, 'index'],
  ['{{lt .ID 3}}', /lt cannot compare the string "sha256/, 'lt'],
  ['{{upper .Names}}', /upper wants text, not \[web www\]/, 'upper'],
  ['{{join .ID ","}}', /join wants a list/, 'join'],
  ['{{range .State.Pid}}{{end}}', /range cannot go over 42/, '.State'],
  ['{{"abc}}', /this quote is not closed/, '"abc'],
  ["{{'a'}}", /unexpected "'"/, "'a'"],
  ['{{"\\q"}}', /unknown escape \\q/, '"\\q"'],
  ['{{define "x"}}{{end}}', /\{\{define\}\} is not among/, '{{define'],
  ['first\n  {{ .Nope }}', /unknown field \.Nope/, '.Nope }}'],
  ['{{.constructor}}', /unknown field \.constructor/, '.constructor'],
  ['{{constructor}}', /unknown function constructor/, 'constructor'],
];

for (const [template, message, place] of refused) {
  test(`refuses ${JSON.stringify(template)}, and points at it`, t => {
    const error = t.throws<KeelboxError>(() => formatEach(template, [inspected]));
    t.is(error.code, 'ERR_KEELBOX_INVALID_ARG');
    t.regex(error.message, message);
    const [line = '', caret = ''] = (error.why ?? '').split('\n');
    t.true(line.slice(caret.indexOf('^')).startsWith(place), error.why);
    t.regex(caret, new RegExp(`character ${template.lastIndexOf(place) + 1}$`));
  });
}

test('an error in a long template shows the part that is wrong', t => {
  const template = `${'x'.repeat(500)}{{.Nope}}${'y'.repeat(500)}`;
  const {why = ''} = t.throws<KeelboxError>(() => formatEach(template, [inspected]));
  const [line = '', caret = ''] = why.split('\n');
  t.true(line.length <= 120);
  t.true(line.slice(caret.indexOf('^')).startsWith('.Nope'));
});

const rows = [
  {
    ID: 'aaaa',
    RunningFor: '3 minutes ago',
    Labels: 'a=1',
    Label: (key: string) => (key === 'a' ? '1' : ''),
    Tags: ['x'],
  },
  {ID: 'b', RunningFor: '2 hours ago', Labels: '', Label: () => '', Tags: []},
];
const headings = {ID: 'CONTAINER ID', RunningFor: 'CREATED'};
const table = (format: string) => formatRows(format, rows, headings, '{{.ID}}\\t{{.RunningFor}}');

test('tables have the headings of their fields, and aligned columns', t => {
  const whole = 'CONTAINER ID   CREATED\naaaa           3 minutes ago\nb              2 hours ago\n';
  t.is(table('table'), whole);
  t.is(table('table {{.ID}}\\t{{.RunningFor}}'), whole);
  t.is(table('table {{.ID}}\t{{.RunningFor}}'), whole);
  t.is(table('table {{upper .ID}}\\t{{.Label "a"}}'), 'CONTAINER ID   a\nAAAA           1\nB\n');
  t.is(table('table{{.ID}}'), 'CONTAINER ID\naaaa\nb\n');
  t.is(table('table {{.RunningFor}}: {{json .Labels}}').split('\n')[0], 'CREATED: LABELS');
  t.is(
    table('table {{if eq .Labels ""}}none{{else}}{{.Labels}}{{end}}\\t{{len .Labels}}').split('\n')[2],
    'none      0',
  );
  t.is(table('table {{range .Tags}}{{.}}{{end}}'), 'TAGS\nx\n\n');
  t.is(table('table {{printf "%s!" (truncate .ID 2)}}'), 'CONTAINER ID!\naa!\nb!\n');
});

test('json is one object for each line, without the methods', t => {
  t.is(table('json').split('\n')[1], '{"ID":"b","RunningFor":"2 hours ago","Labels":"","Tags":[]}');
  t.is(table('{{json .}}'), table('json'));
  t.is(formatRows('table {{.ID}}', [], headings, ''), 'CONTAINER ID\n');
  t.is(formatRows('{{.ID}}', [], headings, ''), '');
});

test('filters: one of the values of a key, and every key', t => {
  const table = {
    name: {matches: (item: string, value: string) => item.includes(value)},
    kind: {matches: (item: string, value: string) => item.startsWith(value), values: ['a', 'b']},
    label: {matches: (item: string, value: string) => item.endsWith(value), needsAll: true},
  };
  const kept = (...words: string[]) => ['a1', 'a2', 'b1'].filter(readFilters(table, words));
  t.deepEqual(kept(), ['a1', 'a2', 'b1']);
  t.deepEqual(kept('name=1'), ['a1', 'b1']);
  t.deepEqual(kept('name=2', 'name=b'), ['a2', 'b1']);
  t.deepEqual(kept('name=1', 'kind=a'), ['a1']);
  t.deepEqual(kept('label=1', 'label=b1'), ['b1']);
  t.deepEqual(kept('name!=1'), ['a2']);
  t.deepEqual(kept(' NAME = 1 '), ['a1', 'b1']);
  t.deepEqual(kept('name='), ['a1', 'a2', 'b1']);
  const refusal = (word: string) => t.throws<KeelboxError>(() => kept(word));
  t.like(refusal('nope=1'), {message: 'unknown filter "nope"', why: 'the keys are kind, label, name'});
  t.like(refusal('toString=1'), {message: 'unknown filter "tostring"'});
  t.like(refusal('name'), {why: 'expected KEY=VALUE; the keys are kind, label, name'});
  t.like(refusal('kind=c'), {message: 'invalid value "c" for --filter kind', why: 'expected one of a, b'});
});

test('labels, sizes and times in the words of docker', t => {
  t.true(
    hasLabel({a: ''}, 'a') && hasLabel({a: 'b=c'}, 'a=b=c') && !hasLabel({a: 'b'}, 'a=') && !hasLabel({}, 'toString'),
  );
  const sizes: [number, string][] = [
    [0, '0B'],
    [999, '999B'],
    [1000, '1kB'],
    [12_345_678, '12.3MB'],
    [999_499, '999kB'],
    [999_500, '1MB'],
    [1.5e9, '1.5GB'],
    [2e15, '2PB'],
  ];
  for (const [bytes, text] of sizes) t.is(humanSize(bytes), text);
  const day = 24 * 3600 * 1000;
  t.is(ago(0, 3 * day), '3 days ago');
  t.is(ago(0, 80_000), 'About a minute ago');
  t.is(ago(5, 0), 'Less than a second ago');
});

interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Through both doors, which must answer alike. */
function ps(...words: string[]): Outcome {
  const now = String(Date.now());
  const [fast, full] = ['', 'full'].map(door => {
    const env = {PATH: process.env.PATH, KEELBOX_NATIVE: stubAddon(), STUB_NOW: now, KEELBOX_DOOR: door};
    const {status, stdout, stderr} = spawnSync(process.execPath, ['--', 'dist/cli.cjs', 'ps', ...words], {
      env,
      encoding: 'utf8',
    });
    return {status, stdout, stderr: stripVTControlCharacters(stderr)};
  });
  if (JSON.stringify(fast) !== JSON.stringify(full))
    throw new Error(`${JSON.stringify(fast)} is not ${JSON.stringify(full)}`);
  return fast as Outcome;
}

test("ps --format has docker's fields", t => {
  t.is(
    ps('--format', '{{.ID}}: {{.Image}} {{.Names}} {{.State}} {{.Status}} {{.RunningFor}}').stdout,
    'aaaaaaaaaaaa: host host-otter running Up 3 minutes 3 minutes ago\n',
  );
  t.is(
    ps('-a', '--format', 'table {{.ID}}\\t{{.Names}}').stdout,
    'CONTAINER ID   NAMES\naaaaaaaaaaaa   host-otter\nbbbbbbbbbbbb   host-heron\ncccccccccccc   host-wren\n',
  );
  t.is(ps('-a', '--format', 'table').stdout, ps('-a').stdout);
  t.is(ps('-a', '--format', '').stdout, ps('-a').stdout);
  t.is(ps('-aq', '--format', '{{.Names}}').stdout, 'host-otter\nhost-heron\nhost-wren\n');
  t.is(
    ps('-a', '--no-trunc', '--format={{.ID}} {{.Command}}').stdout.split('\n')[0],
    `${'a'.repeat(64)} "sh -c sleep 1000; echo done"`,
  );
  t.is(ps('-a', '--format', '{{.Label "tier"}}/{{.Labels}}').stdout, '/\nfront/tier=front,org.x/y=a=b\n/\n');
  t.regex(ps('-l', '--format', '{{.CreatedAt}}').stdout, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC\n$/);
  // The times differ: each call has a clock of its own.
  const shape = (format: string) => ps('-a', '--format', format).stdout.replace(/"CreatedAt":"[^"]*"/g, '');
  t.is(shape('{{json .}}'), shape('json'));
});

test('ps --filter', t => {
  const names = (...words: string[]) =>
    ps('-q', '--format', '{{.Names}}', ...words)
      .stdout.replaceAll('host-', '')
      .split('\n')
      .filter(Boolean);
  t.deepEqual(names('-a', '-f', 'id=bb'), ['heron']);
  t.deepEqual(names('-a', '-f', 'name=ter'), ['otter']);
  t.deepEqual(names('-a', '-f', 'name=otter', '-f', 'name=wren'), ['otter', 'wren']);
  // These need no -a.
  t.deepEqual(names('-f', 'status=exited'), ['heron']);
  t.deepEqual(names('-f', 'status=created', '-f', 'status=exited'), ['heron', 'wren']);
  t.deepEqual(names('-f', 'exited=7'), ['heron']);
  t.deepEqual(names('-f', 'exited=0'), []);
  t.deepEqual(names('-f', 'status=paused'), []);
  t.deepEqual(names('-a', '-f', 'ancestor=host'), ['otter', 'heron', 'wren']);
  t.deepEqual(names('-a', '-f', 'ancestor=ho'), []);
  t.deepEqual(names('-a', '-f', 'label=tier'), ['heron']);
  t.deepEqual(names('-a', '-f', 'label=tier=front', '-f', 'label=org.x/y=a=b'), ['heron']);
  t.deepEqual(names('-a', '-f', 'label=tier', '-f', 'label=none'), []);
  t.deepEqual(names('-n', '1', '-f', 'status=exited'), ['heron']);
});

test('what ps cannot do is said before anything is printed', t => {
  const field = ps('-a', '--format', '{{.ID}} {{.Nmaes}}');
  t.like(field, {status: 125, stdout: ''});
  t.regex(
    field.stderr,
    /^error: bad template for --format: unknown field \.Nmaes\n {2}why: \{\{\.ID\}\} \{\{\.Nmaes\}\}\n {17}\s*\^ here, at character 11\n {2}fix: fields: \.Command .*\.Names/,
  );
  const caret = field.stderr.split('\n');
  t.is(caret[2]?.indexOf('^'), caret[1]?.indexOf('.Nmaes'));
  t.regex(ps('--format', '{{.ID').stderr, /this \{\{ has no \}\}[\s\S]*ERR_KEELBOX_INVALID_ARG/);
  t.regex(
    ps('-f', 'colour=red').stderr,
    /unknown filter "colour"\n {2}why: the keys are ancestor, before, exited, health, id, label, name, since, status, volume\n/,
  );
  t.regex(ps('-f', 'status=asleep').stderr, /expected one of created, running, exited/);
  t.is(ps('-f', 'colour=red').status, 125);
});

real.asEach('ps lists a container of this machine by template and filter', async (t, who) => {
  const run = await keelbox(['run', '--name', 'formatted', 'host', '--', 'sh', '-c', 'exit 5'], who);
  t.is(run.exitCode, 5, run.stderr);
  const list = async (...words: string[]) => (await keelbox(['ps', ...words], who)).stdout;
  t.is(
    await list('--filter', 'exited=5', '--format', '{{.Names}} {{.State}} {{truncate .Status 10}}'),
    'formatted exited Exited (5)\n',
  );
  t.is(await list('-a', '--filter', 'name=formatted', '--filter', 'exited=4', '--format', '{{.ID}}'), '');
  t.regex(
    await list('-a', '--filter', 'ancestor=host', '--format', 'table {{.Names}}\\t{{.Image}}'),
    /^NAMES +IMAGE\n(.*\n)*formatted +host\n/,
  );
  t.is((await keelbox(['rm', 'formatted'], who)).exitCode, 0);
});
