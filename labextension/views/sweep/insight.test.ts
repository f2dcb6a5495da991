import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { bestSoFar, bestTrial, curvesRange, frontOf, paretoFront, reach } from './insight.ts';
import type { Curve, Objective } from './model.ts';
import { about, sweepOf, trial } from './testing.ts';

const value = fc.integer({ min: -20, max: 20 });
const trials = fc
  .array(fc.record({ state: fc.constantFrom('finished' as const, 'terminated' as const, 'running' as const), values: fc.option(fc.tuple(value, value)) }), { maxLength: 40 })
  .map((given) => given.map((one, number) => trial({ ...one, number })));
const direction = fc.constantFrom('maximize' as const, 'minimize' as const);
const by = ({ number }: { number: number }): number => number;

describe('the best so far', () => {
  it('gets better with each step, and is the best of all that have finished up to then', () => {
    fc.assert(
      fc.property(trials, fc.constantFrom(1 as const, -1 as const), (all, sign) => {
        const steps = bestSoFar(all, by, sign);
        for (let i = 1; i < steps.length; i++) expect(((steps[i]?.value ?? 0) - (steps[i - 1]?.value ?? 0)) * sign).toBeGreaterThan(0);
        all.forEach((_, until) => {
          const values = all.slice(0, until + 1).flatMap((one) => (one.state === 'finished' && one.values ? [one.values[0] as number] : []));
          const best = steps.filter(({ x }) => x <= until).pop()?.value;
          expect(best).toBe(values.length ? (sign > 0 ? Math.max(...values) : Math.min(...values)) : undefined);
        });
      }),
    );
  });

  it('is what the sweep says of itself', () => {
    const all = [trial({ number: 0, values: [2] }), trial({ number: 1, values: [1] })];
    expect(bestTrial(sweepOf(all))?.number).toBe(0);
    expect(bestTrial(sweepOf(all, { about: about({ objectives: [{ metric: 'loss', direction: 'minimize' }] }) }))?.number).toBe(1);
    const status = { best: { number: 1, run: null, values: [1] } } as never;
    expect(bestTrial(sweepOf(all, { status }))?.number).toBe(1);
    expect(bestTrial(sweepOf([]))).toBeNull();
  });
});

describe('the Pareto front', () => {
  it('holds no trial that another beats, and beats or equals every other', () => {
    fc.assert(
      fc.property(trials, direction, direction, (all, first, second) => {
        const objectives: Objective[] = [{ metric: 'a', direction: first }, { metric: 'b', direction: second }];
        const signs = objectives.map((one) => (one.direction === 'maximize' ? 1 : -1));
        const better = (number: number): number[] => (all[number]?.values ?? []).map((one, i) => (one as number) * (signs[i] ?? 1));
        const front = new Set(paretoFront(all, objectives));
        const finished = all.filter((one) => one.state === 'finished' && one.values).map(by);
        const covers = (a: number, b: number): boolean => better(a).every((one, i) => one >= (better(b)[i] ?? 0));
        for (const number of finished) {
          const beaten = finished.some((other) => covers(other, number) && !covers(number, other));
          expect(front.has(number)).toBe(!beaten);
          expect([...front].some((other) => covers(other, number))).toBe(true);
        }
        expect([...front].every((number) => finished.includes(number))).toBe(true);
        expect(frontOf(sweepOf(all, { about: about({ objectives }) }))).toEqual([...front]);
      }),
    );
  });
});

describe('what a scale reaches', () => {
  it('leaves out what went astray on the bad side alone', () => {
    const losses = [0.1, 0.2, 0.25, 0.3, 0.31, 0.4, 0.45, 0.5, 0.6];
    expect(reach(losses, -1)).toEqual([0.1, 0.6]);
    expect(reach([...losses, 1e6], -1)).toEqual([0.1, 0.6]);
    expect(reach([...losses, -1e6], -1)).toEqual([-1e6, 0.6]);
    expect(reach([...losses, -1e6], 1)).toEqual([0.1, 0.6]);
    expect(reach([1, 1e6], -1)).toEqual([1, 1e6]);
    expect(reach([], 1)).toBeNull();
    expect(reach([3, 3, 3, 3, 3, 3, 3, 3, 9], -1)).toEqual([3, 9]);
  });

  it('follows curves to their ends, and to their beginnings where those are not far', () => {
    const curves = (first: number): Map<number, Curve> =>
      new Map(Array.from({ length: 9 }, (_, number) => [number, { number, n: 2, steps: Float64Array.of(0, 1), values: Float64Array.of(first, 0.1 + number / 100) }]));
    const range = (first: number, whole = false): unknown => curvesRange({ curves: curves(first), trials: [] }, -1, false, whole);
    expect(range(0.6)).toEqual({ low: 0.1, high: 0.6, cut: false });
    expect(range(90)).toEqual({ low: 0.1, high: expect.closeTo(0.18, 9) as number, cut: true });
    expect(range(90, true)).toEqual({ low: 0.1, high: 90, cut: false });
    expect(curvesRange({ curves: new Map(), trials: [] }, 1, false, false)).toBeNull();
  });
});
