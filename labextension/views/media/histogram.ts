import { element, setText } from '../dom.ts';
import { formatNumber, formatTicks } from '../format.ts';
import { Card } from './card.ts';
import type { HistogramStep, HistogramTrack } from './model.ts';
import { columnAt, columnEdges, edgeOf, fullShare, roundTicks, strength } from './scale.ts';
import { readTheme, type MediaTheme } from './theme.ts';

const HEIGHT = 150;
const FOOT = 18;
const TOP = 6;
const GAP = 10;

interface Layout {
  readonly left: number;
  readonly bars: number;
  readonly right: number;
  readonly bottom: number;
}

/**
 * Draw the distribution over the steps, darker where more values lie, and beside it the histogram of the step at
 * `at`, along the same axis of values. Returns where on the canvas the steps are.
 */
export function drawHistogram(canvas: HTMLCanvasElement, track: HistogramTrack, at: number, theme: MediaTheme): Layout {
  const width = Math.max(1, canvas.clientWidth);
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(HEIGHT * ratio);
  const context = canvas.getContext('2d');
  const bottom = HEIGHT - FOOT;
  const low = edgeOf(track, 0);
  const high = edgeOf(track, track.bins);
  const y = (value: number): number => bottom - ((value - low) / (high - low)) * (bottom - TOP);
  const { ticks, increment } = roundTicks(low, high, 4);
  const labels = formatTicks(ticks, increment);
  if (!context) return { left: 0, bars: width, right: width, bottom };
  context.scale(ratio, ratio);
  context.font = theme.font;
  const left = Math.ceil(Math.max(24, ...labels.map((text) => context.measureText(text).width)) + 8);
  const many = track.steps.length > 1;
  const bars = many ? width - Math.max(56, Math.round((width - left) * 0.26)) : left - GAP;
  const layout = { left, bars, right: width - 2, bottom };

  context.fillStyle = theme.text;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  ticks.forEach((tick, i) => {
    context.fillText(labels[i] ?? '', left - 6, y(tick));
  });
  if (many) drawSteps(context, track, at, theme, layout, y);
  drawBars(context, track, at, theme, layout, y);
  context.strokeStyle = theme.rule;
  context.lineWidth = 1;
  context.beginPath();
  for (const tick of ticks) {
    context.moveTo(left, Math.round(y(tick)) + 0.5);
    context.lineTo(layout.right, Math.round(y(tick)) + 0.5);
  }
  context.stroke();
  return layout;
}

function drawSteps(
  context: CanvasRenderingContext2D,
  track: HistogramTrack,
  at: number,
  theme: MediaTheme,
  { left, bars, bottom }: Layout,
  y: (value: number) => number,
): void {
  const steps = track.steps.map((one) => one.step);
  const edges = columnEdges(steps);
  const right = bars - GAP;
  const x = (i: number): number => left + (edges[i] ?? 1) * (right - left);
  const full = fullShare(track.steps);
  context.fillStyle = theme.accent;
  // Whole pixels of the screen: no seams between neighbours.
  const ratio = context.getTransform().a;
  const snap = (place: number): number => Math.round(place * ratio) / ratio;
  track.steps.forEach((one, i) => {
    const from = snap(x(i));
    const wide = snap(x(i + 1)) - from;
    one.counts.forEach((count, j) => {
      if (!count) return;
      const top = snap(y(edgeOf(track, one.start + j + 1)));
      context.globalAlpha = strength(count / one.n, full);
      context.fillRect(from, top, wide, snap(y(edgeOf(track, one.start + j))) - top);
    });
  });
  context.globalAlpha = 1;
  context.strokeStyle = theme.text;
  context.strokeRect(Math.round(x(at)) - 0.5, TOP - 0.5, Math.max(2, Math.round(x(at + 1) - x(at))), bottom - TOP + 1);
  context.fillStyle = theme.text;
  context.textBaseline = 'alphabetic';
  const place = bottom + 13;
  context.textAlign = 'left';
  context.fillText(formatNumber(steps[0] ?? null), left, place);
  context.textAlign = 'right';
  context.fillText(`step ${formatNumber(steps[steps.length - 1] ?? null)}`, right, place);
}

