import { describe, expect, it } from 'vitest';

import { axesOf, toTimes, xOf } from './axis.ts';
import { groupSeries } from './groups.ts';
import type { RunData, Series } from './model.ts';

function series(name: string, times: number[], values: number[], more: Partial<Series> = {}): Series {
  const numbers = Float64Array.from(values);
  const steps = Float64Array.from(values, (_, i) => i);
  const about = { group: name, role: '', better: 0, n: values.length, last: 0, lastStep: 0, min: 0, max: 0 };
  return { ...about, name, times: Float64Array.from(times), values: numbers, means: numbers, steps, ...more };
}

function run(name: string, ...all: Series[]): RunData {
  const header = { id: name, name, state: 'running', started: 100, submitted: 99, ended: null };
  return { header, series: all, system: [] } as unknown as RunData;
}

describe('the x axis', () => {
  it('offers what all runs can be drawn over', () => {
    const timed = run('a', series('loss', [101], [1]));
    const counted = run('b', series('loss', [101], [1]), series('epoch', [101], [1]));
    expect(axesOf([counted])).toEqual(['step', 'epoch', 'time']);
    expect(axesOf([counted, timed])).toEqual(['step', 'time']);
    expect(axesOf([run('old', series('loss', [], [1]))])).toEqual(['step']);
  });

  it('counts time from the start of each run', () => {
    expect([...xOf(run('a'), series('loss', [101, 103.5], [1, 2]), 'time')]).toEqual([1, 3.5]);
  });

  it('lays what came between two epochs between them', () => {
    const loss = series('loss', [100, 110, 115, 120, 130], [1, 1, 1, 1, 1]);
    const fromOne = run('a', loss, series('epoch', [110, 120, 130], [1, 2, 3]));
    expect([...xOf(fromOne, loss, 'epoch')]).toEqual([0, 1, 1.5, 2, 3]);
    const fromZero = run('a', loss, series('epoch', [110, 120, 130], [0, 1, 2]));
    expect([...xOf(fromZero, loss, 'epoch')]).toEqual([0, 1, 1.5, 2, 3]);
  });

  it('takes an epoch that is told with every batch from its first on', () => {
    const times = [100, 105, 110, 115, 120, 125];
    const loss = series('loss', times, [1, 1, 1, 1, 1, 1]);
    const told = run('a', loss, series('epoch', times, [0, 0, 1, 1, 2, 2]));
    expect([...xOf(told, loss, 'epoch')]).toEqual([0, 0.5, 1, 1.5, 2, 2.5]);
    expect(toTimes(told, 'epoch', 0.5, 1.5)).toEqual([105, 115]);
  });
});

describe('charts', () => {
  it('hold training and validation of one name, training first', () => {
    const validation = series('val_loss', [], [], { group: 'loss', role: 'validation' });
    const groups = groupSeries([run('a', validation, series('loss', [], []), series('epoch', [], []))], (one) => one.series);
    expect(groups.map(({ title, members }) => [title, members.map(({ label }) => label)])).toEqual([
      ['loss', ['loss', 'val_loss']],
    ]);
    const [colours] = groups.map(({ members }) => members.map(({ colour }) => colour));
    expect(new Set(colours).size).toBe(2);
  });

  it('give each run a colour and each role a dash where there are several', () => {
    const both = [series('train_loss', [], [], { group: 'loss', role: 'train' }), series('val_loss', [], [], { group: 'loss', role: 'validation' })];
    const [group] = groupSeries([run('a', ...both), run('b', ...both)], (one) => one.series);
    const seen = group?.members.map(({ label, colour, dash }) => [label, colour, dash.length > 0]) ?? [];
    expect(seen.map(([label]) => label)).toEqual(['a train_loss', 'a val_loss', 'b train_loss', 'b val_loss']);
    expect(seen.map(([, , dashed]) => dashed)).toEqual([false, true, false, true]);
    expect(seen[0]?.[1]).toBe(seen[1]?.[1]);
    expect(seen[0]?.[1]).not.toBe(seen[2]?.[1]);
  });
});
