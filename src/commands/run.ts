import {engine} from '../engine';
import {KeelboxError} from '../errors/keelbox-error';
import type {ClientOptions, RunRequest} from '../native';
import {writeErr, writeOut} from '../output/write';
import {printCreated, printNotices, replace} from './container/made';
import {defineCommand, type OptionValues} from './definition';
import {laterRunOptions} from './run/later-options';
import {readClient} from './run/life';
import {planText, stepLine} from './run/narrate';
import {runOptions} from './run/options';
import {buildRequest} from './run/request';

export const runCommand = defineCommand({
  path: ['run'],
  aliases: [['container', 'run']],
  summary: 'Create a container and run a command in it',
  description:
    'Flags come before IMAGE; everything after it is the command and goes to the container as it is. The image "host" needs no download: it is this machine’s programs, without its users’ files and its secrets, on a writable layer of its own.',
  examples: [
    {command: 'keelbox run --rm -it host', text: 'a shell on a throw-away copy of this machine'},
    {
      command: 'keelbox run --rm -v .:/w -w /w host -- make test',
      text: 'a build that sees this directory and nothing else of yours',
    },
    {
      command: 'keelbox run --rm --rootfs ./debian:O -- apt-get update',
      text: 'a directory tree as the root, left unchanged',
    },
    {
      command: "keelbox run --rm --from-binary sh --from-binary ps -- sh -c 'ps'",
      text: 'these two programs and the libraries they need, and nothing else',
    },
    {
      command: 'keelbox run -d --name web --restart always busybox httpd -f -p 8080',
      text: 'a service that stays: keelbox logs -f web, keelbox stop web',
    },
    {command: 'keelbox run --dry-run host -- true', text: 'every kernel call it would make, and why'},
  ],
  positionals: {usage: 'IMAGE [COMMAND] [ARG...]', min: 0, max: Number.POSITIVE_INFINITY},
  guestArguments: true,
  options: runOptions,
  later: laterRunOptions,
  execute(options, context) {
    const format = options['dry-run'];
    const isDetached = options.detach === true;
    checkDetached(options);
    const client = readClient(options);
    const request = buildRequest(options, context, !isDetached && format === undefined);
    if (format !== undefined) return printPlan(request, format);
    if (options.replace === true) replace(options.name);
    if (isDetached)
      return printCreated(engine().act({verb: 'run', request: detached(request)}), options.quiet === true);
    return start(options.explain === true ? {...request, explain: true} : request, options, client);
  },
});

type Options = OptionValues<typeof runOptions>;

/** Docker's refusals, and ours of what nobody would see. */
function checkDetached(options: Options): void {
  if (options.detach !== true) return;
  const other = options.attach.length > 0 ? '--attach' : options.explain === true ? '--explain' : undefined;
  if (other === undefined) return;
  throw new KeelboxError('ERR_KEELBOX_USAGE', `conflicting options: cannot specify both ${other} and --detach`, {
    hint: 'leave one of them out; keelbox attach connects to a container that runs',
  });
}

function detached(request: RunRequest): RunRequest {
  return {...request, life: {...request.life, detach: true}};
}

function printPlan(request: RunRequest, format: string): number {
  const plan = engine().plan(request);
  writeOut(format === 'json' ? `${JSON.stringify(plan, null, 2)}\n` : planText(plan, subjectOf(request)));
  return 0;
}

function subjectOf({root}: RunRequest): string {
  if (root.type === 'image') return root.name;
  if (root.type === 'rootfs') return `--rootfs ${root.path}`;
  return root.programs.map(program => `--from-binary ${program}`).join(' ');
}

function start(request: RunRequest, options: Options, client: ClientOptions): number {
  const native = engine();
  const started = request.explain ? native.prepare(request, step => writeErr(stepLine(step))) : native.prepare(request);
  if (options.quiet !== true) printNotices(started);
  return native.attach(started.handle, client);
}
