// What a run's curves tell, in sentences; mlwidgets/runs/insight.py says the same where there is no view.
import { element } from './dom.ts';
import { formatNumber } from './format.ts';
import { bestPoint, middle, overfittingFrom, unitOf } from './insight.ts';
import type { RunData } from './model.ts';
import { toLine, type Line } from './series.ts';

/** What of a series counts here. */
export interface Curve {
  readonly name: string;
  readonly group: string;
  readonly role: string;
  readonly better: number;
  readonly line: Line;
}

export interface Best {
  readonly metric: string;
  readonly value: number;
  readonly step: number;
  readonly unit: 'epoch' | 'step';
}

export interface Overfitting {
  readonly metric: string;
  readonly training: string;
  readonly since: number;
  readonly unit: 'epoch' | 'step';
  readonly best: number;
  readonly now: number;
}

export interface Insight {
  readonly best: Best | null;
  readonly overfitting: readonly Overfitting[];
}

const JUDGES: Readonly<Record<string, number>> = { validation: 0, test: 1, '': 2 };

/** Where what a run is judged by was best (`max:val_accuracy`, where somebody has said so), and what gets worse. */
export function insightOf(curves: readonly Curve[], judged: string | null): Insight {
  const overfitting = curves.flatMap((one): Overfitting[] => {
    if (one.role !== 'validation' || !one.better) return [];
    const training = curves.find(({ group, role }) => group === one.group && (role === '' || role === 'train'));
    const since = training ? overfittingFrom(one.line, training.line, one.better) : null;
    const best = bestPoint(one.line, one.better);
    if (!training || since === null || !best) return [];
    return [{ metric: one.name, training: training.name, since, unit: unitOf(one.line), best: best.y, now: middle(one.line) }];
  });
  return { best: bestOf(curves, judged), overfitting };
}

function bestOf(curves: readonly Curve[], judged: string | null): Best | null {
  const [kind, ...name] = (judged ?? '').split(':');
  let better = kind === 'max' ? 1 : -1;
  let found = curves.find((one) => judged && one.name === name.join(':'));
  if (!found) {
    const known = curves.filter(({ role, better: known }) => role in JUDGES && known);
    [found] = known.sort((a, b) => (JUDGES[a.role] ?? 0) - (JUDGES[b.role] ?? 0));
    better = found?.better ?? 0;
  }
  const best = found ? bestPoint(found.line, better) : null;
  return found && best ? { metric: found.name, value: best.y, step: best.x, unit: unitOf(found.line) } : null;
}

export function insightWords({ best, overfitting }: Insight): string[] {
  const words = best ? [`Best ${best.metric} ${formatNumber(best.value)} at ${best.unit} ${best.step}`] : [];
  const turns = new Map<string, string[]>();
  for (const { metric, since, unit, best: from, now } of overfitting) {
    const key = `${unit} ${since}`;
    turns.set(key, [...(turns.get(key) ?? []), `${metric} ${formatNumber(from)} → ${formatNumber(now)}`]);
  }
  for (const [since, values] of turns) {
    words.push(`Validation has been getting worse since ${since} (${values.join(', ')}) while training got better`);
  }
  return words;
}

/** A line below the title for each thing that the curves tell. */
export class InsightLine {
  readonly node = element('div', 'mlw-insight', { role: 'note', 'aria-label': 'What the curves tell', hidden: '' });
  private seen: RunData['series'] | null = null;
  private judged: string | null = null;
  private shown = '';

  update(run: RunData): void {
    const judged = run.details?.checkpoints?.judged ?? null;
    if (run.series === this.seen && judged === this.judged) return;
    this.seen = run.series;
    this.judged = judged;
    const curves = run.series.map(({ name, group, role, better, steps, values }) => ({ name, group, role, better, line: toLine(steps, values) }));
    const words = run.sweep ? [] : insightWords(insightOf(curves, judged));
    if (words.join('\n') === this.shown) return;
    this.shown = words.join('\n');
    this.node.hidden = !words.length;
    this.node.replaceChildren(...words.map((line) => element('div', '', {}, line)));
  }
}
