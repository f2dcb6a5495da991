import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { RunStore, type Message } from '../store.ts';
import { mergeSweep, readSweep, type PackedCurve, type PackedSweep } from './merge.ts';
import type { SweepData, Trial } from './model.ts';
import { about, trial } from './testing.ts';

const STATES = ['waiting', 'running', 'finished', 'terminated', 'failed', 'stopped', 'killed', 'timeout'] as const;
/** 0 and -0 are two values to `toEqual`, and one to a reader. */
const value = fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0);
const rows = fc.array(
  fc.record({ number: fc.nat(12), state: fc.constantFrom(...STATES), values: fc.option(fc.tuple(value)), reports: fc.nat(9) }).map((given) => trial(given)),
  { maxLength: 30 },
);

function curve(number: number, keep: number, values: readonly number[]): PackedCurve {
  const steps = values.map((_, i) => keep + i);
  const columns = Float64Array.from([...steps, ...steps, ...values, ...values]);
  return { number, n: keep + values.length, keep, points: new DataView(columns.buffer) };
}

function tell(...parts: readonly PackedSweep[]): SweepData {
  return parts.reduce<SweepData | null>((known, part) => mergeSweep(known, part), null) ?? mergeSweep(null, {});
}

describe('the trials of a sweep', () => {
  it('are those told last, by number, in one piece or in many', () => {
    fc.assert(
      fc.property(rows, fc.array(fc.nat(5)), (sent, cuts) => {
        const parts: Trial[][] = [];
        for (let at = 0, i = 0; at < sent.length; i++) {
          const until = at + 1 + (cuts[i] ?? 0);
          parts.push(sent.slice(at, until));
          at = until;
        }
        const merged = tell(...parts.map((trials) => ({ trials }))).trials;
        const last = new Map(sent.map((one) => [one.number, one]));
        expect(merged).toEqual([...last.values()].sort((a, b) => a.number - b.number));
        expect(merged).toEqual(tell({ trials: sent }).trials);
      }),
    );
  });

  it('stay the same objects where nothing was said of them, and so do all parts', () => {
    const before = tell({ about: about(), trials: [trial({ number: 1 }), trial({ number: 2 })], curves: [curve(1, 0, [1]), curve(2, 0, [2])], importance: { lr: 1 } });
    const after = mergeSweep(before, { trials: [trial({ number: 2, state: 'failed' })], curves: [curve(2, 1, [3])] });
    expect(after.trials[0]).toBe(before.trials[0]);
    expect(after.trials[1]?.state).toBe('failed');
    expect(after.curves.get(1)).toBe(before.curves.get(1));
    expect(after.about).toBe(before.about);
    expect(after.importance).toBe(before.importance);
    expect(mergeSweep(after, { status: null }).trials).toBe(after.trials);
    expect(before.trials[1]?.state).toBe('finished');
  });
});

describe('the curve of a trial', () => {
  it('is the same in one piece or in many, whatever is sent again', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1 }), fc.array(fc.nat(4)), (values, cuts) => {
        let known: SweepData | null = null;
        for (let at = 0, i = 0; at < values.length; i++) {
          const keep = Math.max(0, at - 1);
          const until = at + 1 + (cuts[i] ?? 4);
          known = mergeSweep(known, { curves: [curve(7, keep, values.slice(keep, until)), curve(8, 0, values.slice(0, until))] });
          at = until;
        }
        for (const number of [7, 8]) {
          const merged = known?.curves.get(number);
          expect([...(merged?.values ?? [])]).toEqual(values);
          expect([...(merged?.steps ?? [])]).toEqual(values.map((_, step) => step));
          expect(merged?.n).toBe(values.length);
        }
      }),
    );
  });

  it('begins anew where nothing is kept, as after its slots were given back', () => {
    const merged = tell({ curves: [curve(1, 0, [1, 2, 3])] }, { curves: [curve(1, 0, [9])] });
    expect([...(merged.curves.get(1)?.values ?? [])]).toEqual([9]);
  });
});

describe('a sweep that a notebook keeps', () => {
  it('says nothing of what most trials are', () => {
    const read = readSweep(
      {
        about: about({ policy: 'median' }),
        trials: [
          { number: 4, values: [0.5], started: 7, ended: 9 },
          { number: 2, run: 'x', name: 'first', state: 'terminated', values: [0.1], best: 0.2, submitted: 3, by: 'hand', why: { rule: 'too low', interval: 2, step: 1, value: 0.1, threshold: 0.2 } },
        ],
        curves: [{ number: 4, steps: [10, 5, 5], values: [1, 'NaN', 3] }],
        hidden: 3,
      },
      'search',
    );
    const [early, usual] = read.trials;
    expect(usual).toEqual(trial({ number: 4, run: null, name: 'search-4', values: [0.5], best: 0.5, reports: 3, submitted: 7, started: 7, ended: 9 }));
    expect(early).toMatchObject({ number: 2, name: 'first', state: 'terminated', best: 0.2, submitted: 3, started: null, by: 'hand' });
    expect(early?.why).toEqual({ policy: 'median', rule: 'too low', metric: 'accuracy', interval: 2, step: 1, value: 0.1, threshold: 0.2, best: null, best_trial: null });
    expect([...(read.curves.get(4)?.steps ?? [])]).toEqual([10, 15, 20]);
    expect([...(read.curves.get(4)?.values ?? [])]).toEqual([1, NaN, 3]);
    expect([read.hidden, read.hidden_params]).toEqual([3, 0]);
  });
});

describe('what the kernel tells of a sweep', () => {
  const header = { id: 'a', name: 'a', state: 'running' };

  function opened(): { store: RunStore; sent: Record<string, unknown>[] } {
    const sent: Record<string, unknown>[] = [];
    const store = new RunStore((content) => sent.push(content as Record<string, unknown>));
    store.restore({ frame: 0, clock: 1, runs: [{ header, sweep: { about: about(), trials: [trial()], curves: [curve(0, 0, [1, 2])], importance: null } }] } as never);
    return { store, sent };
  }

  it('is taken in frame by frame, and a run that is none has none', () => {
    const { store } = opened();
    const before = store.runs[0]?.sweep;
    store.receive({ type: 'frame', frame: 1, clock: 2, runs: [{ id: 'a', sweep: { curves: [{ number: 0, n: 3, keep: 2, points: { 'mlwidgets:buffer': 0 } }] } }] } as unknown as Message, [curve(0, 2, [5]).points]);
    const after = store.runs[0]?.sweep;
    expect([...(after?.curves.get(0)?.values ?? [])]).toEqual([1, 2, 5]);
    expect(after?.trials).toBe(before?.trials);
    store.restore({ frame: 0, clock: 1, runs: [{ header } as never] });
    expect(store.runs[0]?.sweep).toBeNull();
  });

  it('can be asked for a trial, which is a run of its own, and steered', async () => {
    const { store, sent } = opened();
    const asked = store.ask({ type: 'trial', run: 'a', trial: 'b' });
    const state = { header: { ...header, id: 'b' }, output: { text: 'hello\n', first: 0 } };
    store.receive({ type: 'answer', to: sent[0]?.to, answer: { state } } as unknown as Message, []);
    const { run } = await asked;
    expect([run?.header.id, run?.output.end, run?.series]).toEqual(['b', 1, []]);
    store.steer('a', 'concurrent', 3);
    store.steer('a', 'pause');
    expect(sent.slice(1)).toEqual([{ type: 'sweep', run: 'a', ask: 'concurrent', n: 3 }, { type: 'sweep', run: 'a', ask: 'pause' }]);
  });
});
