// What plots of trials draw alike: their fields, marks and labels.
import type { Trial } from './model.ts';
import type { Tick } from './scale.ts';
import type { Scene } from './scene.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Pixels around a plot's field. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The field that is left beside labels of an axis of values and above those of the other. */
export function fieldOf(context: CanvasRenderingContext2D, labels: readonly string[], width: number, height: number): Box {
  const widest = Math.max(22, ...labels.map((label) => context.measureText(label).width));
  return { left: Math.ceil(widest) + 10, top: 8, right: width - 10, bottom: height - 20 };
}

/** Marks along the values, with a rule at each, and along what they lie over. */
export function paintGrid(
  context: CanvasRenderingContext2D,
  { colours }: Scene,
  { left, top, right, bottom }: Box,
  values: readonly Tick[],
  along: readonly Tick[],
  name: string,
): void {
  context.strokeStyle = colours.rule;
  context.fillStyle = colours.text;
  context.lineWidth = 1;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  context.beginPath();
  for (const { place, label } of values) {
    if (place < -1e-6 || place > 1 + 1e-6) continue;
    const y = bottom - place * (bottom - top);
    context.fillText(label, left - 6, y);
    context.moveTo(left, Math.round(y) + 0.5);
    context.lineTo(right, Math.round(y) + 0.5);
  }
  context.moveTo(left, Math.round(bottom) + 0.5);
  context.lineTo(right, Math.round(bottom) + 0.5);
  context.stroke();
  context.textBaseline = 'alphabetic';
  context.textAlign = 'right';
  context.fillText(name, right, bottom + 14);
  const free = right - context.measureText(name).width - 8;
  let taken = -Infinity;
  for (const { place, label } of along) {
    if (place < -1e-6 || place > 1 + 1e-6) continue;
    const half = context.measureText(label).width / 2;
    const x = Math.max(left + half - 4, left + place * (right - left));
    if (x - half < taken + 8 || x + half > free) continue;
    context.textAlign = 'center';
    context.fillText(label, x, bottom + 14);
    taken = x + half;
  }
}

/** What stands for a trial at a point, by its state: shapes, so that nobody needs a colour to tell them apart. */
export function paintMark(context: CanvasRenderingContext2D, { state }: Trial, { x, y }: Point, size: number, colour: string): void {
  context.strokeStyle = context.fillStyle = colour;
  context.beginPath();
  if (state === 'terminated') {
    context.lineWidth = 1.75;
    context.moveTo(x, y - size - 0.5);
    context.lineTo(x, y + size + 0.5);
    context.stroke();
  } else if (state === 'failed' || state === 'killed' || state === 'stopped' || state === 'timeout') {
    context.lineWidth = 1.5;
    const arm = size * 0.8;
    context.moveTo(x - arm, y - arm);
    context.lineTo(x + arm, y + arm);
    context.moveTo(x + arm, y - arm);
    context.lineTo(x - arm, y + arm);
    context.stroke();
  } else if (state === 'finished') {
    context.arc(x, y, size, 0, 2 * Math.PI);
    context.fill();
  } else {
    context.lineWidth = 1.5;
    context.arc(x, y, size - 0.5, 0, 2 * Math.PI);
    context.stroke();
  }
}

/** Stands at the edge for what lies beyond it. */
export function paintBeyond(context: CanvasRenderingContext2D, { x, y }: Point, towards: 'left' | 'right' | 'up' | 'down', colour: string): void {
  const size = 4;
  const turned = { down: 0, left: 1, up: 2, right: 3 }[towards] * (Math.PI / 2);
  context.save();
  context.translate(x, y);
  context.rotate(turned);
  context.fillStyle = colour;
  context.beginPath();
  context.moveTo(0, size);
  context.lineTo(-size, -size * 0.75);
  context.lineTo(size, -size * 0.75);
  context.fill();
  context.restore();
}

/** A ring around what is looked at. */
export function paintRing(context: CanvasRenderingContext2D, { colours }: Scene, { x, y }: Point, size = 7): void {
  context.beginPath();
  context.arc(x, y, size, 0, 2 * Math.PI);
  context.lineWidth = 4;
  context.strokeStyle = colours.ground;
  context.stroke();
  context.lineWidth = 2;
  context.strokeStyle = colours.mark;
  context.stroke();
}

/** A short text beside a point, on the side that has room; it stays legible over lines. */
export function paintLabel(context: CanvasRenderingContext2D, { colours }: Scene, text: string, { x, y }: Point, width: number): void {
  const wide = context.measureText(text).width;
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  const top = Math.max(8, y);
  const left = x + 10 + wide < width ? x + 8 : Math.max(2, x - 8 - wide);
  context.lineWidth = 4;
  context.strokeStyle = colours.ground;
  context.strokeText(text, left, top);
  context.fillStyle = colours.text;
  context.fillText(text, left, top);
}
