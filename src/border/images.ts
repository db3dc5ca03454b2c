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

export interface ImageImporting {
  /** A tar archive, as it is or compressed; absent: stdin. */
  path?: string;
  /** Programs of this machine, by path or by name in PATH: the image is then made of them and what they need. */
  programs?: string[];
  name?: string;
  /** RFC 3339. */
  created: string;
  /** For the image's history. */
  comment: string;
  /** In docker's words: `Env`, `Cmd`, ... */
  config: ImageRunConfig;
}

export interface ImageSaving {
  /** Names and ids. */
  images: readonly string[];
  /** Absent: stdout. */
  path?: string;
  format: 'docker-archive' | 'oci-archive' | 'oci-dir';
}

/** How an image is run (OCI image-spec, "Image Configuration"). */
export interface ImageRunConfig {
  User?: string;
  Env?: string[] | null;
  Entrypoint?: string[] | null;
  Cmd?: string[] | null;
  WorkingDir?: string;
  Volumes?: Record<string, object> | null;
  ExposedPorts?: Record<string, object> | null;
  Labels?: Record<string, string> | null;
  StopSignal?: string;
  OnBuild?: string[] | null;
  Shell?: string[] | null;
  Healthcheck?: object | null;
}

export interface ImageHistory {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

/** An image's configuration as it came: a stranger's, so any key may be missing. */
export interface ImageConfigFile {
  created?: string;
  author?: string;
  architecture?: string;
  variant?: string;
  os?: string;
  config?: ImageRunConfig | null;
  rootfs?: {type?: string; diff_ids?: string[] | null};
  history?: ImageHistory[] | null;
  docker_version?: string;
}

export interface ImageDescription {
  id: string;
  /** The manifest's digest. */
  digest: string;
  names: string[];
  /** Bytes of its layers, unpacked. */
  size: number;
  /** Lowest first. */
  layers: {diffId: string; path: string; size: number}[];
  config: ImageConfigFile;
}

export interface RemovedImage {
  /** Names that were taken away. */
  untagged: string[];
  /** The image's id and the chain ids of the layers that went, if they did. */
  deleted: string[];
  /** Bytes of those layers, unpacked, and of their blobs. */
  freed: number;
}

export interface StoreProblem {
  what: string;
  path: string;
  repaired: boolean;
}

export interface ImagesNative {
  /** The images, in no order. */
  imageList(): ImageSummary[];
  /** Loads every image of an archive or directory, or none. */
  imageLoad(request: ImageLoading): Promise<LoadedImage[]>;
  /** Makes an image of a root directory's tar; its id. */
  imageImport(request: ImageImporting): Promise<string>;
  imageSave(request: ImageSaving): Promise<null>;
  imageDescribe(reference: string): ImageDescription;
  /** Removes an image, or one of its names. */
  imageRemove(reference: string, options: {force: boolean}): RemovedImage;
  /** Removes images that nothing uses: of `ids` when given, without `all` only those without a name. */
  imagePrune(options: {all: boolean; ids?: string[]}): RemovedImage;
  imageTag(reference: string, name: string): void;
  /** Takes names from an image, without names all of them; answers what went. */
  imageUntag(reference: string, names: readonly string[]): string[];
  /** Looks at everything in the store. */
  storeCheck(options: {quick: boolean; repair: boolean}): Promise<StoreProblem[]>;
}
