/** Docker's grammar, case by case: the table of `cli.md`, over the options of `run` itself. */
import {parse} from '../src/cli/parser';
import {laterRunOptions} from '../src/commands/run/later-options';
import {runOptions} from '../src/commands/run/options';
import {lane} from './helpers/lane';

const test = lane({host: true});

const run = {path: ['run'], options: runOptions, later: laterRunOptions, guestArguments: true};
const rm = {path: ['rm'], options: {force: {kind: 'boolean', short: 'f', group: '', help: ''}}} as const;
const counting = {path: ['x'], options: {verbose: {kind: 'count', short: 'V', group: '', help: ''}}} as const;

/** Only what was given: absent options and empty lists say nothing. */
function given(words: string[], grammar: Parameters<typeof parse>[0] = run): Record<string, unknown> {
  const {options, positionals, later, help} = parse(grammar, words);
  const set = Object.entries(options).filter(
    ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
  );
  return {...Object.fromEntries(set), words: positionals, ...(later.length > 0 && {later}), ...(help && {help})};
}

const accepted: [line: string, expected: Record<string, unknown>][] = [
  // Clusters: the first letter that takes a value eats the rest, or the next word.
  ['-it host', {interactive: true, tty: true, words: ['host']}],
  ['-itv a:b host', {interactive: true, tty: true, volume: ['a:b'], words: ['host']}],
  ['-itva:b host', {interactive: true, tty: true, volume: ['a:b'], words: ['host']}],
  ['-itm 1g host', {interactive: true, tty: true, words: ['host'], later: ['-m']}],
  ['-dp 80:80 host', {detach: true, words: ['host'], later: ['-p']}],
  ['-Pdit host', {detach: true, interactive: true, tty: true, words: ['host'], later: ['-P']}],
  // A value attached to the letter, one "=" stripped.
  ['-eX=1 host', {env: ['X=1'], words: ['host']}],
  ['-e=X host', {env: ['X'], words: ['host']}],
  ['-e=X=1 host', {env: ['X=1'], words: ['host']}],
  ['-u0 host', {user: '0', words: ['host']}],
  ['-u=0:0 host', {user: '0:0', words: ['host']}],
  ['-p8080:80 -m64m host', {words: ['host'], later: ['-p', '-m']}],
  ['-w/tmp host', {workdir: '/tmp', words: ['host']}],
  // An option that needs a value takes the next word whatever it is.
  ['-u -1 host', {user: '-1', words: ['host']}],
  ['--env -x host', {env: ['-x'], words: ['host']}],
  ['--env --rm host', {env: ['--rm'], words: ['host']}],
  ['-e -- host', {env: ['--'], words: ['host']}],
  ['--memory-swap -1 host', {words: ['host'], later: ['--memory-swap']}],
  // Go's booleans.
  ['--rm=false host', {rm: false, words: ['host']}],
  ['--rm=0 --init=T --tty=TRUE -q=f host', {rm: false, init: true, tty: true, quiet: false, words: ['host']}],
  ['--rm --rm=false host', {rm: false, words: ['host']}],
  ['-it=true host', {interactive: true, tty: true, words: ['host']}],
  ['-it=false host', {interactive: true, tty: false, words: ['host']}],
  // A boolean does not take the next word.
  ['--rm true', {rm: true, words: ['true']}],
  // Any listed name, digits too; both forms.
  ['--ip6=::1 host', {words: ['host'], later: ['--ip6']}],
  ['--pull always host', {words: ['host'], later: ['--pull']}],
  ['--pull=always host', {words: ['host'], later: ['--pull']}],
  ['--net none host', {network: 'none', words: ['host']}],
  ['--network=none --net=host host', {network: 'host', words: ['host']}],
  ['--allow-new-privs host', {'allow-new-privileges': true, words: ['host']}],
  ['--entrypoint= host', {entrypoint: '', words: ['host']}],
  // An optional value only after "=".
  ['--dry-run host', {'dry-run': 'text', words: ['host']}],
  ['--dry-run=json host', {'dry-run': 'json', words: ['host']}],
  ['--dry-run json', {'dry-run': 'text', words: ['json']}],
  // Everything after the first bare word is the guest's.
  ['alpine ls -la', {words: ['alpine', 'ls', '-la']}],
  ['alpine --help', {words: ['alpine', '--help']}],
  ['alpine --rm -e X', {words: ['alpine', '--rm', '-e', 'X']}],
  ['-- alpine ls', {words: ['alpine', 'ls']}],
  ['-i -- -alpine ls', {interactive: true, words: ['-alpine', 'ls']}],
  ['alpine -- ls', {words: ['alpine', '--', 'ls']}],
  ['-- alpine -- ls', {words: ['alpine', '--', 'ls']}],
  ['- ls', {words: ['-', 'ls']}],
  // -h is the host name's.
  ['-h web host', {hostname: 'web', words: ['host']}],
  ['-hweb host', {hostname: 'web', words: ['host']}],
  ['--help', {words: [], help: true}],
  ['--rm --help --nonsense', {rm: true, words: [], help: true}],
  // Lists keep their order, single values the last.
  ['-e A=1 --env B=2 -eA=3 host', {env: ['A=1', 'B=2', 'A=3'], words: ['host']}],
  ['-w /a -w /b host', {workdir: '/b', words: ['host']}],
];

