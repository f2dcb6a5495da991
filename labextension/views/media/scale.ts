// Where things lie and how strongly they are coloured: arithmetic without a page.
import type { Cell, HistogramStep, HistogramTrack, MatrixStep } from './model.ts';

/** The lower edge of a bin; `place` may be the number of bins, for the upper edge of the last. */
export function edgeOf(track: HistogramTrack, place: number): number {
  return (track.first + place) * 2 ** track.exponent;
}

/** The edges of columns that stand for steps, from 0 to 1: as far apart as the steps, or equally where they repeat. */
export function columnEdges(steps: readonly number[]): number[] {
  const n = steps.length;
  const rising = steps.every((step, i) => i === 0 || step > (steps[i - 1] ?? step));
  const at = rising ? steps : steps.map((_, i) => i);
  if (n < 2) return [0, 1];
  const x = (i: number): number => at[i] ?? 0;
  const middles = at.slice(1).map((_, i) => (x(i) + x(i + 1)) / 2);
  const low = x(0) - ((middles[0] ?? 0) - x(0));
  const high = x(n - 1) + (x(n - 1) - (middles[n - 2] ?? 0));
  return [low, ...middles, high].map((edge) => (edge - low) / (high - low));
}

/** The column that a place from 0 to 1 lies in. */
export function columnAt(edges: readonly number[], place: number): number {
  let column = 0;
  while (column < edges.length - 2 && place >= (edges[column + 1] ?? 1)) column += 1;
  return column;
}

/** The share of a step's finite values that counts as full colour: some steps may exceed it. */
export function fullShare(steps: readonly HistogramStep[]): number {
  const peaks = steps.filter((one) => one.n > 0).map((one) => Math.max(...one.counts) / one.n);
  peaks.sort((a, b) => a - b);
  return peaks[Math.floor((peaks.length - 1) * 0.9)] ?? 1;
}

/** How strongly a share is coloured, 0 to 1: thin tails stay visible. */
export function strength(share: number, full: number): number {
  return share <= 0 || full <= 0 ? 0 : Math.min(1, 0.06 + 0.94 * Math.sqrt(share / full));
}

/** Round numbers between two values, about `count` of them, and how far apart they are. */
export function roundTicks(low: number, high: number, count: number): { ticks: number[]; increment: number } {
  if (!(high > low)) return { ticks: [low], increment: 1 };
  const raw = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const increment = ([1, 2, 2.5, 5, 10].find((m) => m * power >= raw * 0.999) ?? 10) * power;
  const first = Math.ceil(low / increment - 1e-9);
  const last = Math.floor(high / increment + 1e-9);
  const ticks = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * increment);
  return { ticks, increment };
}

export type Normalise = 'counts' | 'true' | 'predicted';

/** The share of a cell: of all that are of its true class, or of all that are predicted to be its class. */
export function cellShare(matrix: MatrixStep, row: number, column: number, by: Normalise): number {
  const count = matrix.counts[row]?.[column] ?? 0;
  const line = by === 'predicted' ? matrix.counts.map((one) => one[column] ?? 0) : (matrix.counts[row] ?? []);
  const total = line.reduce((sum, one) => sum + one, 0);
  return total > 0 ? count / total : 0;
}

/** How strongly each cell is coloured, from 0 to 1. */
export function cellStrengths(matrix: MatrixStep, by: Normalise): number[][] {
  if (by !== 'counts') {
    return matrix.counts.map((row, i) => row.map((_, j) => cellShare(matrix, i, j, by)));
  }
  const largest = Math.max(0, ...matrix.counts.flat());
  return matrix.counts.map((row) => row.map((count) => (largest > 0 ? count / largest : 0)));
}

/** The order of rows by one column: numbers by size, texts by the alphabet, nothing last. */
export function sortedRows(rows: readonly (readonly Cell[])[], column: number, descending: boolean): number[] {
  const order = rows.map((_, i) => i);
  const value = (row: number): Cell => rows[row]?.[column] ?? null;
  return order.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (isNothing(x) || isNothing(y)) return Number(isNothing(x)) - Number(isNothing(y)) || a - b;
    return (descending ? -1 : 1) * compare(x, y) || a - b;
  });
}

function isNothing(cell: Cell): boolean {
  return cell === null || cell === 'NaN';
}

function compare(x: Cell, y: Cell): number {
  const [a, b] = [asNumber(x), asNumber(y)];
  if (a !== null && b !== null) return a < b ? -1 : a > b ? 1 : 0;
  return String(x).localeCompare(String(y), undefined, { numeric: true });
}

function asNumber(cell: Cell): number | null {
  if (typeof cell === 'number') return cell;
  if (typeof cell === 'boolean') return Number(cell);
  return cell === 'Infinity' ? Infinity : cell === '-Infinity' ? -Infinity : null;
}

/** Whether a column holds numbers (and maybe gaps) alone. */
export function isNumeric(rows: readonly (readonly Cell[])[], column: number): boolean {
  let found = false;
  for (const row of rows) {
    const cell = row[column] ?? null;
    if (isNothing(cell)) continue;
    if (typeof cell === 'boolean' || asNumber(cell) === null) return false;
    found = true;
  }
  return found;
}

/** Pixels at which an image is shown: small ones by a whole factor, so that their pixels stay square. */
export function shownSize(width: number, height: number, side: number): { width: number; height: number } {
  const longer = Math.max(width, height, 1);
  const factor = longer <= side ? Math.max(1, Math.floor(side / longer)) : side / longer;
  return { width: Math.max(1, Math.round(width * factor)), height: Math.max(1, Math.round(height * factor)) };
}

/** The step to show after a change: the latest stays the latest, another stays where it was. */
export function keepPlace(before: readonly { step: number; time: number }[], at: number, after: readonly { step: number; time: number }[]): number {
  const last = after.length - 1;
  const shown = before[at];
  if (!shown || at === before.length - 1) return last;
  let best = last;
  after.forEach((one, i) => {
    if (Math.abs(one.time - shown.time) < Math.abs((after[best]?.time ?? Infinity) - shown.time)) best = i;
  });
  return best;
}
