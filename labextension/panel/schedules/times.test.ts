import { expect, test } from 'vitest';

import { ENGLISH } from '../words.ts';
import { exactly, inFull, moment, zoneMark } from './times.ts';

const BERLIN = 'Europe/Berlin';
/** Saturday 21 November 2026, 23:30 in Berlin. */
const NOW = Date.UTC(2026, 10, 21, 22, 30) / 1000;
const at = (...when: [month: number, day: number, hour: number, minute?: number]): number => {
  const [month, day, hour, minute = 0] = when;
  return Date.UTC(2026, month - 1, day, hour, minute) / 1000;
};
const said = (time: number, zone = BERLIN): string => moment(time, NOW, zone, ENGLISH, BERLIN);

test('says a time as a person would', () => {
  expect(said(NOW + 30)).toBe('in a moment');
  expect(said(NOW - 30)).toBe('just now');
  expect(said(NOW + 12 * 60)).toBe('in 12 min');
  expect(said(NOW - 59 * 60)).toBe('59 min ago');
  expect(said(at(11, 22, 6))).toBe('tomorrow at 07:00');
  expect(said(at(11, 21, 6))).toBe('today at 07:00');
  expect(said(at(11, 20, 6))).toBe('yesterday at 07:00');
  expect(said(at(11, 23, 6))).toBe('Monday at 07:00');
  expect(said(at(11, 16, 6))).toBe('Monday at 07:00');
  expect(said(at(12, 24, 6))).toMatch(/^(24 Dec|Dec 24) at 07:00$/);
  expect(said(at(12, 24, 6) + 365 * 86400)).toMatch(/2027 at 07:00$/);
});

test('the day is that of the zone, and another zone is named', () => {
  // 23:30 in Berlin is the morning after in Tokyo.
  expect(moment(NOW + 3600, NOW, 'Asia/Tokyo', ENGLISH, BERLIN)).toMatch(/^today at 08:30 (GMT\+9|JST)$/);
  expect(zoneMark(NOW, 'Europe/Paris', BERLIN)).toBe('');
  expect(zoneMark(NOW, BERLIN, 'UTC')).toMatch(/CET|GMT\+1/);
});

test('summer time is the zone’s own', () => {
  expect(inFull(at(10, 24, 5), BERLIN, BERLIN)).toMatch(/07:00$/);
  expect(inFull(at(10, 26, 6), BERLIN, BERLIN)).toMatch(/07:00$/);
});

test('midnight is the beginning of a day, and a zone that nobody knows breaks nothing', () => {
  expect(exactly(at(11, 22, 23), NOW, BERLIN, ENGLISH, BERLIN)).toBe('Monday at 00:00');
  expect(exactly(at(11, 22, 6), NOW, 'Mars/Phobos', ENGLISH, 'Mars/Phobos')).toMatch(/ at \d\d:\d\d$/);
});
