import { describe, expect, test } from 'vitest';

import type { CellChange, Change, ChangesDocument, NotebookDiff } from './model.ts';
import { ago, changeWords, countLines, countWords, isShown, keyOf, sideWords, summary } from './said.ts';
import { cell } from './testing.ts';

const NOW = 1_800_000_000;

function documentOf(counts: Partial<Record<Change, number>>, cells: readonly CellChange[] = [], metadata: NotebookDiff['metadata'] = []): ChangesDocument {
  return {
    old: { label: 'commit 1a2b3c4', time: NOW - 3 * 3600 },
    new: { label: 'now', time: NOW },
    diff: { version: 1, language: 'python', counts: { added: 0, removed: 0, edited: 0, moved: 0, same: 0, ...counts }, cells, metadata },
  };
}

describe('changes in words', () => {
  test('say how long ago, as coarsely as a reader thinks', () => {
    const told = [0, 42, 61, 59 * 60, 3600 * 3.9, 86400 * 2, 86400 * 90, -5].map((before) => ago(NOW - before, NOW));
    expect(told.slice(0, 6)).toEqual(['just now', '42 s ago', '1 min ago', '59 min ago', '3 h ago', '2 d ago']);
    expect(told[6]).toMatch(/^on \w+ \d+, 20\d\d$/);
    expect(told[7]).toBe('just now');
  });

  test('count cells by what happened to them', () => {
    expect(countWords(documentOf({ edited: 2, added: 1, moved: 1, same: 40 }).diff.counts)).toBe('2 cells edited, 1 added, 1 moved');
    expect(countWords(documentOf({ removed: 1 }).diff.counts)).toBe('1 cell removed');
    expect(countWords(documentOf({ same: 7 }).diff.counts)).toBe('');
  });

  test('name both ends, and say calmly that nothing changed', () => {
    expect(summary(documentOf({ edited: 2, added: 1 }), NOW)).toBe('2 cells edited, 1 added since commit 1a2b3c4, 3 h ago');
    expect(summary(documentOf({ same: 4 }), NOW)).toBe('Nothing has changed since commit 1a2b3c4, 3 h ago');
    const saved = { ...documentOf({ edited: 1 }), new: { label: 'last save', time: NOW - 60 } };
    expect(summary(saved, NOW)).toBe('1 cell edited from commit 1a2b3c4 (3 h ago) to the last save (1 min ago)');
    expect(sideWords({ label: 'snapshot 20261121-181502-k3f9', time: NOW - 7200 }, NOW)).toBe('the snapshot of 2 h ago');
    expect(sideWords({ label: 'before the talk', time: null }, NOW)).toBe('“before the talk”');
    expect(summary(documentOf({}, [], [['kernelspec.name', '"a"', '"b"']]), NOW)).toMatch(/^Only the metadata of the notebook changed since/);
    const other = cell({ outputs: [{ change: 'edited', type: 'text', rows: [['+', 1, 'a']] }] });
    expect(summary(documentOf({ same: 1 }, [other]), NOW)).toMatch(/^1 cell with other outputs or metadata since/);
  });

  test('tell of each cell what happened to it', () => {
    expect(changeWords(cell({ change: 'added', old: null }))).toBe('added');
    expect(changeWords(cell({ change: 'edited', rows: [['+', 1, 'y']], moved: true, old: { index: 11, id: 'a', count: null } }))).toBe('edited, moved from 12');
    expect(changeWords(cell({ change: 'moved', moved: true, old: { index: 2, id: 'a', count: null } }))).toBe('moved from 3');
    expect(changeWords(cell({ change: 'edited', rows: [['=', 1, 1, 'x']], metadata: [['tags', null, '[]']] }))).toBe('other metadata');
    expect(changeWords(cell({ change: 'edited', old_kind: 'raw', rows: [['=', 1, 1, 'x']] }))).toBe('edited');
    expect(changeWords(cell({ outputs: [{ change: 'added', type: 'text' }] }))).toBe('other outputs');
  });

  test('count lines of both sides', () => {
    expect(countLines([['=', 1, 1, ''], ['~', 2, 2, [[1, 'a']], [[1, 'b']]], ['+', 3, 'c']])).toEqual({ added: 2, removed: 1 });
  });
});

test('cells that are as they were are not shown, unless outputs or metadata differ', () => {
  expect(isShown(cell())).toBe(false);
  expect(isShown(cell({ outputs: [{ change: 'same', type: 'text' }] }))).toBe(false);
  expect(isShown(cell({ outputs: [{ change: 'added', type: 'text' }] }))).toBe(true);
  expect(isShown(cell({ change: 'moved' }))).toBe(true);
});

test('a cell keeps its key wherever it goes; a removed one is not the one that took its id', () => {
  expect(keyOf(cell({ new: { index: 9, id: 'a', count: 3 } }))).toBe(keyOf(cell()));
  expect(keyOf(cell({ change: 'removed', new: null }))).not.toBe(keyOf(cell()));
  const nameless = { index: 0, id: null, count: null };
  expect(keyOf(cell({ new: nameless, old: nameless, source: 'x' }))).not.toBe(keyOf(cell({ new: nameless, old: nameless, source: 'y' })));
});
