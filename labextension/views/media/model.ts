// What a run logged beyond numbers, as mlwidgets.views.media writes it: bounded, fit for JSON.
import type { Num } from '../model.ts';

interface Step {
  readonly step: number;
  /** Unix seconds. */
  readonly time: number;
}

export interface Track<S extends Step> {
  readonly name: string;
  /** How many steps were logged; `steps` may hold fewer of them. */
  readonly logged: number;
  readonly steps: readonly S[];
}

export interface HistogramStep extends Step {
  /** Finite values. */
  readonly n: number;
  readonly nan: number;
  readonly inf: number;
  readonly neginf: number;
  readonly min: Num;
  readonly max: Num;
  readonly mean: Num;
  readonly std: Num;
  /** Values outside of the track's bins. */
  readonly below: number;
  readonly above: number;
  /** The first bin that has a value; `counts` go on from there. */
  readonly start: number;
  readonly counts: readonly number[];
}

/** Bin i begins at (first + i) · 2^exponent. */
export interface HistogramTrack extends Track<HistogramStep> {
  readonly exponent: number;
  readonly first: number;
  readonly bins: number;
}

export interface Picture {
  /** A data URL; null where the file is gone or too large to be shown here. */
  readonly src: string | null;
  readonly caption: string | null;
  readonly width: number | null;
  readonly height: number | null;
  readonly bytes: number;
  /** Its path in the run folder. */
  readonly file: string;
}

export interface ImageStep extends Step {
  readonly images: readonly Picture[];
}

/** True classes in rows, predicted ones in columns. */
export interface MatrixStep extends Step {
  readonly classes: readonly string[];
  /** How many classes the last one stands for; 0 where each is shown. */
  readonly grouped: number;
  readonly counts: readonly (readonly number[])[];
  readonly recall: readonly (number | null)[];
  readonly precision: readonly (number | null)[];
  readonly accuracy: number | null;
  readonly total: number;
}

export type Cell = string | number | boolean | null;

export interface TableStep extends Step {
  readonly columns: readonly string[];
  readonly moreColumns: number;
  readonly rows: readonly (readonly Cell[])[];
  /** Rows of the whole table. */
  readonly total: number;
  readonly file: string;
}

export interface Media {
  readonly histograms: readonly HistogramTrack[];
  readonly images: readonly Track<ImageStep>[];
  readonly matrices: readonly Track<MatrixStep>[];
  readonly tables: readonly Track<TableStep>[];
  /** Names that found no room. */
  readonly hidden: number;
}

export const NO_MEDIA: Media = { histograms: [], images: [], matrices: [], tables: [], hidden: 0 };

/** Read media of this version or an older one; what is missing is empty. */
export function readMedia(value: unknown): Media {
  if (typeof value !== 'object' || value === null) return NO_MEDIA;
  return { ...NO_MEDIA, ...value };
}

export function isEmpty(media: Media): boolean {
  return !media.histograms.length && !media.images.length && !media.matrices.length && !media.tables.length;
}
