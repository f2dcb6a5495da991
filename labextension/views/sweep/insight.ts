// What a reader would look for among the trials: the best so far, the front, and where most of them lie.
import { finite, signOf, type Objective, type SweepData, type Trial } from './model.ts';

/** Quartiles' distances from the middle half at which a value is far out (Tukey's outer fence). */
const FAR_OUT = 3;
/** Values that it takes to call one of them far out. */
const FEWEST = 8;
/** What would be left of an axis for most of the values, below which those that are far out are cut off. */
const FLAT = 1 / 3;
/** The same of an axis of curves, for where they end. */
const EARLY = 1 / 2;
/** How many times its smallest the largest value is where a logarithm tells more. */
const WIDE = 1000;

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

/** A stretch of values that an axis shows. */
export interface Range {
  readonly low: number;
  readonly high: number;
  /** Whether there are values beyond it. */
  readonly cut: boolean;
}

/** What an axis of results shows: all of them, unless a few that went astray would flatten the rest. */
export function rangeOf(values: readonly number[], sign: 1 | -1, log: boolean, whole: boolean): Range | null {
  const [low, high] = [least(values), most(values)];
  const seen = reach(log ? values.map(Math.log10) : values, sign);
  if (!seen) return null;
  const ends = log ? [Math.log10(low), Math.log10(high)] : [low, high];
  if (whole || seen[1] - seen[0] >= FLAT * ((ends[1] ?? 0) - (ends[0] ?? 0))) return { low, high, cut: false };
  return sign < 0 ? { low, high: log ? 10 ** seen[1] : seen[1], cut: true } : { low: log ? 10 ** seen[0] : seen[0], high, cut: true };
}

/** What an axis of curves shows. Where they begin says less than where they end: what is far from all ends may be cut off. */
export function curvesRange({ curves, trials }: Pick<SweepData, 'curves' | 'trials'>, sign: 1 | -1, log: boolean, whole: boolean): Range | null {
  const [seen, last]: [number[], number[]] = [[], []];
  for (const { values } of curves.values()) {
    for (const value of values) if (Number.isFinite(value)) seen.push(value);
    const end = values[values.length - 1];
    if (end !== undefined && Number.isFinite(end)) last.push(end);
  }
  for (const { why } of trials) {
    const threshold = finite(why?.threshold);
    if (threshold !== null && !(log && threshold <= 0)) seen.push(threshold);
  }
  if (!seen.length) return null;
  const [low, high] = [least(seen), most(seen)];
  // A logarithm leaves room for all of them.
  const ends = whole || log || last.length < FEWEST ? null : reach(last, sign);
  if (!ends) return { low, high, cut: false };
  const room = 4 * (ends[1] - ends[0]);
  const [from, until] = sign < 0 ? [low, ends[1] + room] : [ends[0] - room, high];
  if (room === 0 || until - from >= EARLY * (high - low)) return { low, high, cut: false };
  const kept = seen.filter((value) => value >= from && value <= until);
  return { low: least(kept), high: most(kept), cut: true };
}

/** Whether values are told apart by their size rather than by their difference. */
export function spansDecades(values: readonly number[]): boolean {
  const smallest = least(values);
  return smallest > 0 && values.length > 0 && most(values) / smallest > WIDE;
}

/** The smallest: `Math.min` takes no more arguments than fit on the stack. */
function least(values: readonly number[]): number {
  return values.reduce((low, value) => (value < low ? value : low), Infinity);
}

function most(values: readonly number[]): number {
  return values.reduce((high, value) => (value > high ? value : high), -Infinity);
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
