import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { EVERYTHING, isFiltered, matcher, RunList, type Query, type SortKey } from './list.ts';
import { keyOf, type Summary, type SweepSummary } from './model.ts';
import { metricValue, sweepKey, withoutTrialsOfChosen } from './sweeps.ts';
import { summary } from './testing.ts';

function sweepSummary(given: Partial<SweepSummary> = {}): SweepSummary {
  const counts = { running: 0, waiting: 0, finished: 0, terminated: 0, failed: 0, stopped: 0, given_back: 0 };
  return { objectives: [{ metric: 'acc', direction: 'maximize' }], planned: 9, counts, best: [0.9], best_trial: 1, paused: null, ...given };
}

const run = fc
  .record({
    id: fc.nat(24),
    store: fc.constantFrom('', 'a'),
    name: fc.constantFrom('lenet', 'other'),
    state: fc.constantFrom('submitted' as const, 'running' as const, 'finished' as const, 'stopped' as const),
    submitted: fc.nat(4),
    pinned: fc.boolean(),
    metrics: fc.dictionary(fc.constantFrom('acc', 'loss'), fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constant('NaN' as const))),
  })
  // The first ids are sweeps, some are plain runs, the others trials of a sweep, or of one that is not there.
  .map(({ id, ...given }): Summary => {
    if (id < 3) return summary({ ...given, id: `s${id}`, sweep: sweepSummary() });
    if (id < 8) return summary({ ...given, id: `r${id}` });
    return summary({ ...given, id: `t${id}`, trial_of: `s${id % 4}`, trial: id });
  });
const query: fc.Arbitrary<Query> = fc.record({
  text: fc.constantFrom('', 'lenet', 's1', 't1'),
  state: fc.constantFrom('' as const, 'live' as const, 'finished' as const),
  notebook: fc.constant(''),
  tag: fc.constant(''),
  store: fc.constantFrom(null, 'a'),
  sort: fc.constantFrom<SortKey>('submitted', 'name', 'metric:acc'),
  descending: fc.boolean(),
});
const SWEEPS = ['', 'a'].flatMap((store) => [0, 1, 2].map((i) => summary({ store, id: `s${i}` })));
type Act = { readonly put: Summary } | { readonly remove: Summary } | { readonly open: number; readonly to: boolean };
const acts = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: run.map((put): Act => ({ put })) },
    { weight: 1, arbitrary: run.map((remove): Act => ({ remove })) },
    { weight: 1, arbitrary: fc.record({ open: fc.nat(5), to: fc.boolean() }) },
  ),
  { maxLength: 60 },
);

function act(list: RunList, one: Act): void {
  if ('put' in one) list.put([one.put]);
  else if ('remove' in one) list.remove([keyOf(one.remove)]);
  else list.open(SWEEPS[one.open] ?? summary(), one.to);
}

