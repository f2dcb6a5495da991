// What a chart draws, and how far its scales reach.
import uPlot from 'uplot';

import type { Member } from './groups.ts';
import type { Point } from './insight.ts';
import type { Line } from './series.ts';

export type Range = readonly [from: number, until: number];

/** One line, ready to draw. */
export interface Drawn {
  readonly member: Member;
  readonly line: Line;
  /** Drawn over a pale `line`, where the reader asked for it. */
  readonly smoothed: Line | null;
  readonly best: Point | null;
  readonly overfitting: number | null;
}

function isDecade(value: number): boolean {
  const exponent = Math.log10(value);
  return Math.abs(exponent - Math.round(exponent)) < 1e-9;
}

/** From the first x of all lines to the last. */
export function reachOf(drawn: readonly Drawn[]): Range | null {
  const from = Math.min(...drawn.map(({ line }) => line.x[0] ?? Infinity));
  const until = Math.max(...drawn.map(({ line }) => line.x[line.x.length - 1] ?? -Infinity));
  return from <= until ? [from, until] : null;
}

/** Powers of ten alone, where there are two of them to tell the scale. */
export function decades(splits: readonly number[]): (number | null)[] {
  const few = splits.filter(isDecade).length < 2;
  return splits.map((value) => (few || isDecade(value) ? value : null));
}

export function positive(line: Line): Line {
  return { x: line.x, y: line.y.map((value) => (value !== null && value > 0 ? value : null)) };
}

/** The value of a line at the point nearest to x. */
export function valueAt({ x, y }: Line, at: number): number | null {
  let low = 0;
  let high = x.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((x[middle] ?? 0) <= at) low = middle;
    else high = middle;
  }
  const index = Math.abs((x[high] ?? Infinity) - at) < Math.abs((x[low] ?? Infinity) - at) ? high : low;
  return y[index] ?? null;
}

/** The point of a column that is nearest to a place on the common x. */
export function nearest(column: ArrayLike<unknown> | undefined, x: ArrayLike<number>, at: number): number {
  if (!column || column[at] !== undefined) return at;
  for (let by = 1; by < x.length; by++) {
    if (column[at - by] !== undefined) return at - by;
    if (column[at + by] !== undefined) return at + by;
  }
  return at;
}

/** Values with a margin; room around a constant. */
export function valueRange(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [0, 1];
  if (min === max) return [min - (Math.abs(min) * 0.1 || 1), max + (Math.abs(max) * 0.1 || 1)];
  const [low, high] = uPlot.rangeNum(min, max, 0.08, true);
  return [low ?? min, high ?? max];
}

export function logRange(_plot: uPlot, min: number | null, max: number | null): [number, number] {
  if (min === null || max === null || min <= 0) return [0.1, 1];
  const room = Math.max(1.08, (max / min) ** 0.06);
  return [min / room, max * room];
}
