// What a reader would look for in a curve: the best point, and where the model only learns by heart.
import { axisValue, type Axis } from './axis.ts';
import type { Series } from './model.ts';
import { toLine, type Line } from './series.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A rise above the best of less than this part of all improvement is noise. */
const NOISE = 0.1;
/** Values after the best that it takes to see a turn. */
const FEWEST = 3;
/** Values that may be one of each epoch: of more than that each is rather one of a batch. */
const MOST_EPOCHS = 1000;

/** The lowest or the highest point; none where nobody knows which is better, or where there is nothing to choose. */
export function bestPoint({ x, y }: Line, better: number): Point | null {
  if (better === 0 || y.length < 2) return null;
  let best: Point | null = null;
  for (let i = 0; i < y.length; i++) {
    const value = y[i];
    if (value != null && (best === null || (value - best.y) * better > 0)) best = { x: x[i] ?? NaN, y: value };
  }
  return best;
}

/** What the steps of a metric count: what is logged at each of them is logged once an epoch. */
export function unitOf({ x }: Line): 'epoch' | 'step' {
  return x.length && x.length <= MOST_EPOCHS && x.every((here, i) => i === 0 || here - (x[i - 1] ?? here) <= 1) ? 'epoch' : 'step';
}

/** Where a curve was best: the epoch, where it has one value for each, whatever the axis; else the place on the axis. */
export function bestWords(series: Pick<Series, 'steps' | 'values' | 'better'>, axis: Axis, best: Point): string {
  const line = toLine(series.steps, series.values);
  const epoch = unitOf(line) === 'epoch' ? bestPoint(line, series.better) : null;
  return epoch ? `epoch ${epoch.x}` : axisValue(axis, best.x).replace(/^at /, '');
}

/**
 * The x from which on validation gets worse while training goes on getting better; null where it does not.
 * Validation has to have lost a tenth of what it had gained, and training must not have come to a halt.
 */
export function overfittingFrom(validation: Line, training: Line, better: number): number | null {
  const best = bestPoint(validation, better);
  const first = validation.y.find((value) => value != null);
  if (!best || first == null || !sideBySide(validation, training)) return null;
  const after = validation.y.filter((value, i) => value != null && (validation.x[i] ?? 0) > best.x) as number[];
  if (after.length < FEWEST) return null;
  const gained = Math.abs(best.y - first);
  const now = median(after.slice(-FEWEST));
  if ((best.y - now) * better <= NOISE * gained) return null;
  const before = near(training, best.x);
  const last = near(training, Infinity);
  return before !== null && last !== null && (last - before) * better > 0 ? best.x : null;
}

/** The middle of the last values: where a line has come to. */
export function middle({ y }: Line): number {
  return median(y.filter((value): value is number => value != null).slice(-FEWEST));
}

/** Whether two lines run along the same x: one may count batches and the other epochs. */
function sideBySide(a: Line, b: Line): boolean {
  const [endA, endB] = [a.x[a.x.length - 1] ?? 0, b.x[b.x.length - 1] ?? 0];
  return Math.min(endA, endB) > Math.max(endA, endB) / 2;
}

/** The middle of the values up to `x`: a single one may be noise. */
function near(line: Line, x: number): number | null {
  const values: number[] = [];
  for (let i = line.x.length - 1; i >= 0 && values.length < 5; i--) {
    const value = line.y[i];
    if ((line.x[i] ?? 0) <= x && value != null) values.push(value);
  }
  return values.length ? median(values) : null;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

/** Exponential moving average without the pull of its first value; gaps stay where they are. */
export function smooth(y: readonly (number | null)[], weight: number): (number | null)[] {
  let sum = 0;
  let mass = 0;
  return y.map((value) => {
    if (value === null) return null;
    sum = sum * weight + (1 - weight) * value;
    mass = mass * weight + (1 - weight);
    return sum / mass;
  });
}
