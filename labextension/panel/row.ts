import { element, icon, setText } from '../views/dom.ts';
import { formatElapsed, formatNumber, formatTook } from '../views/format.ts';
import { hasEnded, type Num } from '../views/model.ts';
import { changeText, showVerdict } from '../views/rerun.ts';
import { shownState, stateIcon, STOP_ICON } from '../views/states.ts';
import { stateWord } from '../views/sweep/model.ts';
import { CARET, MORE, STAR } from './icons.ts';
import { tagText } from './list.ts';
import type { Sparkline, Summary } from './model.ts';
import { sparkPath } from './sparklines.ts';
import { endedTrials, fractionOf, metricValue } from './sweeps.ts';
import type { Words } from './words.ts';

const WIDTH = 64;
const HEIGHT = 16;

export interface RowContext {
  readonly words: Words;
  /** Unix seconds. */
  readonly now: number;
  readonly metric: string | null;
  readonly line: Sparkline | null;
  readonly ticked: boolean;
  readonly active: boolean;
  readonly readOnly: boolean;
  readonly index: number;
  /** The parameter that the list is sorted by: it is named first. */
  readonly lead: string | null;
  /** Whether the trials of a sweep are shown; null for what is none. */
  readonly open: boolean | null;
  /** The sweep below which it stands. */
  readonly sweep: Summary | null;
}

/** One run in two lines: what it is and since when; what became of it and where its metric stands. */
export class Row {
  readonly node: HTMLElement;
  private readonly tick = element('input', 'mlw-row-tick', { type: 'checkbox', tabindex: '-1' });
  private readonly mark = element('span', 'mlw-row-mark');
  readonly caret = element('button', 'mlw-row-caret', { type: 'button', tabindex: '-1', hidden: '' }, icon(CARET));
  private readonly name = element('span', 'mlw-row-name');
  private readonly star = element('span', 'mlw-row-star', {}, icon(STAR));
  private readonly time = element('span', 'mlw-row-time');
  private readonly verdict = element('span', 'mlw-verdict', { hidden: '' });
  private readonly about = element('span', 'mlw-row-about');
  private readonly spark: SVGPathElement;
  private readonly sparkBox: SVGSVGElement;
  private readonly value = element('span', 'mlw-row-value');
  private readonly fill = element('div', 'mlw-row-fill');
  private readonly bar = element('div', 'mlw-row-bar', { 'aria-hidden': 'true' }, this.fill);
  readonly stop = element('button', 'mlw-tool', { type: 'button', tabindex: '-1' }, icon(STOP_ICON));
  readonly pin = element('button', 'mlw-tool', { type: 'button', tabindex: '-1' }, icon(STAR));
  readonly more = element('button', 'mlw-tool', { type: 'button', tabindex: '-1', 'aria-haspopup': 'menu' }, icon(MORE));
  run: Summary | null = null;
  private state = '';
  private lead: string | null = null;
  private metric: string | null = null;
  private shownPoints: Sparkline['points'] | null = null;

  constructor(id: string) {
    this.spark = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    this.sparkBox = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    this.sparkBox.setAttribute('viewBox', `-1 -1 ${WIDTH + 2} ${HEIGHT + 2}`);
    this.sparkBox.setAttribute('preserveAspectRatio', 'none');
    this.sparkBox.setAttribute('aria-hidden', 'true');
    this.sparkBox.classList.add('mlw-row-spark');
    this.sparkBox.append(this.spark);
    const cell = (...children: (Node | string)[]): HTMLElement => element('div', 'mlw-row-cell', { role: 'gridcell' }, ...children);
    const [mark, title, when, about, metric, actions] = [
      cell(this.mark, this.tick),
      cell(this.caret, this.name, this.star),
      cell(this.time),
      cell(this.verdict, this.about),
      cell(this.sparkBox, this.value),
      cell(this.stop, this.pin, this.more),
    ];
    mark.classList.add('mlw-row-marks');
    title.classList.add('mlw-row-title');
    when.classList.add('mlw-row-when');
    about.classList.add('mlw-row-came');
    metric.classList.add('mlw-row-metric');
    actions.classList.add('mlw-row-actions');
    this.node = element('div', 'mlw-row', { role: 'row', id }, mark, title, when, about, metric, actions, this.bar);
  }