describe('sweeps in the list', () => {
  test('are the same whether it is looked at after each change or once', () => {
    fc.assert(
      fc.property(acts, query, fc.boolean(), (all, asked, whole) => {
        const [looked, once] = [new RunList(), new RunList()];
        for (const list of [looked, once]) {
          list.whole = whole;
          list.search(asked);
        }
        for (const one of all) {
          act(looked, one);
          looked.visible();
          act(once, one);
        }
        expect(looked.visible()).toEqual(once.visible());
        expect([looked.matched, looked.trials]).toEqual([once.matched, once.trials]);
      }),
      { numRuns: 400 },
    );
  });

  test('hold each run that is found once: at the top, or below its sweep where that is open', () => {
    fc.assert(
      fc.property(acts, query, (all, asked) => {
        const list = new RunList();
        list.whole = true;
        list.search(asked);
        for (const one of all) act(list, one);
        const shown = list.visible();
        const matches = matcher(asked);
        expect(new Set(shown).size).toBe(shown.length);
        expect(list.matched).toBe([...list.all()].filter(matches).length);
        let sweep: Summary | null = null;
        for (const one of shown) {
          const parent = list.sweepOf(one);
          if (!parent) sweep = one;
          else {
            expect(parent).toBe(sweep);
            expect(list.isOpen(parent)).toBe(true);
          }
        }
        for (const one of list.all()) {
          const parent = list.sweepOf(one);
          const there = shown.includes(one);
          if (matches(one) && !parent) expect(there).toBe(true);
          if (matches(one) && parent) {
            expect(shown.includes(parent)).toBe(true);
            expect(there).toBe(list.isOpen(parent));
            if (isFiltered(asked) && !matches(parent)) expect(list.isOpen(parent) || all.some((act) => 'to' in act && !act.to)).toBe(true);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  const sweep = summary({ id: 's', name: 'search', sweep: sweepSummary(), submitted: 50 });
  const trial = (number: number, given: Partial<Summary> = {}): Summary =>
    summary({ id: `t${number}`, name: `search-${number}`, trial_of: 's', trial: number, submitted: 60 + number, ...given });
  const ids = (list: RunList): string[] => list.visible().map(({ id }) => id);

  test('open to their trials: the best first, then those that go on, then all others', () => {
    const list = new RunList();
    list.put([sweep, trial(0, { metrics: { acc: 0.5 } }), trial(1, { state: 'running', metrics: { acc: 0.99 } }), trial(2, { metrics: { acc: 0.9 } }), trial(3, { state: 'failed' }), summary({ id: 'r', submitted: 99 })]);
    expect(ids(list)).toEqual(['r', 's']);
    list.open(sweep, true);
    expect(ids(list)).toEqual(['r', 's', 't2', 't0', 't1', 't3']);
    list.put([trial(0, { metrics: { acc: 0.95 } })]);
    expect(ids(list)).toEqual(['r', 's', 't0', 't2', 't1', 't3']);
    list.search({ ...EVERYTHING, sort: 'name', descending: true });
    expect(ids(list)).toEqual(['s', 't3', 't2', 't1', 't0', 'r']);
    list.open(sweep, false);
    expect(ids(list)).toEqual(['s', 'r']);
    const losses = summary({ ...sweep, sweep: sweepSummary({ objectives: [{ metric: 'acc', direction: 'minimize' }] }) });
    list.search(EVERYTHING);
    list.put([losses]);
    list.open(losses, true);
    expect(ids(list).slice(2, 4)).toEqual(['t2', 't0']);
  });

  test('are shown, and opened, for trials that a filter finds; what the user closes stays closed until the next', () => {
    const list = new RunList();
    list.put([sweep, trial(0, { params: { lr: '0.1' } }), trial(1, { params: { lr: '0.2' } })]);
    list.search({ ...EVERYTHING, text: 'lr=0.2' });
    expect(ids(list)).toEqual(['s', 't1']);
    expect(list.matched).toBe(1);
    list.open(sweep, false);
    expect(ids(list)).toEqual(['s']);
    list.search({ ...EVERYTHING, text: 'lr=0.1' });
    expect(ids(list)).toEqual(['s', 't0']);
    // A sweep that is found itself is not opened for it, and then shows all.
    list.search({ ...EVERYTHING, text: 'search' });
    expect(ids(list)).toEqual(['s']);
    list.put([summary({ ...sweep, note: 'precious' })]);
    list.search({ ...EVERYTHING, text: 'precious' });
    list.open(sweep, true);
    expect(ids(list)).toEqual(['s', 't0', 't1']);
  });

  test('that are still to come hide their trials; those that are lost do not', () => {
    const list = new RunList();
    list.put([trial(0)]);
    expect(ids(list)).toEqual([]);
    list.whole = true;
    expect(ids(list)).toEqual(['t0']);
    list.put([sweep]);
    expect(ids(list)).toEqual(['s']);
  });

  test('a change of a trial that nobody sees leaves the list as it is', () => {
    const list = new RunList();
    list.put([sweep, trial(0)]);
    const shown = list.visible();
    list.put([trial(0, { state: 'failed' }), trial(1)]);
    expect(list.visible()).toBe(shown);
    expect(list.matched).toBe(3);
  });

  test('ten thousand runs, half of them trials, are opened and closed', () => {
    const list = new RunList();
    const runs = Array.from({ length: 5000 }, (_, i) => summary({ id: `r${i}`, submitted: i, ...(i % 100 ? {} : { sweep: sweepSummary() }) }));
    const trials = Array.from({ length: 5000 }, (_, i) => summary({ id: `t${i}`, trial: i, trial_of: `r${(i % 50) * 100}`, metrics: { acc: (i * 7919) % 5000 } }));
    list.put([...trials, ...runs]);
    expect([list.visible().length, list.matched, list.trials]).toEqual([5000, 10_000, 5000]);
    for (const one of runs) if (one.sweep) list.open(one, true);
    expect(list.visible().length).toBe(10_000);
    expect(list.visible().filter((one) => sweepKey(one) === '\nr0').slice(0, 2).map(({ metrics }) => metrics.acc)).toEqual([...trials.filter(({ trial_of: of }) => of === 'r0').map(({ metrics }) => metrics.acc as number)].sort((a, b) => b - a).slice(0, 2));
  });
});

test('a sweep has the value of its best trial', () => {
  const sweep = summary({ sweep: sweepSummary({ best: [0.7] }) });
  expect([metricValue(sweep, 'acc'), metricValue(sweep, 'loss'), metricValue({ ...sweep, metrics: { acc: 0.8 } }, 'acc'), metricValue(sweep, null)]).toEqual([0.7, undefined, 0.8, undefined]);
});

test('what is done to a sweep is not done to its trials again', () => {
  const [sweep, one, other] = [summary({ id: 's' }), summary({ id: 't', trial_of: 's' }), summary({ id: 'u', trial_of: 'x' })];
  expect(withoutTrialsOfChosen([one, sweep, other])).toEqual([sweep, other]);
  expect(withoutTrialsOfChosen([one])).toEqual([one]);
});
