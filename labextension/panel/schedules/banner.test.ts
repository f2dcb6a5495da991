import { expect, test } from 'vitest';

import { ENGLISH } from '../words.ts';
import { missedText } from './banner.ts';
import type { MissedIn } from './book.ts';

const missed = (given: Partial<MissedIn> = {}): MissedIn => ({
  store: '', schedule: 's', name: 'daily-sales', first: 100, last: 300, count: 3, since: 'Fri 20 Nov 2026 18:00 CET', found: null, run: null, ...given,
});

test('says how often, since when, and of what', () => {
  expect(missedText([], ENGLISH)).toBe('');
  expect(missedText([missed()], ENGLISH)).toBe('3 times were missed while no server was running, since Fri 20 Nov 2026 18:00 CET: daily-sales.');
  expect(missedText([missed({ count: 1, run: 'r1' })], ENGLISH)).toBe(
    '1 time was missed while no server was running, at Fri 20 Nov 2026 18:00 CET: daily-sales. It was made up for with one run.',
  );
  const earlier = missed({ name: 'prices', first: 50, since: 'Thu', count: 100 });
  expect(missedText([missed(), earlier, missed({ name: 'c' }), missed({ name: 'd' }), missed({ name: 'e' })], ENGLISH)).toBe(
    '112 or more times were missed while no server was running, since Thu: daily-sales, prices, c, 2 more.',
  );
});