  update(run: Summary, context: RowContext): void {
    const { words, index } = context;
    const other = run.id !== this.run?.id || run.store !== this.run.store;
    const same = run === this.run;
    this.run = run;
    this.node.style.transform = `translateY(${index * ROW_HEIGHT}px)`;
    this.node.setAttribute('aria-rowindex', String(index + 1));
    this.node.setAttribute('aria-selected', String(context.ticked));
    this.node.classList.toggle('mlw-active', context.active);
    this.tick.checked = context.ticked;
    this.showLevel(run, context);
    if (!same) this.updateRun(run, words, context.readOnly);
    if (other || !hasEnded(run.state)) this.fillTransition(!other);
    this.updateMetric(run, context);
    setText(this.time, hasEnded(run.state) ? formatWhen(run.submitted, context.now) : since(run, context.now));
    if (!same || context.lead !== this.lead || !hasEnded(run.state)) setText(this.about, about(run, context));
    if (!same || context.metric !== this.metric || context.lead !== this.lead || !hasEnded(run.state)) this.node.setAttribute('aria-label', describe(run, context));
    this.lead = context.lead;
    this.metric = context.metric;
  }

  private showLevel(run: Summary, { open, sweep, words }: RowContext): void {
    this.node.setAttribute('aria-level', sweep ? '2' : '1');
    this.node.classList.toggle('mlw-row-trial', sweep !== null);
    this.caret.hidden = open === null;
    if (open === null) {
      this.node.removeAttribute('aria-expanded');
      return;
    }
    this.node.setAttribute('aria-expanded', String(open));
    this.caret.setAttribute('aria-expanded', String(open));
    label(this.caret, open ? words.__('Hide the trials of %1', run.name) : words.__('Show the trials of %1', run.name));
  }

  private updateRun(run: Summary, words: Words, readOnly: boolean): void {
    const state = shownState(run);
    if (state !== this.state) {
      this.state = state;
      this.mark.className = `mlw-row-mark mlw-state-${state}`;
      this.mark.replaceChildren(stateIcon(state));
    }
    this.node.dataset.run = run.id;
    this.node.dataset.state = run.state;
    setText(this.name, run.name);
    showVerdict(this.verdict, run.rerun?.verdict ?? null);
    this.star.hidden = !run.pinned;
    this.tick.setAttribute('aria-label', words.__('Tick %1', run.name));
    this.stop.hidden = readOnly || hasEnded(run.state);
    this.stop.disabled = run.stopping;
    label(this.stop, run.stopping ? words.__('Stopping…') : words.__('Stop %1', run.name));
    this.pin.hidden = readOnly;
    label(this.pin, run.pinned ? words.__('Unpin %1', run.name) : words.__('Pin %1', run.name));
    this.pin.setAttribute('aria-pressed', String(run.pinned));
    label(this.more, words.__('More for %1', run.name));
    this.node.title = tooltip(run, words);
    const fraction = hasEnded(run.state) ? null : fractionOf(run);
    this.bar.hidden = fraction === null;
    this.fill.style.transform = `scaleX(${Math.min(1, Math.max(0, fraction ?? 0))})`;
  }

  /** A row that shows another run now does not slide its bar there. */
  private fillTransition(on: boolean): void {
    this.fill.style.transition = on ? '' : 'none';
  }

  private updateMetric(run: Summary, { metric, line, words }: RowContext): void {
    const value: Num | undefined = metricValue(run, metric);
    setText(this.value, value === undefined ? '' : formatNumber(value));
    this.value.title = value === undefined ? '' : `${metric ?? ''} ${formatNumber(value)}`;
    this.value.setAttribute('aria-label', value === undefined ? '' : words.__('%1 is %2', metric ?? '', formatNumber(value)));
    const points = value === undefined || !line || line.points.length < 2 ? null : line.points;
    if (points === this.shownPoints) return;
    this.shownPoints = points;
    this.spark.setAttribute('d', points ? sparkPath(points, WIDTH, HEIGHT) : '');
    this.sparkBox.classList.toggle('mlw-none', !points);
  }
}

/** Pixels; the style sheet says the same. */
export const ROW_HEIGHT = 48;

function label(button: HTMLElement, text: string): void {
  button.title = text;
  button.setAttribute('aria-label', text);
}

function since(run: Summary, now: number): string {
  return formatElapsed(now - (run.started ?? run.submitted));
}

