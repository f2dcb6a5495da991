import { expect, test } from 'vitest';

import { copyPath, freePath } from './copies.ts';

const TIME = new Date(2026, 10, 20, 9, 30, 15).getTime() / 1000;

test('a notebook as it was lies beside the one that it comes from, named after its time', () => {
  expect(copyPath('a.ipynb', TIME)).toBe('a (2026-11-20 09.30.15).ipynb');
  expect(copyPath('one/two.x/b.ipynb', TIME)).toBe('one/two.x/b (2026-11-20 09.30.15).ipynb');
});

test('what lies there already is never written over', async () => {
  const there = new Set<string>();
  for (const expected of ['c/a.ipynb', 'c/a (2).ipynb', 'c/a (3).ipynb']) {
    const path = await freePath('c/a.ipynb', (one) => Promise.resolve(there.has(one)));
    expect(path).toBe(expected);
    there.add(path);
  }
  await expect(freePath('a.ipynb', () => Promise.reject(new Error('no answer')))).rejects.toThrow('no answer');
});