function drawBars(
  context: CanvasRenderingContext2D,
  track: HistogramTrack,
  at: number,
  theme: MediaTheme,
  { bars, right, bottom }: Layout,
  y: (value: number) => number,
): void {
  const one = track.steps[at];
  if (!one) return;
  const from = bars + GAP;
  const largest = Math.max(1, ...one.counts);
  context.fillStyle = theme.accent;
  one.counts.forEach((count, j) => {
    const top = y(edgeOf(track, one.start + j + 1));
    const tall = y(edgeOf(track, one.start + j)) - top;
    if (count) context.fillRect(from, top, Math.max(1, (count / largest) * (right - from)), Math.max(1, tall - (tall > 3 ? 1 : 0)));
  });
  context.fillStyle = theme.text;
  context.textBaseline = 'alphabetic';
  context.textAlign = 'right';
  context.fillText(formatNumber(Math.round(largest)), right, bottom + 13);
  context.strokeStyle = theme.rule;
  context.beginPath();
  context.moveTo(from - 0.5, TOP);
  context.lineTo(from - 0.5, bottom);
  context.stroke();
}

/** A step in words. */
export function describe(one: HistogramStep): string {
  const parts = [`${formatNumber(one.n)} values`];
  if (one.n) {
    parts.push(`mean ${formatNumber(one.mean)} ± ${formatNumber(one.std)}`);
    parts.push(`${formatNumber(one.min)} to ${formatNumber(one.max)}`);
  }
  const outside = one.below + one.above;
  if (outside) parts.push(`${formatNumber(outside)} outside`);
  const odd = [
    ['NaN', one.nan],
    ['∞', one.inf],
    ['−∞', one.neginf],
  ] as const;
  for (const [name, count] of odd) if (count) parts.push(`${formatNumber(count)} ${name}`);
  return parts.join(' · ');
}

/** The distribution of values over the steps. */
export class HistogramCard extends Card<HistogramTrack> {
  private readonly canvas = element('canvas', 'mlw-media-canvas', { role: 'img' });
  private readonly words = element('div', 'mlw-media-words');
  private readonly resize = new ResizeObserver(() => {
    this.draw();
  });
  private layout: Layout | null = null;

  constructor(track: HistogramTrack) {
    super(track, 'histogram');
    this.body.append(this.canvas, this.words);
    this.resize.observe(this.canvas);
    const pick = (event: PointerEvent): void => {
      if (!this.layout || (event.type === 'pointermove' && event.pointerType !== 'mouse')) return;
      const { left, bars } = this.layout;
      const place = (event.offsetX - left) / (bars - GAP - left);
      if (!(place >= 0 && place <= 1)) return;
      const at = columnAt(columnEdges(this.track.steps.map((one) => one.step)), place);
      if (event.type === 'pointerdown') this.settle(at);
      else this.peek(at);
    };
    this.canvas.addEventListener('pointermove', pick);
    this.canvas.addEventListener('pointerdown', pick);
    this.canvas.addEventListener('pointerleave', () => {
      this.peek();
    });
  }

  override destroy(): void {
    this.resize.disconnect();
    super.destroy();
  }

  protected override draw(): void {
    const one = this.shown;
    if (!one) return;
    setText(this.words, describe(one));
    this.words.classList.toggle('mlw-media-odd', one.nan + one.inf + one.neginf > 0);
    this.canvas.setAttribute('aria-label', `Distribution of ${this.track.name}, step ${one.step}: ${describe(one)}`);
    if (this.canvas.clientWidth) this.layout = drawHistogram(this.canvas, this.track, this.at, readTheme(this.canvas));
  }
}
