/** `keelbox top`: a container's processes as this machine sees them. */
import {keelbox} from './helpers/cli';
import {lane} from './helpers/lane';
import {running} from './helpers/running';

const test = lane({host: true, guest: true, rootless: true});

for (const flags of [[], ['--pid', 'host']]) {
  test.asEach(`docker's columns, and what was started later: ${flags.join(' ') || 'its own pids'}`, async (t, who) => {
    const {name, pid, exec} = await running(t, who, flags);
    await exec(['sleep', '333'], ['-d']);
    const {stdout, exitCode, stderr} = await keelbox(['top', name], who);
    t.is(exitCode, 0, stderr);
    const [title = '', ...rows] = stdout.trim().split('\n');
    t.deepEqual(title.split(/\s+/), ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD']);
    t.is(rows.length, 2, stdout);
    t.regex(rows.find(row => row.includes(' sleep 600')) ?? '', new RegExp(`^\\d+ +${pid} `));
    t.true(rows.some(row => row.endsWith('sleep 333')));
  });
}

test.asEach('columns by their names, and as JSON', async (t, who) => {
  const {name, pid} = await running(t, who);
  const words = await keelbox(['top', name, 'pid', 'cpid', 'comm', 'state'], who);
  t.is(words.stdout.trim().split('\n').length, 2);
  t.regex(words.stdout, new RegExp(`${pid} +1 +sleep +S`));
  t.regex((await keelbox(['top', name, '-eo', 'pid,args'], who)).stdout, /^PID +COMMAND\n\d+ +sleep 600\n$/);
  const rows = JSON.parse((await keelbox(['top', '--json', name], who)).stdout) as {pid: string; cmd: string}[];
  t.is(rows[0]?.pid, String(pid));
  t.is((await keelbox(['top', name, 'nonsense'], who)).exitCode, 125);
  t.is((await keelbox(['top', 'nobody'], who)).exitCode, 1);
  t.is((await keelbox(['top'], who)).exitCode, 125);
});
