import fc from 'fast-check';
import { expect, test } from 'vitest';

import { replacement, stepsOf, type CellState, type Step } from './steps.ts';

const cell = fc.record({
  id: fc.constantFrom(...Array.from('abcdefghij')),
  type: fc.constantFrom('code', 'markdown'),
  source: fc.string({ unit: fc.constantFrom('a', 'b', '\n', '😀', '😁', 'é'), maxLength: 8 }),
  metadata: fc.constantFrom(null, { tags: ['x'] }),
});
const cells = fc.uniqueArray(cell, { selector: ({ id }) => id, maxLength: 10 });

function done(now: readonly CellState[], steps: readonly Step[]): CellState[] {
  const found = [...now];
  for (const step of steps) {
    if (step.do === 'insert') found.splice(step.at, 0, step.cell);
    else if (step.do === 'delete') found.splice(step.at, 1);
    else if (step.do === 'move') found.splice(step.to, 0, ...found.splice(step.from, 1));
    else {
      const one = found[step.at];
      if (!one) throw new Error('no such cell');
      if (step.do === 'describe') found[step.at] = { ...one, metadata: step.metadata };
      else found[step.at] = { ...one, source: one.source.slice(0, step.start) + step.text + one.source.slice(step.end) };
    }
  }
  return found;
}

test('what is done leads to the cells that are wanted', () => {
  fc.assert(
    fc.property(cells, cells, (now, then) => {
      const found = done(now, stepsOf(now, then));
      expect(found.map(({ id, type, source }) => [id, type, source])).toEqual(then.map(({ id, type, source }) => [id, type, source]));
      for (const [index, { metadata }] of then.entries()) if (metadata) expect(found[index]?.metadata).toEqual(metadata);
    }),
    { numRuns: 2000 },
  );
});

test('cells that are the same are not touched, and one that was moved is moved alone', () => {
  const now = Array.from('abcdef').map((id) => ({ id, type: 'code', source: id, metadata: null }));
  expect(stepsOf(now, now)).toEqual([]);
  const [first, ...rest] = now;
  expect(stepsOf(now, first ? [...rest, first] : [])).toEqual([{ do: 'move', from: 0, to: 5 }]);
});

test('a replacement is short and leaves no half of a character', () => {
  expect(replacement('lr = 0.1\n', 'lr = 0.01\n')).toEqual({ start: 7, end: 7, text: '0' });
  expect(replacement('x😀y', 'x😁y')).toEqual({ start: 1, end: 3, text: '😁' });
});
