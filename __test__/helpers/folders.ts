/** Folders of whoever runs a test, in the spec's own. */
import {chmodSync, lchownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {specFolder, testUser} from './cli';
import type {Who} from './lane';

/** A new folder that everyone may read, with files by their paths in it. */
export function folder({asUser}: Who, files: Record<string, string> = {}): string {
  const made = mkdtempSync(path.join(specFolder(), 'folder-'));
  chmodSync(made, 0o755);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(made, name)), {recursive: true});
    writeFileSync(path.join(made, name), text);
  }
  if (asUser) own(made);
  return made;
}

/** Makes a file or a whole tree the ordinary user's; links themselves, not what they lead to. */
export function own(file: string): void {
  const {uid, gid} = testUser();
  lchownSync(file, uid, gid);
  if (lstatSync(file).isDirectory()) for (const name of readdirSync(file)) own(path.join(file, name));
}
