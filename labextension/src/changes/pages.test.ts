import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import type { History, Snapshot } from './api.ts';
import { before, joined, shownOf } from './pages.ts';

/** What the server answers. */
function ask(all: readonly Snapshot[], limit: number, last?: string): History {
  const older = all.slice(all.findIndex(({ id }) => id === last) + 1);
  const left = older.slice(limit);
  const snapshots = [...older.slice(0, limit), ...left.filter(({ names }) => names.length)];
  return { where: 'this repository', snapshots, commits: [], more: snapshots.length < older.length };
}

function taken(named: readonly boolean[]): Snapshot[] {
  return named.map((has, i) => ({ id: `s${i}`, time: 1000 - i, kind: 'save', run: null, run_name: null, names: has ? [`n${i}`] : [], changed: null }));
}

const ids = ({ snapshots }: History): string[] => snapshots.map(({ id }) => id);

describe('the history', () => {
  test('comes piece by piece; what has a name is there from the beginning', () => {
    const all = taken([false, true, false, false, true, false, false, true]);
    let history = ask(all, 3);
    expect([ids(history), shownOf(history)]).toEqual([['s0', 's1', 's2', 's4', 's7'], 3]);
    history = joined(history, 's2', ask(all, 3, 's2'));
    expect([ids(history), shownOf(history), history.more]).toEqual([['s0', 's1', 's2', 's3', 's4', 's5', 's7'], 6, true]);
    history = joined(history, 's5', ask(all, 3, 's5'));
    expect([ids(history), shownOf(history), history.more]).toEqual([all.map(({ id }) => id), 8, false]);
  });

  test('is whole in the end, in order, whatever has a name', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 30 }), fc.integer({ min: 1, max: 8 }), (named, limit) => {
        const all = taken(named.map((has, i) => has && i % limit !== 0));
        let history = ask(all, limit);
        for (let i = 0; history.more && i <= all.length; i += 1) {
          const last = history.snapshots[shownOf(history) - 1]?.id ?? '';
          history = joined(history, last, ask(all, limit, last));
          expect(ids(history)).toEqual(all.map(({ id }) => id).filter((id) => ids(history).includes(id)));
        }
        expect(ids(history)).toEqual(all.map(({ id }) => id));
      }),
    );
  });

  test('does not lose what came meanwhile, and takes no piece that fits nowhere', () => {
    const all = taken([false, false, false, false]);
    const [newest] = all as [Snapshot];
    const late = ask(all, 2, 's1');
    expect(ids(joined(ask([{ ...newest, id: 'new' }, ...all], 3), 's1', late))).toEqual(['new', 's0', 's1', 's2', 's3']);
    expect(ids(joined(ask(all, 1), 's1', late))).toEqual(['s0']);
  });

  test('knows the snapshot before one, unless that may be left out', () => {
    const all = taken([false, true, false, true, false, true]);
    const history = ask(all, 3);
    expect(all.map((one) => before(history, one)?.id)).toEqual(['s1', 's2', undefined, undefined, undefined, undefined]);
    const whole = ask(all, 9);
    expect(all.map((one) => before(whole, one)?.id ?? null)).toEqual(['s1', 's2', 's3', 's4', 's5', null]);
    expect(all.map((one) => before(whole, one)).pop()).toBeNull();
  });
});
