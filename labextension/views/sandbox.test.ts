import { expect, test } from 'vitest';

import { askedHeight } from './sandbox.ts';

test('a frame asks for a height, and for nothing else', () => {
  expect(askedHeight({ type: 'mlwidgets:height', height: 300 })).toBe(300);
  expect(askedHeight({ type: 'mlwidgets:height', height: 1e9 })).toBe(4000);
  expect(askedHeight({ type: 'mlwidgets:height', height: -5 })).toBe(16);
  for (const other of [null, 'x', 5, {}, { type: 'other', height: 5 }, { type: 'mlwidgets:height', height: '9px' }, { type: 'mlwidgets:height', height: NaN }]) {
    expect(askedHeight(other)).toBeNull();
  }
});
