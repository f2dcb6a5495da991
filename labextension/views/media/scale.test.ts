import { describe, expect, it } from 'vitest';

import { describe as describeHistogram } from './histogram.ts';
import { formatBytes } from './images.ts';
import { describe as describeCell } from './matrix.ts';
import { isEmpty, NO_MEDIA, readMedia, type HistogramStep, type MatrixStep } from './model.ts';
import {
  cellShare,
  cellStrengths,
  columnAt,
  columnEdges,
  edgeOf,
  fullShare,
  isNumeric,
  keepPlace,
  roundTicks,
  shownSize,
  sortedRows,
  strength,
} from './scale.ts';
import { cellText } from './table.ts';
import { isLight } from './theme.ts';

/** Numbers below 1 that are the same in each run of the tests. */
function randoms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

const STEP: HistogramStep = {
  step: 0, time: 0, n: 4, nan: 0, inf: 0, neginf: 0, min: -1, max: 2, mean: 0.5, std: 1, below: 0, above: 0, start: 0, counts: [1, 3],
};

const MATRIX: MatrixStep = {
  step: 0,
  time: 0,
  classes: ['cat', 'dog', 'never'],
  grouped: 0,
  counts: [
    [6, 2, 0],
    [1, 1, 0],
    [0, 0, 0],
  ],
  recall: [0.75, 0.5, null],
  precision: [0.857, 0.333, null],
  accuracy: 0.7,
  total: 10,
};

describe('the columns of a distribution', () => {
  it('are as far apart as the steps', () => {
    expect(columnEdges([0, 10, 20])).toEqual([0, 1 / 3, 2 / 3, 1]);
    expect(columnEdges([0, 1, 9])).toEqual([0, 1 / 13.5 + 0, 5.5 / 13.5, 1].map((edge) => expect.closeTo(edge, 9) as number));
    expect(columnEdges([5])).toEqual([0, 1]);
    expect(columnEdges([])).toEqual([0, 1]);
  });

  it('are equally wide where steps repeat or go back', () => {
    expect(columnEdges([3, 3])).toEqual([0, 0.5, 1]);
    expect(columnEdges([0, 100, 50, 60])).toEqual([0, 0.25, 0.5, 0.75, 1]);
  });

  it('cover everything in order, and each place lies in the column that holds it', () => {
    const random = randoms(7);
    for (let round = 0; round < 200; round++) {
      let step = -50;
      const steps = Array.from({ length: 2 + Math.floor(random() * 40) }, () => (step += 1 + Math.floor(random() * 30)));
      const edges = columnEdges(steps);
      expect(edges).toHaveLength(steps.length + 1);
      expect([edges[0], edges[steps.length]]).toEqual([0, 1]);
      edges.slice(1).forEach((edge, i) => {
        expect(edge).toBeGreaterThan(edges[i] ?? 1);
      });
      const place = random();
      const column = columnAt(edges, place);
      expect(edges[column]).toBeLessThanOrEqual(place);
      expect(edges[column + 1]).toBeGreaterThan(place);
    }
  });

  it('end at the last one', () => {
    expect(columnAt([0, 0.5, 1], 1)).toBe(1);
    expect(columnAt([0, 1], 0.3)).toBe(0);
  });
});

describe('bins and colours', () => {
  it('have edges that are exact', () => {
    const track = { name: '', logged: 1, steps: [], exponent: -2, first: -3, bins: 8 };
    expect([edgeOf(track, 0), edgeOf(track, 8)]).toEqual([-0.75, 1.25]);
  });

  it('are full where most values lie, whatever one step does', () => {
    const steps = Array.from({ length: 20 }, () => ({ ...STEP, n: 100, counts: [10, 20] }));
    expect(fullShare([...steps, { ...STEP, n: 1, counts: [1] }])).toBe(0.2);
    expect(fullShare([{ ...STEP, n: 0, counts: [0] }])).toBe(1);
  });

  it('grow with the share and leave nothing out', () => {
    expect(strength(0, 0.2)).toBe(0);
    expect(strength(1e-6, 0.2)).toBeGreaterThan(0.05);
    expect(strength(0.1, 0.2)).toBeGreaterThan(strength(0.05, 0.2));
    expect(strength(5, 0.2)).toBe(1);
  });

  it('tell light pages from dark ones', () => {
    expect(isLight('rgba(255, 255, 255, 0.87)')).toBe(true);
    expect(isLight('rgb(20, 20, 20)')).toBe(false);
    expect(isLight('color(srgb 1 1 1 / 0.64)')).toBe(true);
    expect(isLight('color(srgb 0 0 0 / 0.64)')).toBe(false);
  });

  it('are marked at round numbers', () => {
    expect(roundTicks(-1.1, 1.6, 4)).toEqual({ ticks: [-1, 0, 1], increment: 1 });
    expect(roundTicks(0, 0.01, 4).increment).toBe(0.0025);
    expect(roundTicks(2, 2, 4).ticks).toEqual([2]);
  });
});

