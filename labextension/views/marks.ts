// What is drawn over and under the lines of a chart.
import uPlot from 'uplot';

import type { Point } from './insight.ts';

/** A ring around the best point, filled with the ground so that it stands out from the line. */
export function drawBest(plot: uPlot, { x, y }: Point, colour: string): void {
  const { ctx, bbox } = plot;
  const [left, top] = [plot.valToPos(x, 'x', true), plot.valToPos(y, 'y', true)];
  if (left < bbox.left - 1 || left > bbox.left + bbox.width + 1 || !Number.isFinite(top)) return;
  const unit = uPlot.pxRatio;
  ctx.save();
  ctx.beginPath();
  ctx.arc(left, top, 4 * unit, 0, 2 * Math.PI);
  ctx.lineWidth = 1.75 * unit;
  ctx.strokeStyle = colour;
  ctx.fillStyle = getComputedStyle(plot.root).backgroundColor;
  ctx.fill();
  ctx.stroke();
  ctx.restore();
}

/** Slanted lines from `from` to the right end: a pattern, so that nobody needs a colour to see it. */
export function drawOverfitting(plot: uPlot, from: number, colour: string): void {
  const { ctx, bbox } = plot;
  const unit = uPlot.pxRatio;
  const left = Math.max(bbox.left, plot.valToPos(from, 'x', true));
  const right = bbox.left + bbox.width;
  if (!(left < right)) return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, bbox.top, right - left, bbox.height);
  ctx.clip();
  ctx.globalAlpha = 0.06;
  ctx.fillStyle = colour;
  ctx.fill();
  ctx.globalAlpha = 0.16;
  ctx.strokeStyle = colour;
  ctx.lineWidth = unit;
  ctx.beginPath();
  for (let x = left - bbox.height; x < right; x += 7 * unit) {
    ctx.moveTo(x, bbox.top + bbox.height);
    ctx.lineTo(x + bbox.height, bbox.top);
  }
  ctx.stroke();
  ctx.restore();
}
