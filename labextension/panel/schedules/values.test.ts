import fc from 'fast-check';
import { expect, test } from 'vitest';

import { fieldOf, readMatrix, readNotify, readPairs, readParams, writeMatrix, writeNotify, writeParams } from './values.ts';

const name = fc.stringMatching(/^[a-zé_][a-z0-9_]{0,5}$/u);
const value = fc.string({ maxLength: 8 });

test('parameters are read again as they were written', () => {
  fc.assert(
    fc.property(fc.dictionary(name, value, { noNullPrototype: true }), (params) => {
      expect(readParams(writeParams(params))).toEqual(params);
    }),
  );
});

test('reads what people type', () => {
  expect(readParams(' region=EU  lr=1e-3 ')).toEqual({ region: 'EU', lr: '1e-3' });
  expect(readParams('title="a b" path=\'x y\'')).toEqual({ title: 'a b', path: 'x y' });
  expect(readParams('sizes=[1,2]')).toEqual({ sizes: '[1,2]' });
  expect(readParams('')).toEqual({});
  for (const wrong of ['region', 'region EU', '=1', '1a=2', 'a=1 a=2', 'a="x', 'a=1 b']) expect(readParams(wrong), wrong).toBeNull();
  expect(readPairs('region=EU,US')).toEqual({ region: ['EU', 'US'] });
});

test('a matrix is all combinations', () => {
  expect(readMatrix('region=EU,US year=2025,2026')).toEqual([
    { region: 'EU', year: '2025' }, { region: 'EU', year: '2026' }, { region: 'US', year: '2025' }, { region: 'US', year: '2026' },
  ]);
  expect(readMatrix('')).toEqual([]);
  fc.assert(
    fc.property(fc.dictionary(name, fc.uniqueArray(value, { minLength: 1, maxLength: 3 }), { minKeys: 1, maxKeys: 3, noNullPrototype: true }), (given) => {
      const all = readMatrix(Object.entries(given).map(([key, values]) => `${key}=${values.map((one) => JSON.stringify(one)).join(',')}`).join(' '));
      expect(all).not.toBeNull();
      expect(readMatrix(writeMatrix(all ?? []) ?? 'wrong')).toEqual(all);
    }),
  );
  expect(writeMatrix([])).toBe('');
  expect(writeMatrix([{ a: '1', b: '1' }, { a: '2', b: '2' }])).toBeNull();
  expect(writeMatrix([{ a: '1' }, { b: '2' }])).toBeNull();
});

test('who hears of it is kept as it was, where the form cannot say it', () => {
  for (const notify of [null, { failure: ['browser'] }, { failure: ['browser', 'mailto:a@example.org'], recovery: ['browser', 'mailto:a@example.org'] }, { always: ['browser'] }]) {
    expect(writeNotify(readNotify(notify))).toEqual(notify);
  }
  expect(readNotify('browser')).toEqual({ on: 'always', to: 'browser' });
  for (const own of [{ failure: 'browser', recovery: 'mailto:a@example.org' }, { success: 'browser' }, { recovery: 'browser' }, ['command: notify-send a, b'], { always: 'browser', failure: 'x' }]) {
    expect(readNotify(own).on).toBe('own');
    expect(writeNotify(readNotify(own))).toBeUndefined();
  }
  expect(writeNotify({ on: 'failure', to: ' , ' })).toBeNull();
});

test('a refusal is shown at the field that it is about', () => {
  const said: readonly (readonly [string, string | null])[] = [
    ['\'7 7 7\' is no cron expression: give five fields - minute, hour', 'cron'],
    ["'0 0 31 2 *' is never due: no year has such a day", 'cron'],
    ["'Mars' is no time zone: give one such as Europe/Berlin", 'timezone'],
    ["there is a schedule 'sales' already: edit it, or give this one another name", 'name'],
    ["'a b' cannot be a schedule's name: use letters", 'name'],
    ['there is no report and no run called \'prices\' to come after', 'after'],
    ["there is no notebook 'x.ipynb' on this server", 'notebook'],
    ["sales.ipynb has no parameter 'regio'", 'params'],
    ['the schedule sales is never due before its end; give a later one (--until)', 'until'],
    ["there is no commit 'v9' in the repository of /x/sales.ipynb", 'source'],
    ['this server cannot do that', null],
  ];
  for (const [message, field] of said) expect(fieldOf(message), message).toBe(field);
});
