// How long the last starts took: one small bar each, the oldest first.
import { formatTook } from '../../views/format.ts';
import type { Words } from '../words.ts';
import type { Took } from './model.ts';

const WIDTH = 3;
const GAP = 1;
const HEIGHT = 16;
const LEAST = 2;

/** Heights in units of the picture. */
export function heightsOf(took: readonly Took[]): number[] {
  const longest = Math.max(...took.map(({ seconds }) => seconds), 1e-9);
  return took.map(({ seconds }) => LEAST + (HEIGHT - LEAST) * Math.min(1, Math.max(0, seconds / longest)));
}

export function describeBars(took: readonly Took[], words: Words): string {
  if (took.length < 2) return '';
  const seconds = took.map((one) => one.seconds);
  const failed = took.filter(({ state }) => state === 'failed').length;
  const range = words.__('The last %1 took %2 to %3', took.length, formatTook(Math.min(...seconds)), formatTook(Math.max(...seconds)));
  return failed ? `${range}, ${words._n('%1 failed', '%1 failed', failed)}` : range;
}

/** Draw them into a picture; failed ones have a foot of their own, so that it is not the colour alone that says so. */
export function drawBars(svg: SVGSVGElement, took: readonly Took[]): void {
  svg.setAttribute('viewBox', `0 0 ${Math.max(1, took.length * (WIDTH + GAP) - GAP)} ${HEIGHT + 3}`);
  const heights = heightsOf(took);
  svg.replaceChildren(
    ...took.flatMap(({ state }, i) => {
      const height = heights[i] ?? 0;
      const x = i * (WIDTH + GAP);
      const bar = rect(x, HEIGHT - height, WIDTH, height, state);
      return state === 'failed' ? [bar, rect(x, HEIGHT + 1, WIDTH, 2, state)] : [bar];
    }),
  );
}

export function barsPicture(): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.classList.add('mlw-bars');
  svg.setAttribute('preserveAspectRatio', 'xMaxYMid meet');
  svg.setAttribute('role', 'img');
  return svg;
}

function rect(x: number, y: number, width: number, height: number, state: string): SVGRectElement {
  const node = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
  for (const [name, value] of Object.entries({ x, y, width, height })) node.setAttribute(name, String(Math.round(value * 10) / 10));
  node.classList.add(`mlw-bar-${state}`);
  return node;
}
