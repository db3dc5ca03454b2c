/** `keelbox ARGS` in surroundings of the test's own: another kernel, other mounts, another engine's container. */
import {spawn} from 'node:child_process';
import {text} from 'node:stream/consumers';
import {type CallOptions, type Command, command, type Result, testUser} from './cli';
import {patience} from './lane';
import oldKernel from './old-kernel.py';

/** Runs any command to its end; one that takes too long is killed. */
export async function finish(
  file: string,
  args: string[],
  options: Partial<Command['options']> & {timeout?: number} = {},
): Promise<Result> {
  const child = spawn(file, args, {timeout: patience(60_000), ...options, stdio: ['ignore', 'pipe', 'pipe']});
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  const [exitCode, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((done, reject) => {
    child.on('error', reject);
    child.on('close', (...end) => done(end));
  });
  return {exitCode, signal, stdout: await stdout, stderr: await stderr, bytes: Buffer.alloc(0)};
}

/** Runs `sh -c SCRIPT` in a private mount namespace of root's, where `"$@"` is `keelbox ARGS`, and `$AS` in front makes it `who`'s. */
export function prepared(script: string, args: string[], who: CallOptions = {}): Promise<Result> {
  const {file, args: all, options} = command(args, who);
  const drop = who.asUser ? `setpriv --reuid ${testUser().uid} --regid ${testUser().gid} --clear-groups` : '';
  const words = ['-m', 'sh', '-c', script, 'sh', file, ...all];
  const {timeout = patience(60_000)} = who;
  return finish('unshare', words, {cwd: '/', env: {...options.env, AS: drop}, timeout});
}

/** How `keelbox ARGS` is started on what looks like Linux 5.10. The filter is root's, so it must not drop rights first. */
export function commandOnOldKernel(args: string[], who: CallOptions = {}): Command {
  const {file, args: all, options} = command(args, who);
  const {uid, gid, ...rest} = options;
  const user: Record<string, string> =
    uid === undefined ? {} : {OLD_KERNEL_UID: String(uid), OLD_KERNEL_GID: String(gid)};
  return {file: 'python3', args: ['-c', oldKernel, file, ...all], options: {...rest, env: {...rest.env, ...user}}};
}

/** The same, to its end. */
export function onOldKernel(args: string[], options: CallOptions = {}): Promise<Result> {
  const {file, args: all, options: spawning} = commandOnOldKernel(args, options);
  return finish(file, all, spawning);
}
