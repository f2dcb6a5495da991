import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { Dimension, ParamValue } from './model.ts';
import { dimensionScale, numberScale, wordOf } from './scale.ts';
import { brushOver, isWithin, makeScene, PLAIN, walk, type Scene, type Settings } from './scene.ts';
import { about, COLOURS, dimension, sweepOf, trial } from './testing.ts';

const LR = dimension({ name: 'lr', low: 1e-5, high: 0.1, log: true });
const OPTIMIZER = dimension({ name: 'optimizer', low: null, high: null, choices: ["'adam'", "'sgd'"] });
const MOMENTUM = dimension({ name: 'momentum', when: "optimizer='sgd'" });

describe('the axis of a parameter', () => {
  it('is logarithmic where its distribution is, and reaches what that reaches', () => {
    const scale = dimensionScale(LR, [0.001]);
    expect([scale.place(1e-5), scale.place(0.001), scale.place(0.1)]).toEqual([0, expect.closeTo(0.5, 9), expect.closeTo(1, 9)]);
    expect(scale.place(0)).toBeNull();
    expect(scale.ticks(5).map(({ label }) => label)).toEqual(['1e−5', '1e−4', '0.001', '0.01', '0.1']);
    expect(dimensionScale(LR, [1]).place(1)).toBe(1);
  });

  it('keeps zero apart where values were rounded to it', () => {
    const scale = dimensionScale(dimension({ kind: 'qlognormal', low: 0.05, high: 400, log: true }), [0, 1, 400, undefined]);
    expect([scale.place(0), scale.place(400), scale.place(undefined), scale.place(-1)]).toEqual([0, expect.closeTo(1, 9), null, null]);
    expect(scale.place(0.05)).toBeGreaterThan(0.1);
    expect(scale.ticks(5)[0]).toEqual({ place: 0, label: '0' });
    expect(scale.at(0)).toBe(0);
    const [zeros, rest] = [brushOver(scale, 0.03, -0.1, false), brushOver(scale, 0.1, 1.1, false)];
    expect([0, 1, 400, undefined].map((value) => isWithin(zeros, scale, value))).toEqual([true, false, false, false]);
    expect([0, 1, 400, undefined].map((value) => isWithin(rest, scale, value))).toEqual([false, true, true, false]);
    expect(dimensionScale(dimension({ low: null, high: null, log: true }), [0, 2]).place(2)).toBeCloseTo(1, 9);
  });

  it('has a place for each word, as trials have it, and none for what is not set', () => {
    const scale = dimensionScale(OPTIMIZER, ['sgd', undefined]);
    expect([scale.words, scale.place('adam'), scale.place('sgd'), scale.place(undefined), scale.place('lion')]).toEqual([['adam', 'sgd'], 0, 1, null, null]);
    const values: ParamValue[] = [true, 0.001, 64, null, 'a'];
    const choices = ['true', '1e-3', '64', 'None', '"a"'];
    expect(dimensionScale(dimension({ choices }), values).words).toEqual(values.map(wordOf));
    expect(dimensionScale(dimension({ low: null, high: null, choices: null }), ['x', 2]).words).toEqual(['x', '2']);
  });

  it('of whole numbers has no marks between them', () => {
    const whole = dimensionScale(dimension({ low: 1, high: 4, integer: true }), []);
    expect(whole.ticks(8).map(({ label }) => label)).toEqual(['1', '2', '3', '4']);
  });

  it('leads from a value to its place and back', () => {
    const ends = fc.tuple(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), fc.double({ min: 1.01, max: 1e6, noNaN: true }), fc.boolean(), fc.double({ min: 0, max: 1, noNaN: true }));
    fc.assert(
      fc.property(ends, ([low, times, log, place]) => {
        const scale = numberScale(low, low * times, log);
        expect(scale.place(scale.at(place))).toBeCloseTo(place, 6);
        for (const tick of scale.ticks(5)) expect(tick.place).toBeGreaterThan(-0.01);
        expect(scale.ticks(5).length).toBeGreaterThan(0);
      }),
    );
  });
});

