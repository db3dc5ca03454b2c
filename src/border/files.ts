/** The files of containers: a part of the border to the addon; mirrors `crates/engine/src/files.rs` and its siblings. */

/** Copying between a container and this machine, as `docker cp` does. */
export interface CopyRequest {
  /** Name, id or the beginning of one id alone. */
  reference: string;
  /** `in`: from this machine into the container. */
  direction: 'in' | 'out';
  /** The path on this machine; `-`: a tar archive on stdin (`in`) or stdout (`out`). */
  host: string;
  /** The path in the container. Relative ones begin at its root. */
  container: string;
  /** Keep owners and groups. Default: the container's root owns what comes in, the caller what comes out. */
  archive?: boolean;
  /** A source that is a link: copy what it leads to. */
  follow?: boolean;
  /** A directory may take the place of a file, and a file that of a directory. */
  overwrite?: boolean;
}

/** One call on a container's files. Every path begins at the container's root, and links lead nowhere else. */
export type FileCall =
  /** An fd of a regular file, which the receiver owns and closes. `write`: made or emptied. */
  | {op: 'open'; path: string; write?: boolean; mode?: number; uid?: number; gid?: number}
  /** Names, sorted. */
  | {op: 'readdir'; path: string}
  | {op: 'mkdir'; path: string; recursive?: boolean; mode?: number}
  | {op: 'remove'; path: string; recursive?: boolean; force?: boolean}
  /** `FileStat` */
  | {op: 'stat'; path: string; follow?: boolean};

export interface FileStat {
  type: 'file' | 'directory' | 'link' | 'fifo' | 'socket' | 'block' | 'char';
  mode: number;
  uid: number;
  gid: number;
  size: number;
  /** Milliseconds since the epoch. */
  mtime: number;
  /** Where a link leads. */
  target?: string;
}

/** What a container has changed in its files. */
export interface Change {
  kind: 'A' | 'C' | 'D';
  path: string;
}

export interface CommitRequest {
  /** Name, id or the beginning of one id alone. */
  reference: string;
  /** A name for the image. */
  image?: string;
  message?: string;
  author?: string;
  /** What Dockerfile instructions came to, in docker's words: `Env`, `Cmd`, ... */
  config?: Record<string, unknown>;
  /** Freeze a running container meanwhile. Default: where that can be done. */
  pause?: boolean;
  /** One layer with everything, instead of one more. */
  squash?: boolean;
}

export interface Committed {
  /** `sha256:HEX` */
  imageId: string;
  notices: string[];
}

/** A process list: a heading and a row for each process, all of the same length. */
export interface ProcessList {
  titles: string[];
  processes: string[][];
}

export interface FilesNative {
  /** Lines about what was left out, e.g. device nodes. */
  copy(request: CopyRequest): Promise<string[]>;
  files(reference: string, call: FileCall): Promise<unknown>;
  /** Sorted by path. */
  diffContainer(reference: string): Promise<Change[]>;
  /** What the last layer of an image has changed in those below it, by path. */
  diffImage(reference: string): Promise<Change[]>;
  commitContainer(request: CommitRequest): Promise<Committed>;
  /** The processes of a running container. No descriptors: docker's columns. */
  top(reference: string, descriptors: string[]): ProcessList;
}
