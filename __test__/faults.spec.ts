/** What `npm run faults` does many times, done once, where that is quick. */
import {spawnSync} from 'node:child_process';
import {mkdtempSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {keelbox, specFolder} from './helpers/cli';
import {lane, patience} from './helpers/lane';

const test = lane({host: true});

/** Runs the executable with one of the supervisor's system calls failing once; a script stands in for it. */
function failing(call: string): string {
  const wrapper = path.join(mkdtempSync(path.join(specFolder(), 'strace-')), 'keelbox-runtime');
  const executable = path.join(specFolder(), 'dist/native/keelbox-runtime');
  const strace = `strace -f -qqq -o /dev/null -e inject=${call} '${executable}' "$@"`;
  writeFileSync(wrapper, `#!/bin/sh\n[ "$1" != supervise ] || exec ${strace}\nexec '${executable}' "$@"\n`, {
    mode: 0o755,
  });
  return wrapper;
}

test.needing('strace').asRoot('an exit status is not lost when the first question for it fails', async t => {
  const env = {KEELBOX_RUNTIME: failing('waitid:error=ENOMEM:when=1')};
  const {exitCode, stderr} = await keelbox(['run', '--rm', 'host', '--', 'sh', '-c', 'exit 7'], {env});
  t.is(exitCode, 7, stderr);
});

test.needing('unshare').asRoot('no verb signals a process that has the number of a dead container', t => {
  t.timeout(patience(5 * 60_000));
  const script = path.resolve('scripts/faults/run.mjs');
  const result = spawnSync(process.execPath, [script, 'pid-reuse', '--rounds', '1'], {encoding: 'utf8'});
  t.is(result.status, 0, result.stdout + result.stderr);
  t.regex(result.stdout, /^ok {3}pid-reuse: rounds 16, numbers used again (3[0-2]|[12]\d), .*strangers harmed 0/);
});
