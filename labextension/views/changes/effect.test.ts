import { describe, expect, test } from 'vitest';

import type { Series } from '../model.ts';
import type { SweepData } from '../sweep/model.ts';
import { effects, foremost } from './effect.ts';
import type { RunChanges } from './model.ts';
import { sinceWords } from './since.ts';

function series(name: string, last: number, min: number, max: number): Series {
  const empty = new Float64Array();
  return { name, group: name, role: '', better: 0, n: 2, last, lastStep: 1, min, max, steps: empty, times: empty, values: empty, means: empty };
}

const CHANGES: RunChanges = {
  since: { id: 'r0', name: 'lenet', state: 'finished', submitted: 0 },
  params: [['lr', '0.001', '0.0003'], ['drop', null, '0.1'], ['warmup', '5', null]],
  cell: [['=', 1, 1, 'a'], ['~', 2, 2, [[1, 'b']], [[1, 'c']]], ['+', 3, 'd'], ['+', 4, 'e']],
  notebook: null,
  modules: [],
  environment: [],
  metrics: [['loss', -1, 0.5, 0.4], ['val/accuracy', 1, 0.9, 0.91], ['lr', 0, 0.1, null], ['gone', 1, 1, 1], ['epoch', 0, 4, null]],
};
const NOW = { series: [series('loss', 0.45, 0.42, 2), series('val/accuracy', 0.92, 0.1, 0.93), series('lr', 0.2, 0.1, 0.2)], sweep: null };

describe('the effect of a change', () => {
  test('is judged by the best values where it is known which is better', () => {
    expect(effects(CHANGES, NOW).map(({ name, verdict, by }) => `${name} ${verdict} ${by}`)).toEqual([
      'loss worse by 0.02 (5.0 %)',
      'val/accuracy better by 0.02 (2.2 %)',
      'lr higher by 0.1 (100 %)',
      'gone  ',
    ]);
  });

  test('is not told where a value is no number, or where both are the same', () => {
    const [nan, same] = effects({ metrics: [['loss', -1, 'NaN', 'NaN'], ['val/accuracy', 1, 0.9, 0.93]] }, NOW);
    expect([nan?.verdict, same?.verdict]).toEqual(['', 'the same']);
  });

  test('of a sweep is what came of the metric that it was after', () => {
    const sweep = { about: { objectives: [{ metric: 'acc', direction: 'maximize' }] }, status: { best: { number: 1, run: null, values: [0.95] } } };
    const [first] = effects({ metrics: [], best: ['acc', 1, 0.9] }, { series: [], sweep: sweep as unknown as SweepData });
    expect(first).toMatchObject({ name: 'acc', verdict: 'better', best: [0.9, 0.95] });
  });

  test('is told first of a validation', () => {
    expect(foremost(effects(CHANGES, NOW))?.name).toBe('val/accuracy');
    expect(foremost(effects({ metrics: [['lr', 0, 0.1, null], ['loss', -1, 0.5, 0.4]] }, NOW))?.name).toBe('loss');
    expect(foremost(effects({ metrics: [['gone', 1, 1, 1]] }, NOW))).toBeNull();
  });
});

describe('one line', () => {
  test('tells parameters, lines, and the effect', () => {
    expect(sinceWords(CHANGES, foremost(effects(CHANGES, NOW)), false)).toBe(
      'lr 0.001 → 0.0003 · drop 0.1 · without warmup · cell +3 −1 lines · val/accuracy 0.91 → 0.93 (better)',
    );
  });

  test('says that nothing changed', () => {
    expect(sinceWords({ ...CHANGES, params: [], cell: null }, null, true)).toBe('nothing changed');
  });

  test('counts what it has no room for', () => {
    const params = Array.from({ length: 5 }, (_, i) => [`p${i}`, '1', '2'] as const);
    expect(sinceWords({ ...CHANGES, params, modules: [['utils.py', [['+', 1, 'x']]]], environment: [['python', '3.11', '3.12']] }, null, false)).toBe(
      'p0 1 → 2 · p1 1 → 2 · p2 1 → 2 · 2 more parameters · cell +3 −1 lines · utils.py +1 line · other environment',
    );
  });
});
