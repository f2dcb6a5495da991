import { describe, expect, it } from 'vitest';

import { decodeFloats, decodeSeries, isolated, toLine } from './series.ts';

function pack(numbers: number[], offset = 0): DataView {
  const view = new DataView(new ArrayBuffer(numbers.length * 8 + offset), offset);
  numbers.forEach((number, i) => {
    view.setFloat64(i * 8, number, true);
  });
  return view;
}

describe('columns from the kernel', () => {
  it('are read wherever they lie in their buffer', () => {
    expect([...decodeFloats(pack([1.5, -2, NaN]))]).toEqual([1.5, -2, NaN]);
    expect([...decodeFloats(pack([0.1, 1e300], 3))]).toEqual([0.1, 1e300]);
    expect([...decodeFloats(pack([]))]).toEqual([]);
  });

  it('keep what is said about them', () => {
    const about = { name: 'loss', n: 9, last: 'NaN' as const, lastStep: 8, min: 0, max: 1 };
    const [series] = decodeSeries([{ ...about, steps: pack([0, 8]), values: pack([1, NaN]) }]);
    expect(series).toMatchObject(about);
    expect([...(series?.steps ?? [])]).toEqual([0, 8]);
  });
});

describe('the line of a chart', () => {
  it('has gaps where values are not finite', () => {
    const series = {
      steps: Float64Array.of(0, 1, 2, 3),
      values: Float64Array.of(1, NaN, Infinity, 2),
    };
    expect(toLine(series)).toEqual([
      [0, 1, 2, 3],
      [1, null, null, 2],
    ]);
  });

  it('shows values between two gaps as points', () => {
    expect(isolated([1, null, 2, null, 3, 4, null, 5])).toEqual([0, 2, 7]);
    expect(isolated([7])).toEqual([0]);
    expect(isolated([1, 2, 3])).toEqual([]);
  });
});
