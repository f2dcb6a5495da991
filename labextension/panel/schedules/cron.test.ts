import fc from 'fast-check';
import { expect, test } from 'vitest';

import { readCron, USUAL, writeCron, type Rhythm, type When } from './cron.ts';

const RHYTHMS: readonly Rhythm[] = ['hour', 'day', 'weekday', 'week', 'month'];
const when = fc.record({
  rhythm: fc.constantFrom(...RHYTHMS),
  hour: fc.nat(23),
  minute: fc.nat(59),
  weekday: fc.nat(6),
  day: fc.integer({ min: 1, max: 31 }),
}).map(({ rhythm, hour, minute, weekday, day }): When => ({
  ...USUAL, rhythm, weekday, day, time: `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`,
}));

test('what was chosen is read again from what is sent', () => {
  fc.assert(
    fc.property(when, (chosen) => {
      const cron = writeCron(chosen);
      const read = readCron(cron);
      expect(read.rhythm).toBe(chosen.rhythm);
      expect(writeCron(read)).toBe(cron);
    }),
  );
});

test('reads the rhythms that people write', () => {
  expect(readCron('0 7 * * 1-5')).toMatchObject({ rhythm: 'weekday', time: '07:00' });
  expect(readCron('30 18 * * MON-FRI')).toMatchObject({ rhythm: 'weekday', time: '18:30' });
  expect(readCron('0 2 * * 7')).toMatchObject({ rhythm: 'week', weekday: 0 });
  expect(readCron('5 * * * *')).toMatchObject({ rhythm: 'hour', time: '00:05' });
  expect(readCron('0 6 31 * *')).toMatchObject({ rhythm: 'month', day: 31 });
  expect(readCron(null).rhythm).toBe('event');
});

test('whatever else cron can say stays as it is', () => {
  for (const cron of ['*/5 * * * *', '0 7-9 * * *', '0 7 1 * 1', '0 7 * 3 *', '0 7 L * *', '0 24 * * *', '60 7 * * *', '0 7 * * 8', '0 7 0 * *', '@daily', '', '0 7 * *', '0 7 * * * *']) {
    const read = readCron(cron);
    expect(read.rhythm, cron).toBe('cron');
    expect(writeCron(read), cron).toBe(cron);
  }
});
