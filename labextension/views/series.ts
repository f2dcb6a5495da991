import type { Series } from './model.ts';

/** A metric as the kernel sends it: the columns as float64, little endian. */
export interface PackedSeries extends Omit<Series, 'steps' | 'values'> {
  readonly steps: DataView;
  readonly values: DataView;
}

/** Read float64 numbers, little endian, wherever they lie in their buffer. */
export function decodeFloats(view: DataView): Float64Array {
  const count = Math.floor(view.byteLength / 8);
  const numbers = new Float64Array(count);
  for (let i = 0; i < count; i++) numbers[i] = view.getFloat64(i * 8, true);
  return numbers;
}

export function decodeSeries(packed: readonly PackedSeries[]): Series[] {
  return packed.map((one) => ({
    ...one,
    steps: decodeFloats(one.steps),
    values: decodeFloats(one.values),
  }));
}

export type Line = [x: number[], y: (number | null)[]];

/** Columns for the chart: x ascending, null where the line has a gap (NaN, infinity). */
export function toLine(series: Pick<Series, 'steps' | 'values'>): Line {
  const x: number[] = [];
  const y: (number | null)[] = [];
  const n = Math.min(series.steps.length, series.values.length);
  for (let i = 0; i < n; i++) {
    const value = series.values[i] ?? NaN;
    x.push(series.steps[i] ?? NaN);
    y.push(Number.isFinite(value) ? value : null);
  }
  return [x, y];
}

/** Indices of values with a gap on both sides: no line reaches them, so they are drawn as points. */
export function isolated(y: readonly (number | null | undefined)[]): number[] {
  const found: number[] = [];
  for (let i = 0; i < y.length; i++) {
    if (y[i] != null && y[i - 1] == null && y[i + 1] == null) found.push(i);
  }
  return found;
}
