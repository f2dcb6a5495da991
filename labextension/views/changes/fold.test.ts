import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { fold } from './fold.ts';

describe('what did not change', () => {
  test('is folded beyond a few lines of context', () => {
    const lines = Array.from('aaaaaaaaXaaaaaXaaaaaaaaa');
    const folds = fold(lines, (line) => line === 'X', 3, 4).map(({ items, folded }) => (folded ? items.length : items.join('')));
    expect(folds).toEqual([5, 'aaaXaaaaaXaaa', 6]);
  });

  test('stays in order, is never lost, and hides no change', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean()), fc.nat(4), fc.integer({ min: 1, max: 5 }), (items, context, fewest) => {
        const numbered = items.map((changed, i) => ({ changed, i }));
        const stretches = fold(numbered, ({ changed }) => changed, context, fewest);
        expect(stretches.flatMap((stretch) => stretch.items)).toEqual(numbered);
        for (const { items: part, folded } of stretches) {
          if (!folded) continue;
          expect(part.length).toBeGreaterThanOrEqual(fewest);
          for (const { i } of part) expect(items.slice(Math.max(0, i - context), i + context + 1)).not.toContain(true);
        }
        stretches.forEach(({ folded }, i) => {
          if (i) expect(folded).not.toBe(stretches[i - 1]?.folded);
        });
      }),
    );
  });
});
