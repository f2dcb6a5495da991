// What changed between two states of a notebook, as mlwidgets.history.diff.cells writes it; and since the run before.
import type { Num, RunState } from '../words.ts';

/** A piece of a line: 1 where the other line has something else. */
export type Part = readonly [0 | 1, string];

/** A line of both, a line that became another, a line of one of them alone; line numbers from 1. */
export type Row =
  | readonly ['=', number, number, string]
  | readonly ['~', number, number, readonly Part[], readonly Part[]]
  | readonly ['-' | '+', number, string];

export type Change = 'same' | 'added' | 'removed' | 'edited' | 'moved';

/** Where a cell is in one of the two; the index from 0. */
export interface Place {
  readonly index: number;
  readonly id: string | null;
  readonly count: number | null;
}

/** Key, old and new as JSON text. */
export type Fact = readonly [string, string | null, string | null];

export interface Picture {
  readonly mime: string;
  /** Base64. */
  readonly data: string;
}

export interface OutputChange {
  readonly change: Exclude<Change, 'moved'>;
  readonly type: 'text' | 'image' | 'table' | 'error' | 'other';
  /** Of text, and of tables: a table's row each. */
  readonly rows?: readonly Row[] | null;
  readonly old?: Picture | null;
  readonly new?: Picture | null;
}

export interface CellChange {
  /** moved: the same content in another place. */
  readonly change: Change;
  /** Also of cells that were edited. */
  readonly moved: boolean;
  readonly kind: string;
  readonly old_kind?: string | null;
  readonly old: Place | null;
  readonly new: Place | null;
  /** The whole, of cells that were not edited. */
  readonly source?: string | null;
  /** Of edited cells. */
  readonly rows?: readonly Row[] | null;
  readonly metadata?: readonly Fact[];
  /** Where they were asked for and differ. */
  readonly outputs?: readonly OutputChange[];
}

export interface NotebookDiff {
  readonly version: number;
  readonly language: string;
  readonly counts: Readonly<Record<Change, number>>;
  /** In the order of reading: that of the new notebook, and removed ones where they were. */
  readonly cells: readonly CellChange[];
  readonly metadata?: readonly Fact[];
  /** Whether outputs were compared: they can be where both sides have kept theirs. */
  readonly outputs?: boolean;
}

export interface Side {
  readonly label: string;
  /** Unix seconds. */
  readonly time: number | null;
}

export interface ChangesDocument {
  readonly old: Side;
  readonly new: Side;
  readonly diff: NotebookDiff;
}

/** What changed since the run before of the same name. */
export interface RunChanges {
  readonly since: { readonly id: string; readonly name: string; readonly state: RunState; readonly submitted: number };
  readonly params: readonly Fact[];
  readonly cell: readonly Row[] | null;
  /** Changed cells alone, beside the one that was sent. */
  readonly notebook: NotebookDiff | null;
  readonly modules: readonly (readonly [string, readonly Row[]])[];
  readonly environment: readonly Fact[];
  /** Of the run before: name, better (-1, 0, 1), last value, best value. */
  readonly metrics: readonly (readonly [string, number, Num, Num])[];
  /** Of a sweep before: the metric that it was after, better (-1, 1), the best value. */
  readonly best?: readonly [string, number, Num] | null;
  /** Lines that found no room. */
  readonly left_out?: number;
}
