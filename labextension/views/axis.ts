// What runs along the x axis: steps, epochs or time.
import { formatElapsed, formatNumber, formatTicks } from './format.ts';
import type { RunData, Series } from './model.ts';

export type Axis = 'step' | 'epoch' | 'time';

export const AXES: readonly Axis[] = ['step', 'epoch', 'time'];
const EPOCH_NAMES = new Set(['epoch', 'epochs']);
const TIME_INCREMENTS = [
  ...[1, 2, 5, 10, 15, 30].flatMap((n) => [n]),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * 60),
  ...[1, 2, 3, 6, 12].map((n) => n * 3600),
  ...[1, 2, 5, 10, 20, 50, 100].map((n) => n * 86400),
];
/** Steps are whole numbers, and so are the marks between them. */
const STEP_INCREMENTS = Array.from({ length: 16 }, (_, exponent) => [1, 2, 5].map((n) => n * 10 ** exponent)).flat();
const EPOCH_INCREMENTS = [0.1, 0.2, 0.5, ...STEP_INCREMENTS];

/** Whether a series tells where a run is, and so needs no chart of its own. */
export function isClock(series: Pick<Series, 'name'>): boolean {
  return EPOCH_NAMES.has(series.name) || series.name === 'progress';
}

/** The axes that can be drawn for all of these runs. */
export function axesOf(runs: readonly RunData[]): Axis[] {
  const timed = runs.every((run) => run.series.every((one) => one.times.length === one.values.length));
  const counted = timed && runs.every((run) => run.series.some((one) => EPOCH_NAMES.has(one.name)));
  return AXES.filter((axis) => axis === 'step' || (axis === 'time' ? timed : counted));
}

/** The x of each point of a series. */
export function xOf(run: RunData, series: Series, axis: Axis): Float64Array {
  if (axis === 'step') return series.steps;
  if (axis === 'time') {
    const begin = startOf(run);
    return series.times.map((time) => time - begin);
  }
  const epochs = epochMarks(run);
  return series.times.map((time) => interpolate(epochs, time));
}

export function startOf(run: RunData): number {
  return run.header.started ?? run.header.submitted;
}

/** The Unix times between which a stretch of an axis lies. */
export function toTimes(run: RunData, axis: 'epoch' | 'time', from: number, until: number): [number, number] {
  if (axis === 'time') return [from + startOf(run), until + startOf(run)];
  const turned = epochMarks(run).map(([time, epoch]) => [epoch, time] as const);
  return [interpolate(turned, from), interpolate(turned, until)];
}

type Mark = readonly [at: number, value: number];

/**
 * When each epoch was first heard of. Where epochs are told when they are over, what came before the first belongs to
 * it: the marks begin with the first record of all, and an epoch 0 that is over counts as one.
 */
function epochMarks(run: RunData): Mark[] {
  const series = run.series.find((one) => EPOCH_NAMES.has(one.name));
  const marks: Mark[] = [];
  series?.values.forEach((value, i) => {
    const last = marks[marks.length - 1];
    if (Number.isFinite(value) && (!last || value > last[1])) marks.push([series.times[i] ?? NaN, value]);
  });
  const [first, second] = marks;
  if (!first || !second) return marks;
  const begin = Math.min(...run.series.map((one) => one.times[0] ?? Infinity));
  if (first[0] - begin < (second[0] - first[0]) / 2) return marks;
  const over = first[1] === 0 ? 1 : 0;
  return [[begin, first[1] + over - 1], ...marks.map(([at, value]): Mark => [at, value + over])];
}

/** The value between two marks; beyond the outer ones as between the two next to them, but no further than one on. */
function interpolate(marks: readonly Mark[], at: number): number {
  const [first, second] = marks;
  const last = marks[marks.length - 1];
  if (!first || !last) return NaN;
  if (!second) return first[1];
  let low = 0;
  let high = marks.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((marks[middle]?.[0] ?? 0) <= at) low = middle;
    else high = middle;
  }
  const [[x0, y0], [x1, y1]] = [marks[low] ?? first, marks[high] ?? last];
  const value = y0 + ((at - x0) / (x1 - x0 || 1)) * (y1 - y0);
  return Math.min(last[1] + (last[1] - (marks[marks.length - 2]?.[1] ?? 0)), Math.max(first[1] - (second[1] - first[1]), value));
}

export function increments(axis: Axis): number[] {
  return axis === 'step' ? STEP_INCREMENTS : axis === 'time' ? TIME_INCREMENTS : EPOCH_INCREMENTS;
}

export function axisTicks(axis: Axis, values: readonly number[], increment: number): string[] {
  return axis === 'time' ? values.map(formatElapsed) : formatTicks(values, increment);
}

/** "step 1200", "epoch 3.25", "at 1:02:03". */
export function axisValue(axis: Axis, x: number): string {
  return axis === 'time' ? `at ${formatElapsed(x)}` : `${axis} ${formatNumber(axis === 'epoch' ? Math.round(x * 100) / 100 : x)}`;
}
