import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { Series } from './model.ts';
import { align, decodeFloats, isolated, mergeSeries, toLine, type Line, type PackedSeries } from './series.ts';

function pack(numbers: readonly number[], offset = 0): DataView {
  const view = new DataView(new ArrayBuffer(numbers.length * 8 + offset), offset);
  numbers.forEach((number, i) => {
    view.setFloat64(i * 8, number, true);
  });
  return view;
}

const about = { name: 'loss', group: 'loss', role: '', better: -1, n: 9, last: 1, lastStep: 8, min: 0, max: 1 };

function packed(keep: number, values: readonly number[]): PackedSeries {
  const steps = values.map((_, i) => keep + i);
  return { ...about, keep, points: pack([...steps, ...steps.map((x) => x + 0.5), ...values, ...values]) };
}

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
/** A line as the kernel sends it: x ascending, now and then twice the same. */
const lines = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.option(finite, { freq: 5 })), { maxLength: 40 })
  .map((points): Line => {
    points.sort(([a], [b]) => a - b);
    return { x: points.map(([x]) => x), y: points.map(([, y]) => y) };
  });

describe('columns from the kernel', () => {
  it('are read wherever they lie in their buffer', () => {
    expect([...decodeFloats(pack([1.5, -2, NaN]))]).toEqual([1.5, -2, NaN]);
    expect([...decodeFloats(pack([0.1, 1e300], 3))]).toEqual([0.1, 1e300]);
    expect([...decodeFloats(pack([]))]).toEqual([]);
  });

  it('come back number by number', () => {
    fc.assert(
      fc.property(fc.array(fc.double()), fc.nat(16), (numbers, offset) => {
        expect([...decodeFloats(pack(numbers, offset))]).toEqual(numbers);
      }),
    );
  });

  it('follow those that stay', () => {
    const first = mergeSeries([], [packed(0, [3, 2, 1])]);
    const [series] = mergeSeries(first, [packed(2, [0.5, 0.25])]);
    expect([...(series?.values ?? [])]).toEqual([3, 2, 0.5, 0.25]);
    expect([...(series?.steps ?? [])]).toEqual([0, 1, 2, 3]);
    expect([...(series?.times ?? [])]).toEqual([0.5, 1.5, 2.5, 3.5]);
  });

  it('are the same in one piece or in many', () => {
    fc.assert(
      fc.property(fc.array(finite, { minLength: 1 }), fc.array(fc.nat(3)), (values, cuts) => {
        let known: Series[] = [];
        for (let at = 0, i = 0; at < values.length; i++) {
          // The kernel sends the last neighbourhood once more: it has grown.
          const keep = Math.max(0, at - 1);
          const until = at + 1 + (cuts[i] ?? 3);
          known = mergeSeries(known, [packed(keep, values.slice(keep, until))]);
          at = until;
        }
        expect([...(known[0]?.values ?? [])]).toEqual(values);
      }),
    );
  });

  it('leave other series as they are', () => {
    const first = mergeSeries([], [packed(0, [1]), { ...packed(0, [2]), name: 'accuracy' }]);
    const second = mergeSeries(first, [packed(1, [5])]);
    expect(second.map(({ name }) => name)).toEqual(['loss', 'accuracy']);
    expect(second[1]).toBe(first[1]);
  });
});

describe('the line of a chart', () => {
  it('has gaps where values are not finite', () => {
    expect(toLine([0, 1, 2, 3], [1, NaN, Infinity, 2])).toEqual({ x: [0, 1, 2, 3], y: [1, null, null, 2] });
  });

  it('is drawn in the order of its x, those of one x in the order in which they came, and loses no value', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: -50, max: 50 }), finite)), (points) => {
        const line = toLine(points.map(([x]) => x), points.map(([, y]) => y));
        const inOrder = [...points].sort(([a], [b]) => a - b);
        expect(line).toEqual({ x: inOrder.map(([x]) => x), y: inOrder.map(([, y]) => y) });
      }),
    );
  });

  it('shows values between two gaps as points', () => {
    expect(isolated([1, null, 2, null, 3, 4, null, 5])).toEqual([0, 2, 7]);
    expect(isolated([7])).toEqual([0]);
    expect(isolated([1, 2, 3])).toEqual([]);
    expect(isolated([1, undefined, 2, null, undefined, 3])).toEqual([5]);
  });
});

describe('lines over each other', () => {
  it('keep every point, in order: no extreme is lost', () => {
    fc.assert(
      fc.property(fc.array(lines, { minLength: 1, maxLength: 4 }), (several) => {
        const [x, ...columns] = align(several);
        expect(x).toEqual([...x].sort((a, b) => a - b));
        several.forEach((line, i) => {
          const there = x.flatMap((at, row) => (columns[i]?.[row] === undefined ? [] : [[at, columns[i][row]]]));
          expect(there).toEqual(line.x.map((at, row) => [at, line.y[row]]));
        });
      }),
    );
  });

  it('share their x where it is the same', () => {
    const line = { x: [0, 0, 1], y: [1, 9, 2] };
    expect(align([line, { x: [0, 0, 1], y: [3, 4, 5] }])).toEqual([
      [0, 0, 1],
      [1, 9, 2],
      [3, 4, 5],
    ]);
  });
});
