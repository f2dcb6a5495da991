// What a reader would look for among the trials: the best so far, the front, and where most of them lie.
import { finite, signOf, type Objective, type SweepData, type Trial } from './model.ts';

/** Quartiles' distances from the middle half at which a value is far out (Tukey's outer fence). */
const FAR_OUT = 3;
/** Values that it takes to call one of them far out. */
const FEWEST = 8;
/** How many times its smallest the largest value is where a logarithm tells more. */
const WIDE = 200;

/** What stands for a trial: the value of one objective, where it has one. */
export function valueOf(trial: Trial, objective = 0): number | null {
  return finite(trial.values?.[objective]);
}

export interface Step {
  readonly trial: Trial;
  readonly x: number;
  readonly value: number;
}

/** Each trial that was the best when it finished, along `x`. Trials that did not finish are no candidates. */
export function bestSoFar(trials: readonly Trial[], x: (trial: Trial) => number | null, sign: 1 | -1, objective = 0): Step[] {
  const finished: Step[] = [];
  for (const trial of trials) {
    const [value, at] = [valueOf(trial, objective), x(trial)];
    if (trial.state === 'finished' && value !== null && at !== null) finished.push({ trial, x: at, value });
  }
  finished.sort((a, b) => a.x - b.x || a.trial.number - b.trial.number);
  const steps: Step[] = [];
  for (const one of finished) {
    const best = steps[steps.length - 1];
    if (!best || (one.value - best.value) * sign > 0) steps.push(one);
  }
  return steps;
}

/** Numbers of the finished trials that no other is at least as good as in every objective and better in one. */
export function paretoFront(trials: readonly Trial[], objectives: readonly Objective[]): number[] {
  const signs = objectives.map(signOf);
  const candidates = trials.flatMap((trial) => {
    const values = objectives.map((_, i) => valueOf(trial, i));
    return trial.state === 'finished' && values.every((value) => value !== null)
      ? [{ number: trial.number, better: values.map((value, i) => value * (signs[i] ?? 1)) }]
      : [];
  });
  const beats = (a: readonly number[], b: readonly number[]): boolean =>
    a.every((value, i) => value >= (b[i] ?? 0)) && a.some((value, i) => value > (b[i] ?? 0));
  return candidates.filter(({ better }) => !candidates.some((other) => beats(other.better, better))).map(({ number }) => number);
}

/** From the worst to the best value that a scale should show: one that has gone astray hides no others. */
export function reach(values: readonly number[], sign: 1 | -1): readonly [low: number, high: number] | null {
  if (!values.length) return null;
  const sorted = [...values].sort((a, b) => a - b);
  let low = sorted[0] ?? 0;
  let high = sorted[sorted.length - 1] ?? 0;
  if (sorted.length >= FEWEST) {
    const quantile = (q: number): number => sorted[Math.round((sorted.length - 1) * q)] ?? 0;
    const [lower, upper] = [quantile(0.25), quantile(0.75)];
    const room = FAR_OUT * (upper - lower);
    if (room > 0 && sign < 0) high = [...sorted].reverse().find((value) => value <= upper + room) ?? high;
    if (room > 0 && sign > 0) low = sorted.find((value) => value >= lower - room) ?? low;
  }
  return [low, high];
}

/** Whether values are told apart by their size rather than by their difference. */
export function spansDecades(values: readonly number[]): boolean {
  const smallest = Math.min(...values);
  return smallest > 0 && Math.max(...values) / smallest > WIDE;
}

/** The best trial, as the sweep says or as its trials show; none where there are several objectives. */
export function bestTrial({ status, trials, about }: Pick<SweepData, 'status' | 'trials' | 'about'>): Trial | null {
  if ((about?.objectives.length ?? 0) > 1) return null;
  const said = status?.best?.number;
  const found = said === undefined ? undefined : trials.find(({ number }) => number === said);
  if (found) return found;
  const steps = bestSoFar(trials, ({ number }) => number, signOf(about?.objectives[0]));
  return steps[steps.length - 1]?.trial ?? null;
}

/** Numbers of the trials of the front, as the sweep says or as its trials show; none for a single objective. */
export function frontOf({ status, trials, about }: Pick<SweepData, 'status' | 'trials' | 'about'>): readonly number[] {
  const objectives = about?.objectives ?? [];
  if (objectives.length < 2) return [];
  return status?.front.length ? status.front : paretoFront(trials, objectives);
}