for (const [line, expected] of accepted) {
  test(`run ${line}`, t => {
    t.deepEqual(given(line.split(' ')), expected);
  });
}

test('a value may be empty, hold spaces, line breaks and "="', t => {
  t.deepEqual(given(['--env', '', '-e', 'A=b c\nd=e', '--tmpfs=/a b', 'host']).env, ['', 'A=b c\nd=e']);
  t.deepEqual(given(['', 'x']).words, ['', 'x']);
});

test('a verb without a guest takes flags after its words, until "--"', t => {
  t.deepEqual(given(['a', '-f', 'b'], rm), {force: true, words: ['a', 'b']});
  t.deepEqual(given(['a', '--', '-f', 'b'], rm), {words: ['a', '-f', 'b']});
  t.deepEqual(given(['a', '-h'], rm), {words: ['a'], help: true});
});

test('a count counts', t => {
  t.is(given(['-VV', '--verbose', '-V'], counting).verbose, 4);
  t.is(given([], counting).verbose, 0);
});

const refused: [line: string, code: string, message: RegExp, more?: RegExp][] = [
  ['--no-rm host', 'USAGE', /unknown flag --no-rm for keelbox run/],
  ['--nmae x host', 'USAGE', /unknown flag --nmae/, /did you mean --name\?/],
  ['--detatch host', 'USAGE', /unknown flag --detatch/, /did you mean --detach\?/],
  ['--zzzzzzzz host', 'USAGE', /unknown flag --zzzzzzzz/, /keelbox run --help lists the flags/],
  ['-iz host', 'USAGE', /unknown flag -z in -iz/],
  ['-Z host', 'USAGE', /unknown flag -Z for/],
  ['--=x host', 'USAGE', /bad flag "--=x"/],
  ['--name', 'USAGE', /--name needs a value/, /write --name NAME/],
  ['-ite', 'USAGE', /-e needs a value/],
  ['-h', 'USAGE', /-h needs a value/, /the help page is keelbox run --help/],
  ['--rm=yes host', 'INVALID_ARG', /invalid value "yes" for --rm/, /true or false/],
  ['--rm= host', 'INVALID_ARG', /invalid value "" for --rm/],
  ['-t=maybe host', 'INVALID_ARG', /invalid value "maybe" for -t/],
  ['--dry-run=yaml host', 'INVALID_ARG', /invalid value "yaml" for --dry-run/, /one of text, json/],
  ['--name= host', 'INVALID_ARG', /invalid value "" for --name/],
  ['--name a/b host', 'INVALID_ARG', /invalid value "a\/b" for --name/],
  ['-w tmp host', 'INVALID_ARG', /invalid value "tmp" for -w/, /absolute path/],
  ['-h a..b/ host', 'INVALID_ARG', /invalid value "a..b\/" for -h/],
  ['-u a:b:c host', 'INVALID_ARG', /invalid value "a:b:c" for -u/],
];

for (const [line, code, message, more = /(?:)/] of refused) {
  test(`refuses run ${line}`, t => {
    const error = t.throws(() => parse(run, line.split(' ')), {message, code: `ERR_KEELBOX_${code}`});
    const {why = '', hint = ''} = error as unknown as {why?: string; hint?: string};
    t.regex(`${why} ${hint}`, more);
  });
}

test('refuses an unknown short flag of a verb that has no -h by its name', t => {
  t.throws(() => parse(rm, ['-x']), {message: 'unknown flag -x for keelbox rm'});
});

/** The flags of the table in `cli.md`, and what else docker 28's and podman 5's `run --help` list. */
const everyFlag = `
  add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-conf cgroup-parent cgroupns cidfile
  cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems detach
  detach-keys device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops
  disable-content-trust dns dns-opt dns-option dns-search domainname egress entrypoint env env-file env-host expose
  from-binary gidmap gpus group-add health-cmd health-interval health-retries health-start-interval
  health-start-period health-timeout help hostname init interactive io-max io-maxbandwidth io-maxiops ip ip6 ipc isolation
  kernel-memory label label-file landlock link link-local-ip log-driver log-opt mac-address memory memory-high
  memory-reservation memory-swap memory-swappiness mount name network network-alias no-healthcheck oom-kill-disable
  oom-score-adj pid pidfile pids-limit platform preserve-fds privileged publish publish-all pull quiet read-only replace
  restart rm rootfs runtime sched secret security-opt shm-size sig-proxy stop-signal stop-timeout storage-opt sysctl systemd
  time-offset timeout tmpfs tty tz uidmap ulimit umask user userns uts volume volume-driver volumes-from workdir`;

test('knows every flag of run that docker and podman have', t => {
  const long = everyFlag
    .trim()
    .split(/\s+/)
    .map(name => `--${name}=1`);
  const short = [...'acdehilmpPqtuvw'].map(letter => `-${letter}`);
  for (const flag of [...long, ...short]) {
    try {
      parse(run, [flag, '1']);
    } catch (error) {
      // The value may be wrong for the flag; the flag must be known.
      t.is((error as {code?: string}).code, 'ERR_KEELBOX_INVALID_ARG', flag);
    }
  }
  t.pass();
});
