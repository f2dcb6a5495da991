import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { tokens } from '../python.ts';
import { pieces, sideOf, stretches, visible } from './ink.ts';
import type { Part, Row } from './model.ts';

const code = fc
  .array(fc.constantFrom('def f(x):', '  return "a"', "'''", '# why', '\n', ' ', 'x = 1', '"""a\nb"""', 'π', '%%train', '@jit', '\\'))
  .map((words) => words.join(''));

describe('colours of lines', () => {
  test('are those of the whole text', () => {
    fc.assert(
      fc.property(code, (text) => {
        const lines = text.split('\n');
        const coloured = stretches(text).flatMap((line, i) => line.map(({ kind, from, until }) => [kind, lines[i]?.slice(from, until)]));
        const whole = [...tokens(text)].flatMap(({ kind, text: token }) => token.split('\n').map((part) => [kind, part]));
        expect(coloured).toEqual(whole);
      }),
    );
  });

  test('go on over the lines of a string', () => {
    expect(stretches('x = """a\nif it"""\nreturn')).toEqual([
      [{ kind: 'string', from: 4, until: 8 }],
      [{ kind: 'string', from: 0, until: 8 }],
      [{ kind: 'keyword', from: 0, until: 6 }],
    ]);
  });

  test('and marks of words leave the text as it is, each mark where it was', () => {
    const parts = fc.array(fc.tuple(fc.constantFrom<0 | 1>(0, 1), code.map((text) => text.replaceAll('\n', ''))), { maxLength: 6 });
    fc.assert(
      fc.property(parts, (line: Part[]) => {
        const text = line.map(([, part]) => part).join('');
        const cut = pieces(line, stretches(text)[0] ?? []);
        const marks = (all: readonly (readonly [0 | 1, ...string[]])[]): string =>
          all.map(([marked, ...rest]) => String(marked).repeat(rest.at(-1)?.length ?? 0)).join('');
        expect(cut.map((piece) => piece[2]).join('')).toBe(text);
        expect(marks(cut)).toBe(marks(line));
        const colours = cut.filter(([, kind]) => kind).map((piece) => piece[2]).join('');
        expect(colours).toBe([...tokens(text)].map((token) => token.text).join(''));
      }),
    );
  });
});

test('rows give back both texts', () => {
  const rows: Row[] = [
    ['=', 1, 1, 'import torch'],
    ['~', 2, 2, [[0, 'lr = '], [1, '1']], [[0, 'lr = '], [1, '2']]],
    ['-', 3, 'old'],
    ['+', 3, 'new'],
    ['+', 4, ''],
  ];
  expect(sideOf(rows, 'old')).toBe('import torch\nlr = 1\nold');
  expect(sideOf(rows, 'new')).toBe('import torch\nlr = 2\nnew\n');
});

test('what nobody would see is shown', () => {
  expect(visible('a\tb \x1b[31m \u202eevil\r \x7f é 漢 🙂')).toBe('a\tb ␛[31m ⟨202e⟩evil␍ ␡ é 漢 🙂');
});
