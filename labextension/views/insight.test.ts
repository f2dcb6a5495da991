import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { bestPoint, bestWords, overfittingFrom, smooth } from './insight.ts';
import { insightOf } from './insightline.ts';
import type { Line } from './series.ts';

function curve(of: (x: number) => number | null, count = 20): Line {
  const x = Array.from({ length: count }, (_, i) => i);
  return { x, y: x.map(of) };
}

const value = fc.double({ noNaN: true, noDefaultInfinity: true });

describe('the best point', () => {
  it('is the lowest or the highest of all', () => {
    fc.assert(
      fc.property(fc.array(fc.option(value), { minLength: 2 }), fc.constantFrom(-1, 1), (y, better) => {
        const best = bestPoint({ x: y.map((_, i) => i), y }, better);
        const there = y.filter((one) => one !== null);
        if (!there.length) expect(best).toBeNull();
        else expect(there.every((one) => (one - (best?.y ?? NaN)) * better <= 0 || one === best?.y)).toBe(true);
      }),
    );
  });

  it('is nothing where nobody knows what is better', () => {
    expect(bestPoint(curve((x) => x), 0)).toBeNull();
    expect(bestPoint({ x: [0], y: [1] }, -1)).toBeNull();
  });

  it.each([
    ['of each epoch', 1, 'epoch 6', 'epoch 6', 'epoch 6'],
    ['of each tenth batch', 10, 'step 60', 'epoch 3.25', '1:05'],
  ])('is called as the line above the charts calls it: a value %s', (_, every, ...said) => {
    const values = Array.from({ length: 20 }, (_, i) => (i - 6) ** 2);
    const series = { steps: Float64Array.from(values, (_, i) => i * every), values: Float64Array.from(values), better: -1 };
    const place = { step: 6 * every, epoch: 3.25, time: 65 };
    expect((['step', 'epoch', 'time'] as const).map((axis) => bestWords(series, axis, { x: place[axis], y: 0 }))).toEqual(said);
    const { best } = insightOf([{ name: 'loss', group: 'loss', role: '', better: -1, line: { x: [...series.steps], y: values } }], null);
    expect(`${best?.unit} ${best?.step}`).toBe(said[0]);
  });
});

describe('overfitting', () => {
  const falling = curve((x) => Math.exp(-x / 5));
  const turning = curve((x) => 1 + ((x - 8) / 10) ** 2);

  it('begins where validation was best while training goes on', () => {
    expect(overfittingFrom(turning, falling, -1)).toBe(8);
    expect(overfittingFrom(curve((x) => -((x - 8) ** 2)), curve((x) => x), 1)).toBe(8);
  });

  it('is not seen in noise, in a single bad value, or where both get worse', () => {
    expect(overfittingFrom(curve((x) => Math.exp(-x / 5) + 0.02 * (x % 2)), falling, -1)).toBeNull();
    expect(overfittingFrom(curve((x) => (x === 19 ? 3 : Math.exp(-x / 5))), falling, -1)).toBeNull();
    expect(overfittingFrom(turning, turning, -1)).toBeNull();
  });

  it('is not seen where the two count different steps', () => {
    expect(overfittingFrom(turning, curve((x) => Math.exp(-x / 50), 200), -1)).toBeNull();
  });
});

describe('smoothing', () => {
  it('leaves a constant as it is, and gaps where they are', () => {
    expect(smooth([2, 2, null, 2], 0.9)).toEqual([2, 2, null, 2]);
  });

  it('stays between the extremes', () => {
    const some = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(some, fc.double({ min: 0, max: 0.99, noNaN: true }), (y, weight) => {
        const slack = 1e-6 * Math.max(1, ...y.map(Math.abs));
        for (const one of smooth(y, weight)) {
          expect(one).toBeGreaterThanOrEqual(Math.min(...y) - slack);
          expect(one).toBeLessThanOrEqual(Math.max(...y) + slack);
        }
      }),
    );
  });
});
