import fc from 'fast-check';
import { expect, test } from 'vitest';

import { attachmentsOf, markedIn, settledMetadata, versionsOf, withoutNote } from './conflicts.ts';
import type { SharedCell, SharedNotebook } from './model.ts';
import { settleCell } from './settle.ts';

const SOURCE = 'import x\n<<<<<<< HEAD\nrate = 0.1\n=======\nrate = 0.3\nmomentum = 0.9\n>>>>>>> feature (faster)\nrun(rate)';

test('both versions of a cell are read, lines of both in both', () => {
  expect(versionsOf(SOURCE)).toEqual({ ours: 'import x\nrate = 0.1\nrun(rate)', theirs: 'import x\nrate = 0.3\nmomentum = 0.9\nrun(rate)' });
  expect(versionsOf('<<<<<<< a\n=======\nb\n>>>>>>> b\nc\n<<<<<<< a\nd\n=======\n>>>>>>> b')).toEqual({ ours: 'c\nd', theirs: 'b\nc' });
  // Longer ones, as git asks for them: shorter ones are text.
  expect(versionsOf('<<<<<<<<< a\n=======\n=========\nb\n>>>>>>> c\n>>>>>>>>> b')).toEqual({ ours: '=======', theirs: 'b\n>>>>>>> c' });
});

test.each([
  'x = 1',
  '<<<<<<< a\nx = 1',
  '<<<<<<< a\nx\n>>>>>>> b',
  '<<<<<<< a\nTitle\n=======\nmore\n=======\nother\n>>>>>>> b',
  '<<<<<<< a\n<<<<<<< a\nx\n=======\ny\n>>>>>>> b',
])('of what cannot be told for sure nothing is taken: %j', (source) => {
  expect(versionsOf(source)).toBeNull();
});

test('no line is lost or made, also where text looks like some of the markers', () => {
  const markers = [['=======', '>>>>>>> theirs'], ['<<<<<<< ours', '======='], ['<<<<<<< ours', '>>>>>>> theirs']];
  const chunks = fc.constantFrom(...markers).chain((some) => {
    const lines = fc.array(fc.constantFrom('a', 'b', '', ' c', '<<<<<<<', '>>>>>>>', ...some), { maxLength: 4 });
    return fc.array(fc.record({ before: lines, ours: lines, theirs: lines, after: lines }), { minLength: 1, maxLength: 3 });
  });
  let told = 0;
  fc.assert(fc.property(chunks, (given) => {
    const source = given.flatMap(({ before, ours, theirs, after }) => [...before, '<<<<<<< ours', ...ours, '=======', ...theirs, '>>>>>>> theirs', ...after]).join('\n');
    const found = versionsOf(source);
    if (!found) return;
    told += 1;
    const sides = (side: 'ours' | 'theirs'): string => given.flatMap((one) => [...one.before, ...one[side], ...one.after]).join('\n');
    expect(found).toEqual({ ours: sides('ours'), theirs: sides('theirs') });
  }), { numRuns: 3000 });
  expect(told).toBeGreaterThan(100);
});

test('a cell is in conflict as long as it is marked and a marker is in it', () => {
  const said = { conflict: { kind: 'edited', note: 'edited in HEAD and in feature' } };
  expect(markedIn(said, SOURCE)).toEqual(said.conflict);
  expect(markedIn(said, 'rate = 0.1')).toBeNull();
  expect(markedIn(undefined, SOURCE)).toBeNull();
  expect(markedIn({ conflict: 1 }, SOURCE)).toBeNull();
  expect(markedIn({ conflict: {} }, SOURCE)).toEqual({ kind: '', note: '' });
  expect(settledMetadata({ tags: ['a'], mlwidgets: said })).toEqual({ tags: ['a'] });
  expect(settledMetadata({ mlwidgets: { ...said, run: 'r' } })).toEqual({ mlwidgets: { run: 'r' } });
});

test('the line that says what is to be decided is the first one', () => {
  expect(withoutNote('<<<<<<< edited in ours, deleted in theirs: remove this line\nx = 1\n')).toBe('x = 1\n');
  expect(withoutNote('<<<<<<< edited in ours')).toBe('');
  expect(withoutNote('x\n<<<<<<< edited')).toBeNull();
});

test('of two attachments of one name those of one side stay', () => {
  const all = { 'a.png': 1, 'theirs-a.png': 2, 'b.png': 3, 'theirs-c.png': 4 };
  const text = '![](attachment:a.png)';
  expect(attachmentsOf(all, 'ours', text)).toEqual({ 'a.png': 1, 'b.png': 3, 'theirs-c.png': 4 });
  expect(attachmentsOf(all, 'theirs', text)).toEqual({ 'a.png': 2, 'b.png': 3, 'theirs-c.png': 4 });
  expect(attachmentsOf(all, 'both', text)).toEqual(all);
  // Kept by an earlier decision: no trace of this merge.
  expect(attachmentsOf(all, 'ours', '![](attachment:theirs-a.png)')).toEqual(all);
  expect(attachmentsOf(all, 'theirs', '![](attachment:theirs-a.png)')).toEqual(all);
});

interface Made {
  readonly source: string;
  readonly attachments: Record<string, unknown>;
}

/** A text cell, as far as one in conflict is asked and changed. */
function cellOf({ source, attachments }: Made): SharedCell {
  return {
    cell_type: 'markdown',
    getSource: () => source,
    updateSource: (start: number, end: number, text: string) => { source = source.slice(0, start) + text + source.slice(end); },
    getMetadata: () => ({}),
    setMetadata: () => undefined,
    getAttachments: () => attachments,
    setAttachments: (given: Record<string, unknown>) => { attachments = given; },
    transact: (change: () => void) => { change(); },
  } as unknown as SharedCell;
}

test.each([
  ['ours', ['ours ![](attachment:a.png)'], [1]],
  ['theirs', ['theirs ![](attachment:a.png)'], [2]],
  ['both', ['ours ![](attachment:a.png)', 'theirs ![](attachment:a.png)'], [1, 2]],
] as const)('of a cell in which text and image were edited on both sides %s has its own image', (take, sources, images) => {
  const source = '<<<<<<< HEAD\nours ![](attachment:a.png)\n=======\ntheirs ![](attachment:a.png)\n>>>>>>> b';
  const cells = [cellOf({ source, attachments: { 'a.png': 1, 'theirs-a.png': 2 } })];
  settleCell({ cells, transact: (change: () => void) => { change(); }, insertCell: (at: number, made: Made) => { cells.splice(at, 0, cellOf(made)); } } as unknown as SharedNotebook, 0, 'edited', take);
  expect(cells.map((cell) => cell.getSource())).toEqual(sources);
  expect(cells.map((cell) => cell.getAttachments?.())).toEqual(images.map((image) => ({ 'a.png': image })));
});
