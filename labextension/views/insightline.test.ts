import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { insightOf, insightWords, type Curve, type Insight } from './insightline.ts';
import { toLine } from './series.ts';

interface Case {
  readonly name: string;
  readonly judged: string | null;
  readonly series: Readonly<Record<string, readonly [number[], (number | null)[]]>>;
  readonly best: Insight['best'];
  readonly overfitting: Insight['overfitting'];
}

/** What the kernel says of these names. */
const PLACES: Readonly<Record<string, readonly [group: string, role: string, better: number]>> = {
  loss: ['loss', '', -1],
  train_loss: ['loss', 'train', -1],
  val_loss: ['loss', 'validation', -1],
  test_loss: ['loss', 'test', -1],
  accuracy: ['accuracy', '', 1],
  train_accuracy: ['accuracy', 'train', 1],
  val_accuracy: ['accuracy', 'validation', 1],
  val_f1: ['f1', 'validation', 1],
};

const cases = JSON.parse(readFileSync(new URL('../../tests/insight.json', import.meta.url), 'utf-8')) as Case[];

function curves(one: Case): Curve[] {
  return Object.entries(one.series).map(([name, [steps, values]]) => {
    const [group, role, better] = PLACES[name] ?? [name, '', 0];
    return { name, group, role, better, line: toLine(steps, values.map((value) => value ?? NaN)) };
  });
}

describe('what curves tell', () => {
  it.each([[1000, 'epoch'], [1001, 'step']] as const)('counts no epochs where a metric is logged thousands of times: %i', (count, unit) => {
    const steps = Array.from({ length: count }, (_, i) => i);
    const line = toLine(steps, steps.map((step) => 1 / (step + 1)));
    expect(insightOf([{ name: 'loss', group: 'loss', role: '', better: -1, line }], null).best).toMatchObject({ step: count - 1, unit });
  });

  it.each(cases)('is the same in both languages: $name', (one) => {
    const { best, overfitting } = one;
    expect(insightOf(curves(one), one.judged)).toEqual({ best, overfitting });
  });

  it('is said in sentences', () => {
    const [first] = cases;
    if (!first) throw new Error('there are no cases');
    expect(insightWords(insightOf(curves(first), null))).toEqual([
      'Best val_loss 1 at epoch 8',
      'Validation has been getting worse since epoch 8 (val_loss 1 → 2) while training got better',
    ]);
    expect(insightWords(insightOf([], null))).toEqual([]);
  });
});