describe('a brush', () => {
  it('keeps what lies between its ends, and beyond an end of the axis that it reaches', () => {
    const scale = numberScale(0, 10);
    const middle = brushOver(scale, 0.2, 0.5, false);
    expect([1, 2, 4, 5, 6, undefined].map((value) => isWithin(middle, scale, value))).toEqual([false, true, true, true, false, false]);
    expect(isWithin(brushOver(scale, 1.2, 0.5, false), scale, 99)).toBe(true);
    expect(isWithin(brushOver(scale, 0.5, -0.4, true), scale, undefined)).toBe(true);
  });

  it('over words keeps those that it touches', () => {
    const scale = dimensionScale(OPTIMIZER, []);
    const brush = brushOver(scale, 0.6, 1.1, false);
    expect(['adam', 'sgd', undefined].map((value) => isWithin(brush, scale, value))).toEqual([false, true, false]);
  });

  it('and another keep what passes both', () => {
    const place = fc.double({ min: -0.1, max: 1.1, noNaN: true });
    const dimensions: Dimension[] = [LR, OPTIMIZER, MOMENTUM];
    const some = fc.array(fc.record({ lr: fc.double({ min: 1e-5, max: 0.1, noNaN: true }), sgd: fc.boolean(), momentum: fc.double({ min: 0, max: 1, noNaN: true }) }), { maxLength: 20 });
    fc.assert(
      fc.property(some, place, place, fc.boolean(), (given, from, until, missing) => {
        const all = given.map(({ lr, sgd, momentum }, number) => trial({ number, params: { lr, optimizer: sgd ? 'sgd' : 'adam', ...(sgd && { momentum }) } }));
        const sweep = sweepOf(all, { about: about({ space: dimensions }) });
        const plain = makeScene(sweep, PLAIN, COLOURS, 0);
        expect(plain.shown.size).toBe(all.length);
        const axis = plain.axes.find(({ name }) => name === 'momentum');
        if (!axis) throw new Error('no axis');
        const brushes = new Map([[axis.key, brushOver(axis.scale, from, until, missing)], ['param:optimizer', brushOver(dimensionScale(OPTIMIZER, []), 0.5, 2, false)]]);
        const { shown } = makeScene(sweep, { ...PLAIN, brushes }, COLOURS, 0);
        const [low, high] = [Math.min(from, until), Math.max(from, until)];
        for (const one of all) {
          const place = axis.scale.place(one.params.momentum);
          const inside = place !== null && (place > low + 1e-9 || low <= 0) && (place < high - 1e-9 || high >= 1);
          const outside = place === null || place < low - 1e-9 || place > high + 1e-9;
          if (inside) expect(shown.has(one.number)).toBe(true);
          if (outside) expect(shown.has(one.number)).toBe(false);
        }
      }),
    );
  });
});

describe('the axis of results', () => {
  const scene = (values: readonly number[], given: Partial<Settings> = {}): Scene =>
    makeScene(sweepOf(values.map((value, number) => trial({ number, values: [value] }))), { ...PLAIN, ...given }, COLOURS, 0);

  it('reaches to all of them, unless that flattens the rest', () => {
    const some = [0.62, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.98, 0.1];
    expect(scene(some).range).toEqual({ low: 0.1, high: 0.98, cut: false });
    const close = [0.97, 0.972, 0.974, 0.976, 0.978, 0.98, 0.98, 0.98, 0.1];
    expect([scene(close).range, scene(close).cut]).toEqual([{ low: 0.97, high: 0.98, cut: true }, true]);
    expect(scene(close, { whole: true }).range).toEqual({ low: 0.1, high: 0.98, cut: false });
  });

  it('is logarithmic unasked where they span more than three decades alone, and all or none of the plots are', () => {
    expect(scene([0.01, 4.96]).scale.log).toBe(false);
    expect(scene([0.001, 4.96]).scale.log).toBe(true);
    expect(scene([0.001, 4.96], { log: false }).scale.log).toBe(false);
    expect(scene([0, 4.96], { log: true }).scale.log).toBe(false);
    const curves = new Map([[0, { number: 0, n: 2, steps: Float64Array.of(0, 1), values: Float64Array.of(0, 4) }]]);
    const one = makeScene(sweepOf([trial({ values: [0.001] }), trial({ number: 1, values: [4] })], { curves }), { ...PLAIN, log: true }, COLOURS, 0);
    expect([one.scale.log, one.logs, one.canLog]).toEqual([false, [false], false]);
  });
});

describe('what is shown', () => {
  const scene = (without: readonly string[] = []): Scene =>
    makeScene(
      sweepOf([
        trial({ number: 0, values: [0.5] }),
        trial({ number: 1, values: [0.9] }),
        trial({ number: 2, values: null, state: 'failed' }),
        trial({ number: 3, values: [0.1], state: 'terminated' }),
      ]),
      { ...PLAIN, without: new Set(without) },
      COLOURS,
      0,
    );

  it('is coloured from the worst to the best, and what has no value apart', () => {
    const shown = scene();
    expect(shown.sweep.trials.map((one) => shown.colour(one))).toEqual(['ramp 0.5', 'ramp 1', '#ccc', 'ramp 0']);
    expect(shown.best?.number).toBe(1);
  });

  it('leaves out states that are not wanted', () => {
    expect([...scene(['terminated', 'failed']).shown]).toEqual([0, 1]);
  });

  it('is walked by number with Left and Right, by result with Up and Down', () => {
    const all = scene();
    expect(['ArrowRight', 'ArrowLeft', 'Home', 'End', 'ArrowUp', 'ArrowDown', 'x'].map((key) => walk(all, 1, key))).toEqual([2, 0, 0, 3, 1, 0, undefined]);
    expect(['ArrowRight', 'ArrowUp', 'ArrowDown'].map((key) => walk(all, null, key))).toEqual([0, 1, 1]);
    expect(walk(scene(['failed']), 1, 'ArrowRight')).toBe(3);
    expect(walk(makeScene(sweepOf([]), PLAIN, COLOURS, 0), null, 'ArrowRight')).toBeNull();
  });
});
