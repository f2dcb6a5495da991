// A search over parameters as a view holds it.
import type { Num, RunState } from '../words.ts';

export type TrialState = 'waiting' | 'running' | 'finished' | 'terminated' | 'failed' | 'stopped' | 'killed' | 'timeout';

export interface Objective {
  readonly metric: string;
  readonly direction: 'maximize' | 'minimize';
}

/** One parameter that is searched. */
export interface Dimension {
  readonly name: string;
  readonly kind: string;
  /** As the user wrote it: `loguniform(1e-05, 0.1)`. */
  readonly text: string;
  readonly low: number | null;
  readonly high: number | null;
  readonly log: boolean;
  readonly integer: boolean;
  /** Texts of the values to choose from. */
  readonly choices: readonly string[] | null;
  /** On what it depends whether a trial has it. */
  readonly when: string | null;
}

export interface SweepAbout {
  readonly objectives: readonly Objective[];
  readonly value: 'last' | 'best';
  readonly space: readonly Dimension[];
  readonly sampler: string;
  readonly policy: string | null;
  readonly limits: {
    readonly trials: number | null;
    readonly concurrent: number | null;
    /** Seconds. */
    readonly time: number | null;
    readonly gpu_hours: number | null;
    readonly target: number | null;
    readonly patience: number | null;
    readonly failures: number | null;
  };
  readonly resources: { readonly gpus?: number | string | null; readonly cpus?: number | null };
}

export interface Counts {
  readonly running: number;
  readonly waiting: number;
  readonly finished: number;
  readonly terminated: number;
  readonly failed: number;
  readonly stopped: number;
  readonly given_back: number;
}

export interface SweepStatus {
  /** Why it starts no trials. */
  readonly paused: string | null;
  readonly concurrent: number;
  readonly counts: Counts;
  readonly planned: number | null;
  readonly best: { readonly number: number; readonly run: string | null; readonly values: readonly Num[] } | null;
  /** Numbers of the trials that no other is better than in every objective. */
  readonly front: readonly number[];
  /** Seconds from `at` on. */
  readonly remaining: number | null;
  /** Unix seconds. */
  readonly at: number;
  /** What trials that ended early have not computed. */
  readonly saved: { readonly intervals: number; readonly seconds: number; readonly share: number } | null;
}

/** Why a policy ended a trial. */
export interface Why {
  readonly policy: string;
  /** One sentence. */
  readonly rule: string;
  readonly metric: string;
  readonly interval: number;
  readonly step: number;
  readonly value: Num;
  readonly threshold: Num;
  readonly best: Num;
  readonly best_trial: number | null;
}

export type ParamValue = number | string | boolean | null;

export interface Trial {
  readonly number: number;
  readonly run: string | null;
  readonly name: string;
  readonly state: TrialState;
  readonly params: Readonly<Record<string, ParamValue>>;
  /** The latest value of each objective, the final one once it has ended. */
  readonly values: readonly Num[] | null;
  /** The best value of the first objective. */
  readonly best: Num;
  readonly reports: number;
  /** Unix seconds. */
  readonly submitted: number | null;
  readonly started: number | null;
  readonly ended: number | null;
  readonly cause: string | null;
  readonly why: Why | null;
  readonly attempts: number;
  readonly by: 'sampler' | 'hand' | 'warm-start';
}

/** The first objective of one trial over its steps. */
export interface Curve {
  readonly number: number;
  /** Number of logged values, of which the columns hold some. */
  readonly n: number;
  readonly steps: Float64Array;
  readonly values: Float64Array;
}

export interface SweepData {
  readonly about: SweepAbout | null;
  readonly status: SweepStatus | null;
  /** By number. */
  readonly trials: readonly Trial[];
  readonly curves: ReadonlyMap<number, Curve>;
  readonly importance: Readonly<Record<string, number>> | null;
  /** Trials that a saved notebook does not keep. */
  readonly hidden: number;
  /** Parameters that it does not keep. */
  readonly hidden_params: number;
}

/** With these words the cause of such a trial's end begins. */
export const ENDED_EARLY = 'ended early';
/** And with these that of a sweep's, where no limit came first. */
export const ALL_ENDED = 'all trials have ended';

/** A state in the words of the view. */
export function stateWord(state: TrialState | RunState): string {
  return state === 'terminated' ? ENDED_EARLY : state;
}

export function trialEnded({ state }: Trial): boolean {
  return state !== 'waiting' && state !== 'running';
}

/** A number that can be drawn and compared; null where there is none. */
export function finite(value: Num | undefined): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** 1 where more is better, -1 where less is. */
export function signOf(objective: Objective | undefined): 1 | -1 {
  return objective?.direction === 'minimize' ? -1 : 1;
}
