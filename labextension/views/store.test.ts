import { describe, expect, it } from 'vitest';

import { RunStore, type Message } from './store.ts';

function points(...values: number[]): DataView {
  return new DataView(Float64Array.from([...values.map((_, i) => i), ...values, ...values, ...values]).buffer);
}

const header = { id: 'a', name: 'a', state: 'running' };
const loss = { name: 'loss', group: 'loss', role: '', better: -1, n: 2, last: 1, lastStep: 1, min: 1, max: 2 };

function opened(): { store: RunStore; sent: { type?: string; to?: number }[] } {
  const sent: object[] = [];
  const store = new RunStore((content) => sent.push(content));
  const state = { frame: 3, clock: 10, runs: [{ header, series: [{ ...loss, keep: 0, points: points(2, 1) }], output: { text: 'a\n', first: 0 } }] };
  store.restore(state as never);
  return { store, sent };
}

function frame(number: number, run: object): Message {
  return { type: 'frame', frame: number, clock: 11, runs: [{ id: 'a', ...run }] };
}

describe('what the kernel tells', () => {
  it('is taken in frame by frame', () => {
    const { store } = opened();
    let changes = 0;
    const end = store.subscribe(() => {
      changes += 1;
    });
    const displays = store.runs[0]?.displays;
    store.receive(frame(4, { series: [{ ...loss, keep: 1, points: { 'mlwidgets:buffer': 0 } }], output: { add: 'b\n' } }), [points(0.5)]);
    expect([...(store.runs[0]?.series[0]?.values ?? [])]).toEqual([2, 0.5]);
    expect(store.runs[0]?.output.end).toBe(2);
    expect(store.runs[0]?.displays).toBe(displays);
    expect([store.clock, changes]).toEqual([11, 1]);
    end();
    store.receive(frame(5, {}), []);
    expect(changes).toBe(1);
  });

  it('is asked for anew where a frame was lost, and what came before is passed over', () => {
    const { store, sent } = opened();
    store.receive(frame(3, { header: { ...header, state: 'finished' } }), []);
    store.receive(frame(6, { header: { ...header, state: 'finished' } }), []);
    expect(store.runs[0]?.header.state).toBe('running');
    expect(sent).toEqual([{ type: 'hello', frame: 3 }]);
  });

  it('answers whoever asked', async () => {
    const { store, sent } = opened();
    const lines = store.ask({ type: 'lines', run: 'a', first: 0, count: 1 });
    const failed = store.ask({ type: 'find', run: 'a', text: 'x' });
    store.receive({ type: 'answer', to: sent[1]?.to ?? 0, answer: { error: 'gone' } }, []);
    store.receive({ type: 'answer', to: sent[0]?.to ?? 0, answer: { lines: ['a'] } }, []);
    expect(await lines).toEqual({ lines: ['a'] });
    await expect(failed).rejects.toThrow('gone');
  });
});
