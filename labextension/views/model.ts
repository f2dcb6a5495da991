// What a view shows of a run. The same fields come from the kernel and out of a saved notebook.
import type { RunChanges } from './changes/model.ts';
import type { RerunAsked, Rerunner, RerunOf, RerunPlan, RerunRefused } from './rerunmodel.ts';
import type { SweepData } from './sweep/model.ts';
import type { Terminal } from './terminal.ts';
import type { Num, RunState } from './words.ts';

export type { Num, RunState } from './words.ts';

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
  /** What it waits for before it starts: "3rd in the queue: waits for 2 GPUs". */
  readonly waiting?: string | null;
  /** "attempt 2 of 3" where it is tried more than once. */
  readonly attempt?: string | null;
  /** Of which run it is a rerun. */
  readonly rerun?: RerunOf | null;
  /** After what it can go on, where it was cut short: "epoch 8". */
  readonly resumes?: string | null;
}

export interface Progress {
  /** From 0 to 1. */
  readonly fraction: number;
  /** "epoch 3 of 10", or nothing. */
  readonly label: string;
  /** Seconds from `at` on. */
  readonly remaining: number | null;
  /** Unix seconds. */
  readonly at: number;
}

export interface Series {
  readonly name: string;
  /** The chart: series of one group share it. */
  readonly group: string;
  readonly role: string;
  /** -1: lower is better, 1: higher is better, 0: nobody knows. */
  readonly better: number;
  /** Number of logged values; the columns hold the extremes of at most a thousand neighbourhoods of them. */
  readonly n: number;
  readonly last: Num;
  readonly lastStep: number | null;
  readonly min: Num;
  readonly max: Num;
  readonly steps: Float64Array;
  /** Unix seconds; empty where nobody knows. */
  readonly times: Float64Array;
  readonly values: Float64Array;
  /** The mean of the neighbourhood that each value is an extreme of. */
  readonly means: Float64Array;
}

export interface Display {
  /** MIME type to content; images as base64. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface Details {
  readonly code: string;
  /** The magic's line, where the code came from a cell. */
  readonly heading: string | null;
  readonly facts: readonly (readonly [string, string])[];
  readonly packages: readonly (readonly [string, string])[];
  /** Name and bytes of what the run saved. */
  readonly files: readonly (readonly [string, number])[];
  readonly folder: string;
  /** Since the run before of this name; null of the first. Versions of before there were diffs say nothing of it. */
  readonly changes?: RunChanges | null;
  /** What is kept of the training; versions of before there were checkpoints say nothing of it. */
  readonly checkpoints?: Checkpoints;
}

export interface Checkpoints {
  /** What says how good one is: `max:val_accuracy`. */
  readonly judged: string | null;
  /** Number, epoch or step, values, bytes, whether it is the best or the last. */
  readonly rows: readonly (readonly [number, string, string, number, string])[];
}

export interface RunData {
  readonly header: Header;
  readonly progress: Progress | null;
  readonly series: readonly Series[];
  readonly system: readonly Series[];
  readonly output: Terminal;
  readonly displays: readonly Display[];
  readonly details: Details | null;
  /** Histograms, images, confusion matrices, tables: see media/. */
  readonly media: unknown;
  /** Of a run that searches over parameters. */
  readonly sweep: SweepData | null;
}

/** What a view may ask of the kernel. */
export type Question =
  | { type: 'range'; run: string; axis: 'step' | 'time'; from: number; until: number }
  | { type: 'lines'; run: string; first: number; count: number }
  | { type: 'find'; run: string; text: string }
  | { type: 'file'; run: string; name: string }
  | { type: 'media'; run: string; file: string }
  | { type: 'trial'; run: string; trial: string }
  | { type: 'rerun'; run: string; asked: RerunAsked | null }
  | { type: 'runs' }
  | { type: 'compare'; runs: readonly string[] };

export interface Answer {
  readonly error?: string;
  readonly series?: readonly Series[];
  readonly lines?: readonly string[] | readonly number[];
  readonly more?: boolean;
  readonly content?: DataView;
  /** Id, name, state, submitted, parameters, whether it is shown. */
  readonly runs?: readonly (readonly [string, string, RunState, number, string, boolean])[];
  /** A trial, whole. */
  readonly run?: RunData;
  /** What doing a run again takes, the new run's id, or what is in the way. */
  readonly plan?: RerunPlan;
  readonly started?: string;
  readonly refused?: RerunRefused;
}

/** Where a view gets its data from and whom it asks. A saved notebook has data alone. */
export interface RunSource {
  /** One run, or several to compare. Parts that changed are new objects; the output counts its changes. */
  readonly runs: readonly RunData[];
  /** Unix seconds on the clock of whoever feeds this source, when it was last heard; absent where nothing is live. */
  readonly clock?: number;
  /** Who that is; a kernel where nothing is said. */
  readonly teller?: 'server';
  /** Call `changed` after `runs` or `clock` have changed; returns what ends this. */
  subscribe?(changed: () => void): () => void;
  /** Ask for a run's end. */
  stop?(run: string): void;
  /** Ask of a sweep that it starts no more trials, goes on, or runs `n` of them at once. */
  steer?(run: string, ask: 'pause' | 'resume' | 'concurrent', n?: number): void;
  /** Who does a run again. */
  readonly rerun?: Rerunner;
  /** Show a run in a place of its own, where there is one. */
  open?(run: string): void;
  /** Ask for more; rejects where nobody answers. Nothing may depend on it: a kernel may be busy or gone. */
  ask?(question: Question): Promise<Answer>;
}

export function hasEnded(state: RunState): boolean {
  return state !== 'submitted' && state !== 'running';
}
