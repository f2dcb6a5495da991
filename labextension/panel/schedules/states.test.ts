import { expect, test } from 'vitest';

import { ENGLISH } from '../words.ts';
import { describeBars, heightsOf } from './bars.ts';
import type { Took } from './model.ts';
import { aboutOf, nextOf, shownOf } from './states.ts';
import { firing, schedule } from './testing.ts';

const NOW = Date.UTC(2026, 10, 21, 12) / 1000;

test('what goes on is said before what has ended', () => {
  const last = firing({ state: 'failed', ended: NOW - 7200, seconds: 12 });
  expect(shownOf(schedule({ last })).shown).toBe('failed');
  const going = schedule({ last, running: [firing({ state: 'waiting' }), firing({ state: 'started', started: NOW - 65 })] });
  expect(shownOf(going).shown).toBe('started');
  expect(aboutOf(going, NOW, ENGLISH)).toBe('1:05 · 2 starts');
  expect(shownOf(schedule()).shown).toBe('new');
  expect(aboutOf(schedule(), NOW, ENGLISH)).toBe('');
});

test('how the last one ended, when, and how long it took', () => {
  const said = (state: 'failed' | 'skipped' | 'missed'): string =>
    aboutOf(schedule({ timezone: 'UTC', last: firing({ state, due: NOW - 300, ended: NOW - 120, seconds: 12 }) }), NOW, ENGLISH);
  expect(said('failed')).toBe('2 min ago · 0:12');
  expect(said('skipped')).toBe('5 min ago');
  expect(said('missed')).toBe('5 min ago');
  expect(aboutOf(schedule({ running: [firing({ state: 'waiting', retry_at: NOW + 300 })] }), NOW, ENGLISH)).toBe('in 5 min');
});

test('when it starts next, or why it does not', () => {
  expect(nextOf(schedule({ next: NOW + 600 }), NOW, ENGLISH)).toBe('in 10 min');
  expect(nextOf(schedule({ next: null, enabled: false }), NOW, ENGLISH)).toBe('paused');
  expect(nextOf(schedule({ next: null, cron: null }), NOW, ENGLISH)).toBe('when it may');
  expect(nextOf(schedule({ next: null, until: NOW - 1 }), NOW, ENGLISH)).toBe('ended');
});

test('bars are as high as their starts took long', () => {
  const took = (...seconds: number[]): Took[] => seconds.map((one, id) => ({ id, due: id, state: id ? 'finished' : 'failed', seconds: one }));
  expect(heightsOf(took(0, 5, 10))).toEqual([2, 9, 16]);
  expect(heightsOf(took(0, 0))).toEqual([2, 2]);
  expect(heightsOf([])).toEqual([]);
  expect(describeBars(took(3, 12), ENGLISH)).toBe('The last 2 took 3.0 s to 0:12, 1 failed');
  expect(describeBars(took(3), ENGLISH)).toBe('');
});
