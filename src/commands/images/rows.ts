/** Images as `images` shows them: one row for each name, as docker has it. */
import type {ImageSummary} from '../../border/images';
import {humanSize} from '../../output/size';
import {ago} from '../../output/time';

const shortIdLength = 12;
export const none = '<none>';

export interface ImageRow {
  image: ImageSummary;
  repository: string;
  tag: string;
  /** Milliseconds since the epoch; NaN when the image does not say. */
  created: number;
}

/** The newest first; those of one time by name, so that two lists of the same images are the same. */
export function imageRows(images: readonly ImageSummary[]): ImageRow[] {
  const rows = images.flatMap(image => {
    const created = Date.parse(image.created);
    if (image.names.length === 0) return [{image, repository: none, tag: none, created}];
    return image.names.map(name => ({image, created, ...splitName(name)}));
  });
  return rows.sort(
    (a, b) => (b.created || 0) - (a.created || 0) || compare(a.repository, b.repository) || compare(a.tag, b.tag),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** A port's colon comes before a slash, a tag's after the last one. */
export function splitName(name: string): {repository: string; tag: string} {
  const colon = name.lastIndexOf(':');
  return {repository: name.slice(0, colon), tag: name.slice(colon + 1)};
}

export function shownImageId(id: string, isFull: boolean): string {
  return isFull ? id : id.slice('sha256:'.length, 'sha256:'.length + shortIdLength);
}

export function headings(digests: boolean): string[] {
  return ['REPOSITORY', 'TAG', ...(digests ? ['DIGEST'] : []), 'IMAGE ID', 'CREATED', 'SIZE'];
}

export interface CellOptions {
  isFull: boolean;
  now: number;
  digests: boolean;
}

export function imageCells({image, repository, tag, created}: ImageRow, options: CellOptions): string[] {
  return [
    repository,
    tag,
    ...(options.digests ? [image.digest] : []),
    shownImageId(image.id, options.isFull),
    createdSince(created, options.now),
    humanSize(image.size),
  ];
}

function createdSince(created: number, now: number): string {
  return Number.isNaN(created) ? 'N/A' : ago(created, now);
}

/** What `--format table` prints, as a template. */
export const imageTable = '{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}';

/** The headings of `table` templates that are not their field's name. */
export const imageFieldHeadings = {ID: 'IMAGE ID', CreatedSince: 'CREATED', CreatedAt: 'CREATED AT'};

/** Docker's fields, for `--format json` and templates: docker prints one such object per line for the former. */
export function imageObject(row: ImageRow, isFull: boolean, now: number): Record<string, string> {
  const {image, repository, tag, created} = row;
  return {
    Containers: 'N/A',
    CreatedAt: Number.isNaN(created)
      ? 'N/A'
      : new Date(created)
          .toISOString()
          .replace('T', ' ')
          .replace(/\.\d+Z$/, ' +0000 UTC'),
    CreatedSince: createdSince(created, now),
    Digest: image.digest,
    ID: shownImageId(image.id, isFull),
    Repository: repository,
    SharedSize: 'N/A',
    Size: humanSize(image.size),
    Tag: tag,
    UniqueSize: 'N/A',
    VirtualSize: humanSize(image.size),
  };
}
