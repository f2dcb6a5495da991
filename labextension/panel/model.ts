// What the server tells of a project's runs: see docs/panel.md.
import type { Num, Progress, RunState } from '../views/model.ts';
import type { RerunOf } from '../views/rerunmodel.ts';
import type { Counts, Objective } from '../views/sweep/model.ts';

/** What the list says of a sweep. */
export interface SweepSummary {
  readonly objectives: readonly Objective[];
  readonly planned: number | null;
  readonly counts: Counts;
  /** The best trial's value of each objective. */
  readonly best: readonly Num[] | null;
  readonly best_trial: number | null;
  /** Why it starts no trials. */
  readonly paused: string | null;
}

/** One line of the list of runs. Times in Unix seconds. */
export interface Summary {
  readonly id: string;
  readonly store: string;
  readonly name: string;
  readonly state: RunState;
  readonly cause: string | null;
  readonly waiting: string | null;
  readonly attempt: string | null;
  readonly stopping: boolean;
  readonly submitted: number;
  readonly started: number | null;
  readonly ended: number | null;
  readonly params: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly note: string;
  readonly pinned: boolean;
  /** Path relative to the server's root. */
  readonly notebook: string | null;
  /** Id of the cell that the run's code came from. */
  readonly cell: string | null;
  /** The last value of each metric. */
  readonly metrics: Readonly<Record<string, Num>>;
  readonly progress: Progress | null;
  /** Id of the sweep whose trial it is, and which one. Servers of before there were sweeps say nothing of them. */
  readonly trial_of?: string | null;
  readonly trial?: number | null;
  readonly sweep?: SweepSummary | null;
  /** Address from the server's base of the page that was made of it, where it executed a notebook. */
  readonly report?: string | null;
  /** Of which run it is a rerun, and what came of that. */
  readonly rerun?: RerunOf | null;
  /** After what it can go on, where it was cut short: "epoch 8". */
  readonly resumes?: string | null;
}

export interface StoreName {
  /** Path of the project's folder below the server's root. */
  readonly store: string;
  readonly name: string;
}

export interface Sparkline {
  readonly points: readonly Num[];
  readonly n: number;
  readonly last: Num;
}

export interface SlotHolder {
  readonly run: string;
  readonly name: string;
  readonly user: string;
  readonly store: string;
  /** Shares of GPUs by UUID. */
  readonly gpus: Readonly<Record<string, number>>;
  readonly cpus: number;
  readonly since: number;
}

export interface SlotWaiter {
  readonly place: number;
  readonly run: string;
  readonly name: string;
  readonly user: string;
  readonly need: string;
  readonly why: string;
}

export interface SlotGpu {
  readonly index: number;
  readonly uuid: string;
  readonly name: string;
  /** Bytes. */
  readonly memory: number;
  /** From 0 to 1. */
  readonly held: number;
  readonly drained: string | null;
  readonly foreign: string | null;
}

/** Who holds what on the server's machine, and who waits. */
export interface Slots {
  readonly gpus: readonly SlotGpu[];
  readonly cpus: number;
  readonly cpus_held: number;
  readonly running: readonly SlotHolder[];
  readonly waiting: readonly SlotWaiter[];
  /** Run id and store of those that are in a store of this server. */
  readonly mine?: readonly (readonly [string, string])[];
}

export interface Info {
  readonly version: string;
  readonly read_only: boolean;
  /** Whether notebooks are files here, and so have a history. Servers of before there was one say nothing of it. */
  readonly history?: boolean;
  /** The same, and so they can be published. */
  readonly reports?: boolean;
  /** Whether it knows schedules. */
  readonly schedules?: boolean;
}

/** What a user gives to a run afterwards. */
export interface Annotations {
  readonly name?: string;
  readonly pinned?: boolean;
  readonly tags?: Readonly<Record<string, string>>;
  readonly note?: string;
}

/** A run's id is unique in its store only. */
export function keyOf(run: { readonly store: string; readonly id: string }): string {
  return `${run.store}\n${run.id}`;
}
