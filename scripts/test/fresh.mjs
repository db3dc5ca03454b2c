/** Before tests: the JavaScript in `dist/` is as new as its sources, and the native files are there at all. */
import {existsSync, readdirSync, statSync} from 'node:fs';
import path from 'node:path';
import {build} from '../build.mjs';
import {fail, ROOT} from '../lib.mjs';

function newestUnder(folder) {
  return Math.max(0, ...readdirSync(folder, {recursive: true}).map(name => statSync(path.join(folder, name)).mtimeMs));
}

/** cargo alone knows whether the native files are old, and takes its time to find out: that is `npm run build`. */
export async function freshProduct() {
  const cli = path.join(ROOT, 'dist/cli.cjs');
  const sources = Math.max(newestUnder(path.join(ROOT, 'src')), statSync(path.join(ROOT, 'package.json')).mtimeMs);
  if (!existsSync(cli) || statSync(cli).mtimeMs < sources) await build({native: false});
  if (!existsSync(path.join(ROOT, 'dist/native/keelbox-runtime'))) {
    fail('the addon and keelbox-runtime are not built: `npm run build` builds them');
  }
}
