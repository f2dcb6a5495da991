// What all parts of the view of a sweep show alike: which trials, by which objective, in which colours.
import { formatNumber, formatTook } from '../format.ts';
import { stateColour, type Colours } from './colour.ts';
import { bestTrial, curvesRange, frontOf, rangeOf, spansDecades, valueOf, type Range } from './insight.ts';
import { finite, signOf, type Dimension, type Objective, type ParamValue, type SweepData, type Trial, type TrialState } from './model.ts';
import { dimensionScale, numberScale, within, wordOf, type Scale } from './scale.ts';

/** A stretch of an axis, or some of its words, and whether trials that have no value there are wanted. */
export interface Brush {
  readonly low: number;
  readonly high: number;
  readonly words: ReadonlySet<string> | null;
  readonly missing: boolean;
}

/** What the reader has chosen. */
export interface Settings {
  readonly colourBy: 'value' | 'state';
  /** Null: where it tells more. */
  readonly log: boolean | null;
  /** Whether axes reach to what went astray, though that flattens the rest. */
  readonly whole: boolean;
  readonly objective: number;
  readonly brushes: ReadonlyMap<string, Brush>;
  /** Groups of states that are not wanted. */
  readonly without: ReadonlySet<string>;
}

export const PLAIN: Settings = { colourBy: 'value', log: null, whole: false, objective: 0, brushes: new Map(), without: new Set() };

/** A parameter or an objective along which trials lie. */
export interface Axis {
  readonly key: string;
  readonly name: string;
  readonly about: string;
  readonly scale: Scale;
  readonly value: (trial: Trial) => ParamValue | undefined;
  /** Whether trials have no value here. */
  readonly missing: boolean;
  /** Its number, where it is an objective. */
  readonly objective: number | null;
}

export interface Scene {
  readonly sweep: SweepData;
  readonly objectives: readonly Objective[];
  readonly objective: number;
  readonly sign: 1 | -1;
  readonly metric: string;
  /** Of the chosen objective. */
  readonly scale: Scale;
  readonly range: Range | null;
  /** Of the curves of the first objective. */
  readonly curves: Range | null;
  /** Whether each objective is shown by its logarithm, and can be. */
  readonly logs: readonly boolean[];
  readonly canLog: boolean;
  /** Whether something lies beyond an axis. */
  readonly cut: boolean;
  /** Whether no trial will follow. */
  readonly ended: boolean;
  readonly axes: readonly Axis[];
  readonly shown: ReadonlySet<number>;
  readonly best: Trial | null;
  /** Numbers of those that no other is better than in every objective, where there are several. */
  readonly front: ReadonlySet<number>;
  readonly colours: Colours;
  readonly settings: Settings;
  /** Unix seconds, for those that go on. */
  readonly now: number;
  colour(trial: Trial): string;
}

/** States that the view counts together. */
export const GROUPS: readonly { readonly key: string; readonly label: string; readonly states: readonly TrialState[] }[] = [
  { key: 'running', label: 'running', states: ['running'] },
  { key: 'waiting', label: 'waiting', states: ['waiting'] },
  { key: 'finished', label: 'finished', states: ['finished'] },
  { key: 'terminated', label: 'ended early', states: ['terminated'] },
  { key: 'failed', label: 'failed', states: ['failed', 'killed'] },
  { key: 'stopped', label: 'stopped', states: ['stopped', 'timeout'] },
];

export function groupOf(state: TrialState): string {
  return GROUPS.find(({ states }) => states.includes(state))?.key ?? '';
}

export function makeScene(sweep: SweepData, settings: Settings, colours: Colours, now: number, ended = false): Scene {
  const objectives = sweep.about?.objectives ?? [];
  const objective = Math.min(settings.objective, Math.max(0, objectives.length - 1));
  const sign = signOf(objectives[objective]);
  const able = objectives.map((_, i) => canLog(sweep, i));
  const logs = objectives.map((_, i) => able[i] === true && (settings.log ?? spansDecades(valuesOf(sweep, i))));
  const ranges = objectives.map((one, i) => rangeOf(valuesOf(sweep, i), signOf(one), logs[i] ?? false, settings.whole));
  const axes = axesOf(sweep, objectives, ranges, logs);
  const scale = axes.find((axis) => axis.objective === objective)?.scale ?? numberScale(0, 1);
  const shown = new Set(sweep.trials.filter((trial) => isShown(trial, axes, settings)).map(({ number }) => number));
  const share = (trial: Trial): number | null => {
    const value = valueOf(trial, objective);
    const place = value === null ? null : scale.place(value);
    return place === null ? null : sign > 0 ? within(place) : 1 - within(place);
  };
  const colour = (trial: Trial): string => {
    if (settings.colourBy === 'state') return stateColour(trial.state);
    const there = share(trial);
    return there === null ? colours.none : colours.ramp(there);
  };
  const metric = objectives[objective]?.metric ?? '';
  const curves = curvesRange(sweep, signOf(objectives[0]), logs[0] ?? false, settings.whole);
  const cut = [...ranges, curves].some((range) => range?.cut);
  return {
    sweep, objectives, objective, sign, metric, scale, range: ranges[objective] ?? null, curves, logs, canLog: able[objective] ?? false, cut, ended, axes, shown,
    best: bestTrial(sweep), front: new Set(frontOf(sweep)), colours, settings, now, colour,
  };
}

