import { describe, expect, test } from 'vitest';

import { ENGLISH } from '../../panel/words.ts';
import { HistoryApi, Missing, type History, type Snapshot } from './api.ts';
import { choicesOf, firstChoice } from './choices.ts';

const NOW = 1_800_000_000;

function snapshot(id: string, minutes: number, given: Partial<Snapshot> = {}): Snapshot {
  return { id, time: NOW - 60 * minutes, kind: 'save', run: null, run_name: null, names: [], changed: [1, 0, 2], ...given };
}

const HISTORY: History = {
  where: 'this repository',
  snapshots: [
    snapshot('s4', 2),
    snapshot('s3', 5, { kind: 'submit', run: 'r1', run_name: 'lenet' }),
    snapshot('s2', 60, { names: ['before the talk'] }),
    snapshot('s1', 90, { kind: 'kept', changed: null }),
  ],
  more: false,
  commits: [{ id: '1a2b3c4', time: NOW - 7200, subject: 'A net' }, { id: '0f0f0f0', time: NOW - 86400, subject: 'Begun' }],
};

describe('what a notebook is compared with', () => {
  test('is what a person remembers: the last commit and saves first, then names, times, commits, runs', () => {
    const runs = [{ id: 'r1', name: 'lenet', submitted: NOW - 300 }];
    expect(choicesOf(HISTORY, runs, NOW, ENGLISH).map(({ label, choices }) => [label, ...choices.map((one) => `${one.value} = ${one.label}`)])).toEqual([
      ['', 'commit = Last commit 1a2b3c4, 2 h ago', 'save = Last save, 2 min ago', 'save-before = The save before'],
      ['Named', 'snapshot:s2 = before the talk, 1 h ago'],
      ['Earlier', 'snapshot:s3 = sent off as run lenet, 5 min ago', 'snapshot:s1 = kept before a restore, 1 h ago'],
      ['Commits', 'commit:0f0f0f0 = 0f0f0f0 Begun, 1 d ago'],
      ['Runs', 'run:r1 = lenet, 5 min ago'],
    ]);
  });

  test('is the last commit at first, or the last save, or nothing', () => {
    expect(firstChoice(HISTORY)).toBe('commit');
    expect(firstChoice({ ...HISTORY, commits: [] })).toBe('save');
    expect(firstChoice({ ...HISTORY, commits: [], snapshots: [] })).toBeNull();
    expect(choicesOf({ ...HISTORY, commits: [], snapshots: [] }, [], NOW, ENGLISH)).toEqual([]);
  });
});

describe('the server', () => {
  const asked: string[] = [];
  const api = (status: number, body: string): HistoryApi =>
    new HistoryApi((path, init) => {
      asked.push(`${init.method ?? ''} ${path}`);
      return Promise.resolve(new Response(body, { status }));
    });

  test('is asked for states by name', async () => {
    await api(200, '{}').compare('a b/ü.ipynb', 'commit', 'file', false);
    expect(asked.at(-1)).toBe('GET changes?path=a+b%2F%C3%BC.ipynb&from=commit&to=file&outputs=0');
    expect(await api(200, '{"kept": "s9"}').restore('n.ipynb', 's1')).toBe('s9');
    expect(asked.at(-1)).toBe('POST history');
    await api(200, '{}').history('n.ipynb', 200);
    expect(asked.at(-1)).toBe('GET history?path=n.ipynb&limit=200');
    await api(200, '{}').history('n.ipynb', 1, 's1');
    expect(asked.at(-1)).toBe('GET history?path=n.ipynb&limit=1&before=s1');
  });

  test('says what is wrong in its own words, or has no such routes', async () => {
    await expect(api(409, '{"message": "n.ipynb is empty"}').history('n.ipynb', 1)).rejects.toThrow('n.ipynb is empty');
    await expect(api(404, '{"message": "there is no notebook"}').history('n.ipynb', 1)).rejects.toThrow('there is no notebook');
    await expect(api(404, '<html>').history('n.ipynb', 1)).rejects.toBeInstanceOf(Missing);
    await expect(api(502, '<html>').history('n.ipynb', 1)).rejects.toThrow('HTTP 502');
    await expect(api(200, '<html>').history('n.ipynb', 1)).rejects.toThrow('HTTP 200');
  });
});
