import { expect, test } from 'vitest';

import { ENGLISH } from '../../panel/words.ts';
import type { Told } from './api.ts';
import { said } from './told.ts';

const told = (given: Partial<Told>): Told => ({ state: 'running', cause: null, waiting: null, cells: null, pending: true, edition: null, ...given });
const text = (given: Partial<Told>): string => said('sales', told(given), ENGLISH).text;

test('it says what it waits for, and how far it is', () => {
  expect(text({ state: 'submitted' })).toBe('Publishing sales: starting…');
  expect(text({ state: 'submitted', waiting: 'waits for a CPU place' })).toBe('Publishing sales: waits for a CPU place');
  expect(text({})).toBe('Publishing sales…');
  expect(text({ cells: { done: 0, of: 0, heading: null } })).toBe('Publishing sales…');
  expect(text({ state: 'finished' })).toBe('Publishing sales: making the page…');
  expect(text({ state: 'failed', cause: 'cell 2' })).toBe('Publishing sales: making the page…');
  const half = said('sales', told({ cells: { done: 2, of: 4, heading: 'By region' } }), ENGLISH);
  expect(half).toEqual({ text: 'Publishing sales: 2 of 4 cells – By region', type: 'in-progress', over: false });
});

test('it says how it ended', () => {
  const edition = (state: 'published' | 'failed' | 'withheld', cause: string | null) => ({ state, cause, address: 'reports/sales/1' });
  const ended = (given: Partial<Told>): [string, string] => {
    const { text, type, over } = said('sales', told(given), ENGLISH);
    expect(over).toBe(true);
    return [text, type];
  };
  expect(ended({ state: 'finished', edition: edition('published', null) })).toEqual(['Published: sales', 'success']);
  expect(ended({ state: 'finished', edition: edition('withheld', 'a check failed: rows > 0') })).toEqual(['sales was not published: a check failed: rows > 0', 'warning']);
  expect(ended({ state: 'failed', cause: 'cell 2: KeyError', edition: edition('failed', 'cell 2: KeyError') })).toEqual(['sales failed: cell 2: KeyError', 'error']);
  expect(ended({ state: 'failed', pending: false, cause: 'x'.repeat(300) })).toEqual([`sales failed: ${'x'.repeat(200)}…`, 'error']);
  expect(ended({ state: 'finished', pending: false })).toEqual(['sales failed', 'error']);
  expect(ended({ state: 'stopped', pending: false })).toEqual(['sales was stopped: nothing was published', 'info']);
});