describe('a histogram in words', () => {
  it('says what there is', () => {
    expect(describeHistogram(STEP)).toBe('4 values · mean 0.5 ± 1 · −1 to 2');
    expect(describeHistogram({ ...STEP, nan: 3, inf: 1, neginf: 2, below: 5, above: 2 })).toBe(
      '4 values · mean 0.5 ± 1 · −1 to 2 · 7 outside · 3 NaN · 1 ∞ · 2 −∞',
    );
    expect(describeHistogram({ ...STEP, n: 0, nan: 9, mean: null, std: null })).toBe('0 values · 9 NaN');
  });
});

describe('a confusion matrix', () => {
  it('has shares of the true and of the predicted class', () => {
    expect(cellShare(MATRIX, 0, 1, 'true')).toBe(0.25);
    expect(cellShare(MATRIX, 0, 1, 'predicted')).toBe(2 / 3);
    expect(cellShare(MATRIX, 2, 2, 'true')).toBe(0);
    expect(cellShare(MATRIX, 2, 2, 'predicted')).toBe(0);
  });

  it('has shares that make up a whole, of each class that occurs', () => {
    const rows = cellStrengths(MATRIX, 'true').map((row) => row.reduce((a, b) => a + b, 0));
    expect(rows).toEqual([1, 1, 0]);
    const columns = [0, 1, 2].map((j) => cellStrengths(MATRIX, 'predicted').reduce((sum, row) => sum + (row[j] ?? 0), 0));
    expect(columns).toEqual([1, 1, 0]);
    expect(Math.max(...cellStrengths(MATRIX, 'counts').flat())).toBe(1);
    expect(cellStrengths({ ...MATRIX, counts: [[0]] }, 'counts')).toEqual([[0]]);
  });

  it('says recall and precision of the classes of a cell', () => {
    expect(describeCell(MATRIX, 0, 1)).toBe(
      'cat taken for dog: 2 (25% of cat) · cat: recall 75%, precision 85.7% · dog: recall 50%, precision 33.3%',
    );
    expect(describeCell(MATRIX, 2, 2)).toBe('never, right: 0 (0% of never) · never: recall –, precision –');
  });
});

describe('a table', () => {
  const rows = [[3, 'b10', 'NaN'], [null, 'b9', 1], [-1, 'a', '-Infinity'], [3, null, 'Infinity'], [20, 'c', 0]] as const;

  it('is sorted by numbers and texts, nothing last, equal ones as they were', () => {
    expect(sortedRows(rows, 0, false)).toEqual([2, 0, 3, 4, 1]);
    expect(sortedRows(rows, 0, true)).toEqual([4, 0, 3, 2, 1]);
    expect(sortedRows(rows, 1, false)).toEqual([2, 1, 0, 4, 3]);
    expect(sortedRows(rows, 2, false)).toEqual([2, 4, 1, 3, 0]);
  });

  it('knows columns of numbers', () => {
    expect([0, 1, 2, 3].map((column) => isNumeric(rows, column))).toEqual([true, false, true, false]);
    expect(isNumeric([[true], [false]], 0)).toBe(false);
  });

  it('shows cells as people read them', () => {
    expect([null, true, 'x', 0.123456, 'NaN', '-Infinity', -5].map(cellText)).toEqual(['', 'true', 'x', '0.1235', 'NaN', '−∞', '−5']);
  });
});

describe('images', () => {
  it('are enlarged by whole factors and made smaller by any', () => {
    expect(shownSize(28, 28, 112)).toEqual({ width: 112, height: 112 });
    expect(shownSize(30, 20, 112)).toEqual({ width: 90, height: 60 });
    expect(shownSize(1000, 10, 100)).toEqual({ width: 100, height: 1 });
    expect(shownSize(0, 0, 100)).toEqual({ width: 1, height: 1 });
  });

  it('have sizes in bytes', () => {
    expect([12, 1500, 3_100_000].map(formatBytes)).toEqual(['12 bytes', '2 kB', '3.1 MB']);
  });
});

describe('the step on show', () => {
  const steps = (...times: number[]): { step: number; time: number }[] => times.map((time) => ({ step: time, time }));

  it('stays the latest, or where the reader put it', () => {
    expect(keepPlace(steps(1, 2, 3), 2, steps(1, 2, 3, 4))).toBe(3);
    expect(keepPlace(steps(1, 2, 3), 1, steps(1, 2, 3, 4))).toBe(1);
    expect(keepPlace(steps(1, 2, 3, 4), 1, steps(1, 3, 5))).toBe(0);
    expect(keepPlace([], 0, steps(1))).toBe(0);
  });
});

describe('media of another version', () => {
  it('lack nothing that is drawn', () => {
    expect(readMedia(null)).toEqual(NO_MEDIA);
    expect(readMedia('?')).toEqual(NO_MEDIA);
    expect(isEmpty(readMedia({ hidden: 1 }))).toBe(true);
    expect(isEmpty(readMedia({ tables: [{ name: 't', logged: 0, steps: [] }] }))).toBe(false);
  });
});
