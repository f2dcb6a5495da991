import { expect, test } from 'vitest';

import { RUN_MIME } from '../views/bundle.ts';
import { Latest } from './latest.ts';

const told = (type: 'plain' | 'saved' | 'ended', time: number) =>
  ({ type, data: { [RUN_MIME]: { format: 2, time, runs: [] } } }) as const;

test('what took long to compute does not take the place of what knows more', () => {
  const latest = new Latest();
  expect([told('saved', 2), told('plain', 1), told('saved', 3)].map((one) => latest.takes(one))).toEqual([true, false, true]);
});

test('the end counts, whatever the clock said when it was begun, and nothing comes after it', () => {
  const latest = new Latest();
  const news = [told('saved', 5.002), told('ended', 5.001), told('saved', 5.003), told('ended', 5.001)];
  expect(news.map((one) => latest.takes(one))).toEqual([true, true, false, true]);
});
