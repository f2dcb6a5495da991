import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import type { RunState } from '../views/model.ts';
import { EVERYTHING, matcher, RunList, sortValue, type Query, type SortKey } from './list.ts';
import { keyOf } from './model.ts';
import { summary } from './testing.ts';

const STATES: RunState[] = ['submitted', 'running', 'finished', 'failed', 'stopped', 'killed', 'timeout'];

const word = fc.constantFrom('', 'lr', 'lenet', 'Ünïcode', '<img src=x onerror=1>', '__proto__', '10', '9');
const num = fc.oneof(fc.double(), fc.constantFrom('NaN' as const, 'Infinity' as const, '-Infinity' as const, null));
const run = fc.record({
  id: fc.integer({ min: 0, max: 30 }).map(String),
  store: fc.constantFrom('', 'a/b'),
  name: word,
  state: fc.constantFrom(...STATES),
  submitted: fc.integer({ min: 0, max: 5 }),
  started: fc.option(fc.integer({ min: 0, max: 5 })),
  ended: fc.option(fc.integer({ min: 5, max: 9 })),
  pinned: fc.boolean(),
  note: word,
  notebook: fc.option(word),
  metrics: fc.dictionary(fc.constantFrom('loss', 'acc'), num),
  params: fc.dictionary(fc.constantFrom('lr', 'net'), fc.constantFrom('0.1', '1e-3', "'resnet'", '1_000', 'None')),
  tags: fc.dictionary(fc.constantFrom('team', 'x'), word),
}).map((given) => summary(given));
const query: fc.Arbitrary<Query> = fc.record({
  text: fc.constantFrom('', 'lenet', ' LR  0.1', 'nowhere'),
  state: fc.constantFrom('' as const, 'live' as const, ...STATES),
  notebook: word,
  tag: fc.constantFrom('', 'x', 'team=lr'),
  store: fc.constantFrom(null, '', 'a/b'),
  sort: fc.constantFrom<SortKey>('submitted', 'duration', 'name', 'metric:loss', 'metric:toString', 'param:lr', 'param:net'),
  descending: fc.boolean(),
});

describe('the list of runs', () => {
  test('is the same whether runs come at once or one by one, and whatever was searched before', () => {
    fc.assert(
      fc.property(fc.array(run, { maxLength: 60 }), query, query, (runs, first, then) => {
        const step = new RunList();
        step.search(first);
        for (const one of runs) {
          step.put([one]);
          step.visible();
        }
        step.search(then);
        const whole = new RunList();
        whole.search(then);
        whole.put(runs);
        const again = new RunList();
        again.search(then);
        for (const one of runs) {
          again.put([one]);
          again.visible();
        }
        expect(step.visible().map(keyOf)).toEqual(whole.visible().map(keyOf));
        expect(again.visible()).toEqual(whole.visible());
      }),
    );
  });

  test('holds what matches and nothing else; both directions are opposite but for pins and what has no value', () => {
    fc.assert(
      fc.property(fc.array(run, { maxLength: 60 }), query, (runs, asked) => {
        const list = new RunList();
        list.put(runs);
        list.search(asked);
        const shown = list.visible();
        expect(new Set(shown.map(keyOf))).toEqual(new Set([...list.all()].filter(matcher(asked)).map(keyOf)));
        const firstUnpinned = shown.findIndex((one) => !one.pinned);
        expect(shown.slice(firstUnpinned < 0 ? shown.length : firstUnpinned).every((one) => !one.pinned)).toBe(true);
        for (const part of [shown.filter((one) => one.pinned), shown.filter((one) => !one.pinned)]) {
          const values = part.map((one) => sortValue(one, asked.sort));
          const none = values.indexOf(null);
          if (none >= 0) expect(values.slice(none).every((value) => value === null)).toBe(true);
          const numbers = values.filter((value) => typeof value === 'number');
          expect(numbers).toEqual([...numbers].sort((a, b) => (a === b ? 0 : (a < b ? -1 : 1) * (asked.descending ? -1 : 1))));
        }
      }),
    );
  });

  test('finds by name, id, parameter, tag, note and notebook, all words at once', () => {
    const one = summary({ id: '20261121-resnet-k3f9', name: 'ResNet', params: { lr: '0.001' }, tags: { team: 'vision' }, note: 'First try', notebook: 'deep/train.ipynb' });
    const finds = (text: string): boolean => matcher({ ...EVERYTHING, text })(one);
    for (const text of ['resnet', 'K3F9', 'lr=0.001', 'team=vision', 'first  try', 'deep/train', 'try vision lr']) expect(finds(text), text).toBe(true);
    for (const text of ['lr=0.01', 'resnet sgd']) expect(finds(text), text).toBe(false);
  });

  test('a run that is taken away is gone, and one of another store with the same id stays', () => {
    const list = new RunList();
    list.put([summary(), summary({ store: 'a' })]);
    list.visible();
    list.remove([keyOf(summary())]);
    expect(list.visible().map((one) => one.store)).toEqual(['a']);
  });

  test('offers what runs have to choose from', () => {
    const list = new RunList();
    list.put([summary({ metrics: { loss10: 1, loss9: 2 }, tags: { a: '', b: 'c' }, notebook: 'n.ipynb' })]);
    expect(list.choices()).toEqual({ metrics: ['loss9', 'loss10'], params: [], tags: ['a', 'b=c'], notebooks: ['n.ipynb'], stores: [''] });
  });

  test('ten thousand runs are filtered and sorted', () => {
    const list = new RunList();
    list.put(Array.from({ length: 10_000 }, (_, i) => summary({ id: String(i), name: `run-${i}`, submitted: i, metrics: { loss: (i * 7919) % 10_000 } })));
    list.search({ ...EVERYTHING, text: 'run-9', sort: 'metric:loss', descending: false });
    expect(list.visible().length).toBe(1111);
    list.search({ ...EVERYTHING, sort: 'metric:loss', descending: false });
    expect(list.visible()[0]?.metrics.loss).toBe(0);
  });
});
