import { expect, test } from 'vitest';

import { changesOf, givenOf, isWrong, newValues, valuesOf, type Values } from './given.ts';
import type { Given, Schedule } from './model.ts';
import { schedule } from './testing.ts';

const sent = (values: Values): Given => {
  const given = givenOf(values);
  if (isWrong(given)) throw new Error(`${given.field}: ${given.message}`);
  return given;
};
const edited = (before: Schedule, change: Partial<Values> = {}): Given => changesOf(before, sent({ ...valuesOf(before), ...change }));

test('a form that is saved as it was opened changes nothing', () => {
  const all: Partial<Parameters<typeof schedule>[0]>[] = [
    {},
    { cron: '*/5 7-9 * * *', jitter: 90, until: 1_800_000_000, retries: 2, retry_wait: 45 },
    { cron: null, after: 'prices', when_changed: ['data/*.csv', 'x'] },
    { kind: 'run', notebook: null, run: 'r1', params: { lr: '1e-3', note: 'a b' } },
    { matrix: [{ region: 'EU' }, { region: 'US' }] },
    { matrix: [{ a: '1', b: '1' }, { a: '2', b: '2' }] },
    { notify: { failure: 'browser', success: ['mailto:a@example.org'] } },
    { cron: '30 18 * * MON-FRI' },
  ];
  for (const given of all) expect(edited(schedule(given)), JSON.stringify(given)).toEqual({});
});

test('only what was changed is sent', () => {
  expect(edited(schedule(), { time: '08:30' })).toEqual({ cron: '30 8 * * 1-5' });
  expect(edited(schedule({ until: 1_800_000_000 }), { name: 'eu', until: '' })).toEqual({ name: 'eu', until: null });
  expect(edited(schedule({ notify: { success: 'browser' } }), { on: 'failure', to: 'browser, mailto:a@example.org' })).toEqual({
    notify: { failure: ['browser', 'mailto:a@example.org'] },
  });
  expect(edited(schedule(), { rhythm: 'event', after: 'prices' })).toEqual({ cron: null, after: 'prices' });
});

test('a new one says what it starts', () => {
  const given = sent(newValues('Europe/Berlin', { notebook: ' a.ipynb ', params: 'region=EU', matrix: 'year=1,2' }));
  expect(given).toMatchObject({ kind: 'report', notebook: 'a.ipynb', cron: '0 7 * * 1-5', params: { region: 'EU' }, matrix: [{ year: '1' }, { year: '2' }], notify: { failure: ['browser'] } });
  expect(given).not.toHaveProperty('name');
  expect(given).not.toHaveProperty('run');
});

test('what is wrong is told with its field', () => {
  const base = newValues('UTC', { notebook: 'a.ipynb' });
  const wrong: readonly (readonly [Partial<Values>, string])[] = [
    [{ notebook: ' ' }, 'notebook'],
    [{ kind: 'run' }, 'run'],
    [{ params: 'region' }, 'params'],
    [{ matrix: 'region' }, 'matrix'],
    [{ retries: '-1' }, 'retries'],
    [{ wait: 'soon' }, 'wait'],
    [{ time: '' }, 'cron'],
    [{ rhythm: 'month', day: '32' }, 'cron'],
    [{ rhythm: 'event' }, 'after'],
  ];
  for (const [change, field] of wrong) expect(givenOf({ ...base, ...change }), field).toMatchObject({ field });
});
