// What happened to the metrics, beside what was changed.
import { isClock } from '../axis.ts';
import { formatNumber } from '../format.ts';
import type { RunData } from '../model.ts';
import type { Num } from '../words.ts';
import type { RunChanges } from './model.ts';

export interface Effect {
  readonly name: string;
  /** -1: lower is better, 1: higher is better, 0: nobody knows. */
  readonly better: number;
  /** Before and now; null where there is none. */
  readonly last: readonly [Num, Num];
  /** Where somebody knows which is better. */
  readonly best: readonly [Num, Num] | null;
  readonly verdict: 'better' | 'worse' | 'the same' | 'higher' | 'lower' | '';
  /** "by 0.02 (2.2 %)" */
  readonly by: string;
}

/** Compare a run's metrics with those of the run before: best values where it is known which those are, last ones otherwise. */
export function effects(before: Pick<RunChanges, 'metrics' | 'best'>, { series, sweep }: Pick<RunData, 'series' | 'sweep'>): Effect[] {
  // What only counts how far a run is came of nothing that was changed.
  const found = before.metrics.filter(([name]) => !isClock({ name })).map(([name, better, last, best]): Effect => {
    const now = series.find((one) => one.name === name);
    const bestNow = now ? (better > 0 ? now.max : better < 0 ? now.min : null) : null;
    const [from, to] = better ? [best, bestNow] : [last, now?.last ?? null];
    return { name, better, last: [last, now?.last ?? null], best: better ? [best, bestNow] : null, ...judge(from, to, better) };
  });
  if (!before.best) return found;
  // What a sweep was after comes before its own few metrics.
  const [name, better, best] = before.best;
  const now = sweep?.about?.objectives[0]?.metric === name ? (sweep.status?.best?.values[0] ?? null) : null;
  return [{ name, better, last: [null, null], best: [best, now], ...judge(best, now, better) }, ...found];
}

function judge(from: Num, to: Num, better: number): Pick<Effect, 'verdict' | 'by'> {
  if (typeof from !== 'number' || typeof to !== 'number') return { verdict: '', by: '' };
  const more = to - from;
  if (more === 0) return { verdict: 'the same', by: '' };
  const verdict = better ? (more * better > 0 ? 'better' : 'worse') : more > 0 ? 'higher' : 'lower';
  const size = Math.abs(more);
  const percent = from === 0 ? null : (100 * size) / Math.abs(from);
  const part = percent === null || percent >= 1000 ? '' : ` (${percent < 0.1 ? '< 0.1' : percent.toFixed(percent < 10 ? 1 : 0)} %)`;
  return { verdict, by: `by ${formatNumber(size)}${part}` };
}

/** The metric that a reader looks at first: a validation's, where it is known which is better. */
export function foremost(all: readonly Effect[]): Effect | null {
  const judged = all.filter(({ verdict }) => verdict);
  return judged.find(({ name, better }) => better && /(^|[/_.-])(val|valid|validation|test)/i.test(name)) ?? judged.find(({ better }) => better) ?? judged[0] ?? null;
}
