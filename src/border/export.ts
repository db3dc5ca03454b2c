/** The containers' files as archives: a part of the border to the addon; mirrors `crates/engine/src/export.rs`. */

export interface ExportNative {
  /** Writes the files of a container to the file at `path`, or to stdout. */
  exportContainer(reference: string, path?: string): Promise<void>;
}
