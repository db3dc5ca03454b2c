/** The images' part of the border to the addon; mirrors `crates/engine/src/images`. */

export interface ImageSummary {
  /** `sha256:` and 64 hex digits. */
  id: string;
  /** The manifest's digest, likewise. */
  digest: string;
  /** Its names with their tags, as docker shows them. */
  names: string[];
  /** RFC 3339; empty when it does not say. */
  created: string;
  /** Bytes of its layers, unpacked. */
  size: number;
  labels: Record<string, string>;
}

export interface ImageLoading {
  /** An archive or a directory; absent: stdin. */
  path?: string;
}

export interface LoadedImage {
  id: string;
  names: string[];
  /** Lines about what was left out. */
  notes: string[];
}

export interface ImagesNative {
  /** The images, in no order. */
  imageList(): ImageSummary[];
  /** Loads every image of an archive or directory, or none. */
  imageLoad(request: ImageLoading): Promise<LoadedImage[]>;
}
