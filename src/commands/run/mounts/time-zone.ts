/** `--tz`: the file that tells programs where they are (localtime(5)), as a bind of this machine's. */
import {realpathSync, statSync} from 'node:fs';
import {invalidArgument} from '../../../errors/keelbox-error';
import type {MountRequest} from '../../../native';
import {fromVolume} from './volume-flag';

const ZONES = '/usr/share/zoneinfo';

/** `local`: this machine's; else a name such as `Europe/Berlin`. Programs that read TZ alone are not told. */
export function fromTimeZone(name: string): MountRequest {
  return fromVolume(`${fileOf(name)}:/etc/localtime:ro`);
}

function fileOf(name: string): string {
  const isName = /^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+)*$/.test(name);
  const file = name === 'local' ? '/etc/localtime' : `${ZONES}/${name}`;
  try {
    const real = realpathSync(file);
    if (isName && statSync(real).isFile()) return real;
  } catch {
    // There is none.
  }
  throw invalidArgument(`invalid value "${name}" for --tz`, {
    why: isName ? `this machine has no file ${file}` : 'expected local, or a name such as Europe/Berlin',
    hint: 'install tzdata here, or set TZ in the container: -e TZ=CET-1CEST',
  });
}