/** The time of today, the day of this year, the date of any other. */
export function formatWhen(time: number, now: number): string {
  const [when, today] = [new Date(time * 1000), new Date(now * 1000)];
  if (when.toDateString() === today.toDateString()) return when.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  if (when.getFullYear() === today.getFullYear()) return when.toLocaleDateString([], { day: 'numeric', month: 'short' });
  return when.toLocaleDateString([], { day: 'numeric', month: 'short', year: 'numeric' });
}

/** The second line: where the run stands, or what it was given. */
function about(run: Summary, { words, now, lead, sweep }: RowContext): string {
  const leading = lead !== null && Object.hasOwn(run.params, lead) ? [`${lead}=${run.params[lead] ?? ''}`] : [];
  const tags = [...leading, ...Object.entries(run.tags).map(([key, value]) => tagText(key, value))];
  // What all trials of a sweep have tells none of them from the others.
  const changes = run.rerun?.changed ?? [];
  const told = new Set([lead, ...changes.map(([name]) => name)]);
  const own = Object.entries(run.params).filter(([key, value]) => !told.has(key) && sweep?.params[key] !== value);
  const params = own.map(([key, value]) => `${key}=${value}`);
  if (run.rerun) params.unshift(words.__('rerun'), ...changes.map(changeText));
  if (run.stopping && !hasEnded(run.state)) return words.__('stopping…');
  const trials = run.state === 'submitted' ? [] : trialsText(run, words);
  if (run.state === 'submitted') return [run.waiting ?? words.__('starting…'), ...tags, ...params].join(' · ');
  if (run.state === 'running') {
    const { progress } = run;
    const left = progress?.remaining == null ? null : progress.remaining - (now - progress.at);
    const done = progress ? progress.label || `${Math.floor(progress.fraction * 100)} %` : '';
    const parts = [...(trials.length ? trials : [done]), left === null || left < 1 ? '' : words.__('%1 left', formatElapsed(left)), run.attempt ?? ''];
    return [...parts.filter(Boolean), ...tags, ...params].join(' · ');
  }
  const took = run.ended === null ? '' : formatTook(run.ended - (run.started ?? run.submitted));
  return [...leading, run.state === 'finished' ? '' : stateWord(shownState(run)), ...trials, took, ...tags.slice(leading.length), ...params].filter(Boolean).join(' · ');
}

/** How a sweep stands: "12/20 trials", "5 running", "3 ended early". */
function trialsText({ sweep, state }: Summary, words: Words): string[] {
  if (!sweep) return [];
  const { counts, planned, paused } = sweep;
  const ended = endedTrials(sweep);
  const live = !hasEnded(state);
  return [
    live && paused !== null ? words.__('paused') : '',
    planned && live ? words.__('%1/%2 trials', ended, planned) : words._n('%1 trial', '%1 trials', ended),
    live && counts.running ? words.__('%1 running', counts.running) : '',
    counts.terminated ? words.__('%1 ended early', counts.terminated) : '',
    counts.failed ? words.__('%1 failed', counts.failed) : '',
  ].filter(Boolean);
}

function tooltip(run: Summary, words: Words): string {
  const pairs = (named: Readonly<Record<string, string>>): string =>
    Object.entries(named).map(([key, value]) => tagText(key, value)).join(', ');
  const lines = [
    `${run.name}: ${stateWord(shownState(run))}`,
    run.cause ?? run.waiting ?? '',
    run.sweep?.paused ? words.__('paused: %1', run.sweep.paused) : '',
    words.__('submitted %1', new Date(run.submitted * 1000).toLocaleString()),
    pairs(run.params),
    pairs(run.tags),
    run.note,
    run.notebook ?? '',
    run.rerun ? words.__('rerun of %1', run.rerun.of) : '',
    run.rerun?.verdict?.summary ?? '',
    run.id,
  ];
  return lines.filter(Boolean).join('\n');
}

/** What a screen reader says of the row. */
function describe(run: Summary, context: RowContext): string {
  const { words, metric, now } = context;
  const known = metricValue(run, metric);
  const value = known === undefined ? '' : `${metric ?? ''} ${formatNumber(known)}`;
  const when = hasEnded(run.state) ? formatWhen(run.submitted, now) : since(run, now);
  const parts = [run.name, stateWord(shownState(run)), run.pinned ? words.__('pinned') : '', run.rerun?.verdict?.chip ?? '', when, about(run, context), value, run.note];
  return parts.filter(Boolean).join(', ');
}
