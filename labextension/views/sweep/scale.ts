// Where values lie on an axis: numbers evenly or by their logarithm, words side by side.
import { formatNumber, formatTicks } from '../format.ts';
import { decades } from '../scales.ts';
import { roundTicks } from '../media/scale.ts';
import type { Dimension, ParamValue } from './model.ts';

export interface Tick {
  /** From 0 to 1. */
  readonly place: number;
  readonly label: string;
}

export interface Scale {
  /** From 0 to 1, less or more for what lies beyond an end; null for what has no place here. */
  place(value: ParamValue | undefined): number | null;
  /** The number at a place; for words, the one that is nearest, counted from 0. */
  at(place: number): number;
  /** About so many marks. */
  ticks(count: number): readonly Tick[];
  readonly words: readonly string[] | null;
  readonly log: boolean;
}

/** The share of a logarithmic axis that keeps zero apart from the rest. */
const ZERO = 0.12;

export function numberScale(low: number, high: number, log = false, whole = false): Scale {
  if (log && low > 0 && high > low) return logScale(low, high, 0);
  const [from, until] = high > low ? [low, high] : [low - (Math.abs(low) * 0.1 || 1), low + (Math.abs(low) * 0.1 || 1)];
  return {
    place: (value) => (typeof value === 'number' && !Number.isNaN(value) ? (value - from) / (until - from) : null),
    at: (place) => from + place * (until - from),
    ticks: (count) => {
      if (!(high > low)) return [{ place: 0.5, label: formatNumber(low) }];
      const { ticks, increment } = whole ? wholeTicks(from, until, count) : roundTicks(from, until, count);
      const labels = formatTicks(ticks, increment);
      return ticks.map((tick, i) => ({ place: (tick - from) / (until - from), label: labels[i] ?? '' }));
    },
    words: null,
    log: false,
  };
}

/** Marks of what is counted: steps, trials, layers. */
function wholeTicks(low: number, high: number, count: number): ReturnType<typeof roundTicks> {
  const { increment } = roundTicks(low, high, count);
  const by = Math.ceil(increment - 1e-9);
  const first = Math.ceil(low / by - 1e-9);
  return { ticks: Array.from({ length: Math.max(0, Math.floor(high / by + 1e-9) - first + 1) }, (_, i) => (first + i) * by), increment: by };
}

/** Zero has no logarithm: `zero` is how much of the axis keeps it apart from the rest, if values are zero. */
function logScale(low: number, high: number, zero: number): Scale {
  const [from, until] = [Math.log10(low), Math.log10(high)];
  const placeOf = (value: number): number => zero + (1 - zero) * ((Math.log10(value) - from) / (until - from));
  return {
    place: (value) => (typeof value !== 'number' ? null : value > 0 ? placeOf(value) : value === 0 && zero ? 0 : null),
    at: (place) => (place < zero / 2 ? 0 : 10 ** (from + ((place - zero) / (1 - zero)) * (until - from))),
    ticks: (count) => {
      const splits: number[] = [];
      for (let power = Math.floor(from); power <= until; power++) {
        for (const one of [1, 2, 5]) {
          const tick = Number(`${one}e${power}`);
          if (tick >= low * 0.999 && tick <= high * 1.001) splits.push(tick);
        }
      }
      const shown = decades(splits).filter((tick) => tick !== null);
      const by = Math.ceil(shown.length / Math.max(2, count));
      const few = shown.filter((_, i) => (shown.length - 1 - i) % by === 0);
      const ends = few.length < 2 ? [low, high] : few;
      const marks = ends.map((tick) => ({ place: placeOf(tick), label: formatNumber(Number(tick.toPrecision(3))) }));
      return zero ? [{ place: 0, label: '0' }, ...marks] : marks;
    },
    words: null,
    log: true,
  };
}

export function wordScale(words: readonly string[]): Scale {
  const index = new Map(words.map((word, i) => [word, i]));
  const placeAt = (i: number): number => (words.length < 2 ? 0.5 : i / (words.length - 1));
  return {
    place: (value) => {
      const i = value === undefined ? undefined : index.get(wordOf(value));
      return i === undefined ? null : placeAt(i);
    },
    at: (place) => Math.round(place * Math.max(0, words.length - 1)),
    ticks: () => words.map((word, i) => ({ place: placeAt(i), label: word })),
    words,
    log: false,
  };
}

/** The axis of a parameter: what its distribution reaches, and what trials had beyond that. */
export function dimensionScale(dimension: Dimension, values: readonly (ParamValue | undefined)[]): Scale {
  const known = values.filter((value) => value !== undefined);
  const numbers = known.filter((value) => typeof value === 'number' && Number.isFinite(value)) as number[];
  if (dimension.choices || (known.length && numbers.length < known.filter((value) => value !== null).length)) {
    const given = dimension.choices?.map(textWord) ?? [];
    const named = dimension.choices ? known : known.filter((value) => value !== null);
    return wordScale([...new Set([...given, ...named.filter((value) => value !== null || given.includes('None')).map(wordOf)])]);
  }
  const all = [...numbers, dimension.low, dimension.high].filter((value): value is number => value !== null);
  const usable = dimension.log ? all.filter((value) => value > 0) : all;
  if (!usable.length) return numberScale(0, 1);
  if (dimension.log && numbers.includes(0)) return aboveZero(Math.min(...usable), Math.max(...usable));
  return numberScale(Math.min(...usable), Math.max(...usable), dimension.log, dimension.integer);
}

/** A logarithmic axis of values some of which were rounded to zero. */
function aboveZero(low: number, high: number): Scale {
  return high > low ? logScale(low, high, ZERO) : logScale(low / 10, high, ZERO);
}

/** How a value is shown: numbers short, texts without quotes. */
export function wordOf(value: ParamValue): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return typeof value === 'number' ? formatNumber(value) : value;
}

const NAMED: Readonly<Record<string, string>> = { true: 'True', false: 'False', null: 'None' };

/** The same for a value as it stands in the code, or in JSON. */
function textWord(text: string): string {
  if (Object.hasOwn(NAMED, text)) return NAMED[text] ?? text;
  const number = Number(text.replace(/_/g, ''));
  if (text.trim() && !Number.isNaN(number)) return formatNumber(number);
  return /^(['"])(.*)\1$/s.exec(text)?.[2] ?? text;
}

/** Whether a place is off the axis. */
export function isBeyond(place: number | null): boolean {
  return place !== null && (place < -1e-6 || place > 1 + 1e-6);
}

/** A place on the axis itself. */
export function within(place: number): number {
  return Math.min(1, Math.max(0, place));
}
