import { expect, test } from 'vitest';

import { Clock } from './clock.ts';
import type { Header } from './model.ts';

test('what takes longer than it should is not almost done for ever', () => {
  const clock = new Clock();
  const now = clock.now;
  const left = (remaining: number, ago: number): string =>
    clock.remaining({ state: 'running' } as Header, { fraction: 0.5, label: '', remaining, at: now - ago });
  expect([left(80.5, 20), left(80, 79.5), left(80, 300)]).toEqual(['1:00 left', '', '']);
  expect([left(3.5, 1), left(0.5, 0.1), left(0.5, 1.5), left(0.5, 30)]).toEqual(['0:02 left', '0:00 left', '0:00 left', '']);
});
