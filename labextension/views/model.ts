// What a view shows of a run. The same fields come through a widget's traits and out of a saved notebook.

export type RunState = 'submitted' | 'running' | 'finished' | 'failed' | 'stopped' | 'killed' | 'timeout';

/** A float as JSON can carry it: what is not finite comes as its name. */
export type Num = number | 'NaN' | 'Infinity' | '-Infinity' | null;

export interface Header {
  readonly id: string;
  readonly name: string;
  readonly state: RunState;
  readonly cause: string | null;
  /** Traceback with ANSI colours, as the notebook would have shown it. */
  readonly error: string | null;
  /** Unix seconds. */
  readonly submitted: number;
  readonly started: number | null;
  readonly ended: number | null;
  readonly params: readonly (readonly [string, string])[];
  readonly tags: readonly (readonly [string, string])[];
  readonly note: string;
  /** Somebody asked the run to stop and it has not ended yet. */
  readonly stopping: boolean;
}

export interface Series {
  readonly name: string;
  /** Number of logged values; `steps` and `values` hold the extremes of at most some hundred buckets of them. */
  readonly n: number;
  readonly last: Num;
  readonly lastStep: number | null;
  readonly min: Num;
  readonly max: Num;
  readonly steps: Float64Array;
  readonly values: Float64Array;
}

export interface Output {
  readonly text: string;
  /** Earlier output exists that is not in `text`. */
  readonly cut: boolean;
}

export interface Display {
  /** MIME type to content; images as base64. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface RunData {
  readonly header: Header;
  readonly series: readonly Series[];
  readonly output: Output;
  readonly displays: readonly Display[];
}

export function hasEnded(state: RunState): boolean {
  return state !== 'submitted' && state !== 'running';
}
