import { expect, test } from 'vitest';

import { reportsOf } from './address.ts';

test('reports are those of the project that the notebook is in', () => {
  const stores = ['', 'a', 'a/b c', 'ab'];
  expect(reportsOf(null, stores)).toBe('reports/');
  expect(reportsOf('x.ipynb', stores)).toBe('reports/');
  expect(reportsOf('a/x.ipynb', stores)).toBe('reports/~a/~/');
  expect(reportsOf('a/b c/d/x.ipynb', stores)).toBe('reports/~a/b%20c/~/');
  expect(reportsOf('abc/x.ipynb', stores)).toBe('reports/');
});