function axesOf(sweep: SweepData, objectives: readonly Objective[], ranges: readonly (Range | null)[], logs: readonly boolean[]): Axis[] {
  const { trials } = sweep;
  const axis = (key: string, name: string, about: string, scale: Scale, value: Axis['value'], objective: number | null): Axis => {
    const missing = trials.some((trial) => scale.place(value(trial)) === null);
    return { key, name, about, scale, value, missing, objective };
  };
  const parameters = (sweep.about?.space ?? namedIn(trials)).map((dimension) => {
    const { name, text, when } = dimension;
    const value = (trial: Trial): ParamValue | undefined => (Object.hasOwn(trial.params, name) ? trial.params[name] : undefined);
    return axis(`param:${name}`, name, when ? `${text}, where ${when}` : text, dimensionScale(dimension, trials.map(value)), value, null);
  });
  const metrics = objectives.map(({ metric, direction }, i) => {
    const { low, high } = ranges[i] ?? { low: 0, high: 1 };
    return axis(`metric:${metric}`, metric, `${metric}: ${direction}`, numberScale(low, high, logs[i]), (trial) => valueOf(trial, i) ?? undefined, i);
  });
  return [...parameters, ...metrics];
}

/** Where the search space is not told: the parameters that trials have. */
function namedIn(trials: readonly Trial[]): Dimension[] {
  const names = [...new Set(trials.flatMap(({ params }) => Object.keys(params)))];
  return names.map((name) => ({ name, kind: '', text: name, low: null, high: null, log: false, integer: false, choices: null, when: null }));
}

function valuesOf({ trials }: SweepData, objective: number): number[] {
  return trials.map((trial) => valueOf(trial, objective)).filter((value) => value !== null);
}

/** Whether an objective has a logarithm wherever it is drawn. */
function canLog(sweep: SweepData, objective: number): boolean {
  if (valuesOf(sweep, objective).some((value) => value <= 0)) return false;
  return objective > 0 || [...sweep.curves.values()].every(({ values }) => values.every((value) => !(value <= 0)));
}

/** How many lie beyond the bad end of an axis, in words. */
export function beyondText(count: number, sign: 1 | -1): string {
  return count ? `${sign > 0 ? '▾' : '▴'} ${count.toLocaleString('en')} beyond` : '';
}

function isShown(trial: Trial, axes: readonly Axis[], { brushes, without }: Settings): boolean {
  if (without.has(groupOf(trial.state))) return false;
  return axes.every((axis) => {
    const brush = brushes.get(axis.key);
    return !brush || isWithin(brush, axis.scale, axis.value(trial));
  });
}

export function isWithin(brush: Brush, scale: Scale, value: ParamValue | undefined): boolean {
  if (value === undefined || scale.place(value) === null) return brush.missing;
  if (brush.words) return brush.words.has(wordOf(value));
  return typeof value === 'number' && value >= brush.low && value <= brush.high;
}

/** The brush over what lies between two places; one that reaches an end of the axis goes on beyond it. */
export function brushOver(scale: Scale, from: number, until: number, missing: boolean): Brush {
  const [low, high] = [Math.min(from, until), Math.max(from, until)];
  const words = scale.words && new Set(scale.words.filter((word) => {
    const place = scale.place(word);
    return place !== null && place >= low && place <= high;
  }));
  return {
    low: low <= 0 ? -Infinity : scale.at(low),
    high: high >= 1 ? Infinity : scale.at(high),
    words,
    missing,
  };
}

/** Seconds that a trial has taken; null before it has begun. */
export function durationOf({ started, ended }: Trial, now: number): number | null {
  return started === null ? null : Math.max(0, (ended ?? now) - started);
}

/** The values of all objectives in words. */
export function valuesText(trial: Trial, objectives: readonly Objective[]): string {
  if (!trial.values) return '';
  if (objectives.length < 2) return formatNumber(trial.values[0] ?? null);
  return objectives.map(({ metric }, i) => `${metric} ${formatNumber(trial.values?.[i] ?? null)}`).join(', ');
}

/** Why a trial ended as it did, in a sentence; nothing for those that finished. */
export function whyText(trial: Trial): string {
  return trial.why?.rule ?? (trial.state === 'finished' ? '' : (trial.cause ?? ''));
}

/** What a screen reader says of a trial. */
export function trialText(trial: Trial, scene: Scene): string {
  const { objectives, now } = scene;
  const took = durationOf(trial, now);
  const named = objectives.length === 1 && trial.values ? `${scene.metric} ` : '';
  return [
    `trial ${trial.number}`,
    trial.state === 'terminated' ? 'ended early' : trial.state,
    `${named}${valuesText(trial, objectives)}`,
    ...Object.entries(trial.params).map(([name, value]) => `${name} ${wordOf(value)}`),
    took === null ? '' : formatTook(took),
    whyText(trial),
  ].filter(Boolean).join(', ');
}

/** The trial that a key leads to: by number with Left and Right, by result with Up and Down. */
export function walk(scene: Scene, from: number | null, key: string): number | null | undefined {
  const shown = scene.sweep.trials.filter(({ number }) => scene.shown.has(number));
  const ranked = shown
    .filter((trial) => valueOf(trial, scene.objective) !== null)
    .sort((a, b) => (finite(b.values?.[scene.objective]) ?? 0) * scene.sign - (finite(a.values?.[scene.objective]) ?? 0) * scene.sign);
  const along = (trials: readonly Trial[], by: number): number | null => {
    const at = trials.findIndex(({ number }) => number === from);
    const to = at < 0 ? (by > 0 ? 0 : trials.length - 1) : Math.min(trials.length - 1, Math.max(0, at + by));
    return trials[to]?.number ?? null;
  };
  if (key === 'ArrowRight') return along(shown, 1);
  if (key === 'ArrowLeft') return along(shown, -1);
  if (key === 'Home') return shown[0]?.number ?? null;
  if (key === 'End') return shown[shown.length - 1]?.number ?? null;
  if (key === 'ArrowUp') return from === null ? (ranked[0]?.number ?? null) : along(ranked, -1);
  if (key === 'ArrowDown') return along(ranked, 1);
  return undefined;
}
