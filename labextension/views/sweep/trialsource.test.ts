import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Answer, Question, RunData, RunSource } from '../model.ts';
import type { Curve } from './model.ts';
import { sweepOf, trial } from './testing.ts';
import { shownState } from '../states.ts';
import { TrialSource } from './trialsource.ts';

const CURVE: Curve = { number: 3, n: 40, steps: Float64Array.of(0, 5, 9), values: Float64Array.of(1, NaN, 0.25) };
const TRIAL = trial({ number: 3, run: 'r3', name: 's-3', state: 'running', ended: null, params: { lr: 0.1, net: 'a' } });
const DATA = sweepOf([TRIAL], { curves: new Map([[3, CURVE]]) });

function answering(states: readonly ('running' | 'finished' | 'silent')[]): { source: RunSource; asked: Question[] } {
  const asked: Question[] = [];
  const ask = (question: Question): Promise<Answer> => {
    const state = states[Math.min(asked.push(question), states.length) - 1];
    if (state === 'silent') return Promise.reject(new Error('nobody'));
    return Promise.resolve({ run: { header: { id: 'r3', name: 'told', state } } as unknown as RunData });
  };
  return { source: { runs: [], ask }, asked };
}

describe('a trial of a sweep', () => {
  beforeEach(() => { vi.useFakeTimers(); });
  afterEach(() => { vi.useRealTimers(); });

  it('is at once what the sweep knows of it, and stays so where nobody can be asked', async () => {
    const shown = new TrialSource({ runs: [] }, 's', DATA, TRIAL, () => true);
    await vi.advanceTimersByTimeAsync(10_000);
    const [run] = shown.runs;
    expect(run?.header).toMatchObject({ id: 'r3', name: 's-3', state: 'running', params: [['lr', '0.1'], ['net', 'a']] });
    expect(run?.series[0]).toMatchObject({ name: 'accuracy', n: 40, last: 0.25, lastStep: 9, min: 0.25, max: 1, better: 1 });
    expect(['ask' in shown, 'stop' in shown, shown.told]).toEqual([false, false, false]);
    let changes = 0;
    shown.subscribe(() => (changes += 1));
    const ended = trial({ ...TRIAL, state: 'terminated', ended: 200, cause: 'too low' });
    shown.update(sweepOf([ended], { curves: DATA.curves }), ended);
    expect([shown.runs[0]?.header.state, shown.runs[0]?.header.ended, changes]).toEqual(['stopped', 200, 1]);
    expect(shown.runs.map(({ header }) => shownState(header))).toEqual(['terminated']);
    shown.dispose();
  });

  it('is asked for again while it goes on and somebody looks, and no more once it has ended', async () => {
    const { source, asked } = answering(['silent', 'running', 'running', 'finished']);
    let seen = true;
    const shown = new TrialSource(source, 's', DATA, TRIAL, () => seen);
    await vi.advanceTimersByTimeAsync(0);
    expect([asked[0], shown.told]).toEqual([{ type: 'trial', run: 's', trial: 'r3' }, false]);
    await vi.advanceTimersByTimeAsync(2000);
    expect([asked.length, shown.told, shown.runs[0]?.header.name]).toEqual([2, true, 'told']);
    seen = false;
    await vi.advanceTimersByTimeAsync(20_000);
    expect(asked.length).toBe(2);
    seen = true;
    await vi.advanceTimersByTimeAsync(4000);
    expect([asked.length, shown.runs[0]?.header.state]).toEqual([4, 'finished']);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(asked.length).toBe(4);
    // What the sweep says is less than what was told.
    shown.update(DATA, trial({ ...TRIAL, reports: 99 }));
    expect(shown.runs[0]?.header.name).toBe('told');
    shown.dispose();
  });

  it('is not asked for any more when it is closed', async () => {
    const { source, asked } = answering(['running']);
    const shown = new TrialSource(source, 's', DATA, TRIAL, () => true);
    await vi.advanceTimersByTimeAsync(0);
    shown.dispose();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(asked.length).toBe(1);
  });
});
