import { describe, expect, it } from 'vitest';

import { formatElapsed, formatNumber, formatTicks, formatTook } from './format.ts';
import type { Num } from './model.ts';

describe('formatNumber', () => {
  it.each<[Num, string]>([
    [0, '0'],
    [42, '42'],
    [-3, '−3'],
    [1234567, '1234567'],
    [0.123456, '0.1235'],
    [0.5, '0.5'],
    [12.3456, '12.35'],
    [1234.567, '1234.6'],
    [0.00012345, '1.234e−4'],
    [-1.5e-9, '−1.5e−9'],
    [1e12, '1e12'],
    ['NaN', 'NaN'],
    ['Infinity', '∞'],
    ['-Infinity', '−∞'],
    [null, '–'],
  ])('%s becomes %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });
});

describe('times', () => {
  it.each([
    [0, '0:00'],
    [7.9, '0:07'],
    [725, '12:05'],
    [3723, '1:02:03'],
    [2 * 86400 + 3 * 3600 + 4, '2 d 03:00:04'],
    [-5, '0:00'],
  ])('%s s so far is %s', (seconds, text) => {
    expect(formatElapsed(seconds)).toBe(text);
  });

  it('tells tenths of what took seconds', () => {
    expect(formatTook(3.21)).toBe('3.2 s');
    expect(formatTook(9.96)).toBe('0:09');
    expect(formatTook(61)).toBe('1:01');
  });
});

describe('formatTicks', () => {
  it('has as many digits as tell the ticks apart', () => {
    expect(formatTicks([0, 0.25, 0.5], 0.25)).toEqual(['0', '0.25', '0.50']);
    expect(formatTicks([0.9991, 0.9992], 0.0001)).toEqual(['0.9991', '0.9992']);
    expect(formatTicks([0, 200, 400], 200)).toEqual(['0', '200', '400']);
  });

  it('shortens what is large', () => {
    expect(formatTicks([0, 5000, 10000], 5000)).toEqual(['0', '5k', '10k']);
    expect(formatTicks([2.5e6, 5e6], 2.5e6)).toEqual(['2500k', '5000k']);
    expect(formatTicks([0, 25e6], 25e6)).toEqual(['0', '25M']);
  });

  it('uses exponents for what is tiny', () => {
    expect(formatTicks([0, 1e-6, 2e-6], 1e-6)).toEqual(['0', '1e−6', '2e−6']);
  });
});
