// The sweep of a run: told in parts while it goes on, and as a saved notebook keeps it.
import type { Num } from '../model.ts';
import { decodeFloats } from '../series.ts';
import type { Curve, SweepAbout, SweepData, Trial, Why } from './model.ts';

/** A curve as the kernel sends it: columns of steps, times, values and means, as those of a series. */
export interface PackedCurve {
  readonly number: number;
  readonly n: number;
  /** How many points of those known already stay; what is sent follows them. */
  readonly keep: number;
  readonly points: DataView;
}

export interface PackedSweep extends Partial<Pick<SweepData, 'about' | 'status' | 'trials' | 'importance'>> {
  readonly curves?: readonly PackedCurve[];
}

/** What says nothing is what most trials are. */
type SavedTrial = Pick<Trial, 'number'> & Partial<Omit<Trial, 'why'>> & { readonly why?: Partial<Why> | null };

export interface SavedSweep extends Partial<Pick<SweepData, 'about' | 'status' | 'importance' | 'hidden' | 'hidden_params'>> {
  readonly trials?: readonly SavedTrial[];
  /** Steps as differences. */
  readonly curves?: readonly { readonly number: number; readonly n?: number; readonly steps: readonly number[]; readonly values: readonly Num[] }[];
}

const NOTHING: SweepData = { about: null, status: null, trials: [], curves: new Map(), importance: null, hidden: 0, hidden_params: 0 };

/** Add what was sent to what is known. Parts and trials that have not changed stay the same objects. */
export function mergeSweep(known: SweepData | null, { trials, curves, ...rest }: PackedSweep): SweepData {
  const before = known ?? NOTHING;
  return {
    ...before,
    ...rest,
    trials: trials?.length ? mergeTrials(before.trials, trials) : before.trials,
    curves: curves?.length ? mergeCurves(before.curves, curves) : before.curves,
  };
}

/** Read what `mlwidgets.views.sweepsaved` wrote of the sweep of that name. */
export function readSweep({ trials = [], curves = [], ...rest }: SavedSweep, name: string): SweepData {
  const read = curves.map(({ number, n, steps, values }): [number, Curve] => {
    let step = 0;
    const column = Float64Array.from(values, (value) => (typeof value === 'number' ? value : NaN));
    return [number, { number, n: n ?? column.length, steps: Float64Array.from(steps, (by) => (step += by)), values: column }];
  });
  const known = new Map(read);
  const whole = trials.map((trial) => wholeTrial(trial, name, rest.about ?? null, known.get(trial.number)?.n ?? 0));
  return { ...NOTHING, ...rest, trials: mergeTrials([], whole), curves: known };
}

function wholeTrial({ why, ...given }: SavedTrial, sweep: string, about: SweepAbout | null, reports: number): Trial {
  const usual = {
    run: null, name: `${sweep}-${given.number}`, state: 'finished', params: {}, values: null, best: given.values?.[0] ?? null, reports,
    submitted: given.started ?? null, started: null, ended: null, cause: null, attempts: 1, by: 'sampler',
  } as const;
  const measured = {
    policy: about?.policy ?? '', rule: '', metric: about?.objectives[0]?.metric ?? '', interval: 0, step: 0, value: null, threshold: null, best: null, best_trial: null,
  };
  return { ...usual, ...given, why: why ? { ...measured, ...why } : null };
}

function mergeTrials(known: readonly Trial[], sent: readonly Trial[]): Trial[] {
  const byNumber = new Map(known.map((trial) => [trial.number, trial]));
  for (const trial of sent) byNumber.set(trial.number, trial);
  return [...byNumber.values()].sort((a, b) => a.number - b.number);
}

function mergeCurves(known: ReadonlyMap<number, Curve>, sent: readonly PackedCurve[]): Map<number, Curve> {
  const all = new Map(known);
  for (const { number, n, keep, points } of sent) {
    const before = keep ? all.get(number) : undefined;
    const numbers = decodeFloats(points);
    const count = numbers.length / 4;
    all.set(number, {
      number,
      n,
      steps: follow(before?.steps, keep, numbers.subarray(0, count)),
      values: follow(before?.values, keep, numbers.subarray(2 * count, 3 * count)),
    });
  }
  return all;
}

function follow(old: Float64Array | undefined, keep: number, added: Float64Array): Float64Array {
  const kept = old?.subarray(0, keep) ?? new Float64Array();
  const all = new Float64Array(kept.length + added.length);
  all.set(kept);
  all.set(added, kept.length);
  return all;
}
