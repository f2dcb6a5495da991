import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { readTags, writeTags } from './annotate.ts';

describe('the tags of a run as a line', () => {
  test('are read as they were written, whatever is in them', () => {
    const odd = fc.string({ unit: fc.constantFrom('a', ',', '=', '"', '\\', ' ', '\n', 'é', '\u2028') });
    const text = fc.oneof(odd, fc.string());
    fc.assert(
      fc.property(fc.array(fc.tuple(text.filter(Boolean), text)), (pairs) => {
        const tags = Object.fromEntries(pairs);
        const line = writeTags(tags);
        expect(line).not.toMatch(/[\r\n]/);
        expect(readTags(line)).toEqual(tags);
      }),
    );
  });

  test('are read as people write them', () => {
    expect(readTags('team=vision, best ,, url=http://x/?a=b,')).toEqual({ team: 'vision', best: '', url: 'http://x/?a=b' });
    expect(readTags('why="slow, noisy", size=5"')).toEqual({ why: 'slow, noisy', size: '5"' });
    expect(readTags(' ')).toEqual({});
    for (const wrong of ['=5', 'a, =b', 'why="slow, noisy', 'a="b"c', '"\\x"=1']) expect(readTags(wrong)).toBeNull();
  });
});
