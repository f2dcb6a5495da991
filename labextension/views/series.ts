import type { Series } from './model.ts';

/** A metric as the kernel sends it: four columns of float64, little endian, one after the other. */
export interface PackedSeries extends Omit<Series, 'steps' | 'times' | 'values' | 'means'> {
  /** How many points of those known already stay; what is sent follows them. */
  readonly keep: number;
  readonly points: DataView;
}

/** Read float64 numbers, little endian, wherever they lie in their buffer. */
export function decodeFloats(view: DataView): Float64Array {
  const count = Math.floor(view.byteLength / 8);
  const numbers = new Float64Array(count);
  for (let i = 0; i < count; i++) numbers[i] = view.getFloat64(i * 8, true);
  return numbers;
}

/** Add what was sent to what is known of each series; the order is that in which they first came. */
export function mergeSeries(known: readonly Series[], sent: readonly PackedSeries[]): Series[] {
  const byName = new Map(known.map((one) => [one.name, one]));
  for (const { keep, points, ...about } of sent) {
    const before = byName.get(about.name);
    const numbers = decodeFloats(points);
    const count = numbers.length / 4;
    const column = (index: number, old: Float64Array | undefined): Float64Array =>
      follow(old, keep, numbers.subarray(index * count, (index + 1) * count));
    byName.set(about.name, {
      ...about,
      steps: column(0, before?.steps),
      times: column(1, before?.times),
      values: column(2, before?.values),
      means: column(3, before?.means),
    });
  }
  return [...byName.values()];
}

function follow(old: Float64Array | undefined, keep: number, added: Float64Array): Float64Array {
  if (!old || keep === 0) return added.slice();
  const all = new Float64Array(keep + added.length);
  all.set(old.subarray(0, keep));
  all.set(added, keep);
  return all;
}

/** A line to draw: x ascending, null where it has a gap (NaN, infinity). */
export interface Line {
  readonly x: readonly number[];
  readonly y: readonly (number | null)[];
}

/** Bring values into the order of their x; those without an x are left out. */
export function toLine(x: ArrayLike<number>, values: ArrayLike<number>): Line {
  const n = Math.min(x.length, values.length);
  const order: number[] = [];
  let sorted = true;
  for (let i = 0; i < n; i++) {
    const here = x[i] ?? NaN;
    if (!Number.isFinite(here)) continue;
    const before = order[order.length - 1];
    if (before !== undefined && (x[before] ?? NaN) > here) sorted = false;
    order.push(i);
  }
  if (!sorted) order.sort((a, b) => (x[a] ?? 0) - (x[b] ?? 0) || a - b);
  return {
    x: order.map((i) => x[i] ?? NaN),
    y: order.map((i) => (Number.isFinite(values[i]) ? (values[i] ?? null) : null)),
  };
}

/** One x for several lines. Undefined stands where a line has nothing at an x, null where it has a gap. */
export type Aligned = [x: number[], ...y: (number | null | undefined)[][]];

/** Lay lines over each other without losing a point: an x that a line holds twice is there twice. */
export function align(lines: readonly Line[]): Aligned {
  const [only] = lines;
  if (only && lines.every((line) => sameNumbers(line.x, only.x))) {
    return [[...only.x], ...lines.map((line) => [...line.y])];
  }
  const x: number[] = [];
  const columns: (number | null | undefined)[][] = lines.map(() => []);
  const at = lines.map(() => 0);
  for (;;) {
    let next = Infinity;
    lines.forEach((line, i) => {
      next = Math.min(next, line.x[at[i] ?? 0] ?? Infinity);
    });
    if (next === Infinity) break;
    x.push(next);
    lines.forEach((line, i) => {
      const here = at[i] ?? 0;
      const there = line.x[here] === next;
      columns[i]?.push(there ? line.y[here] : undefined);
      if (there) at[i] = here + 1;
    });
  }
  return [x, ...columns];
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((value, i) => value === b[i]));
}

/** Indices of values with a gap on both sides: no line reaches them, so they are drawn as points. */
export function isolated(y: readonly (number | null | undefined)[]): number[] {
  const found: number[] = [];
  let before: number | null | undefined = null;
  let candidate = -1;
  for (let i = 0; i < y.length; i++) {
    const value = y[i];
    if (value === undefined) continue;
    if (value === null) {
      if (candidate >= 0) found.push(candidate);
      candidate = -1;
    } else candidate = before === null ? i : -1;
    before = value;
  }
  if (candidate >= 0) found.push(candidate);
  return found;
}
