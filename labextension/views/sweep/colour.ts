// Colours of trials: from pale for the worst to strong for the best, or one for each state. They stay apart for every
// kind of colour vision, on light and on dark ground.
import { isLight } from '../media/theme.ts';
import type { TrialState } from './model.ts';

const STEPS = 64;
const LIGHT = ['#cfd5d0', '#9fd0c4', '#52aac4', '#2474b4', '#1d2f80'];
const DARK = ['#41475a', '#2f6a9c', '#35a0b8', '#8fd6ae', '#f3f7b5'];

export interface Colours {
  readonly dark: boolean;
  readonly text: string;
  readonly rule: string;
  readonly ground: string;
  readonly font: string;
  /** What is looked at. */
  readonly mark: string;
  /** For trials without a value. */
  readonly none: string;
  /** From the worst (0) to the best (1). */
  readonly ramp: (share: number) => string;
}

const STATES: Readonly<Record<TrialState, string>> = {
  waiting: '#8a8f98',
  running: '#0079c1',
  finished: '#009e73',
  terminated: '#c98500',
  failed: '#d5443a',
  killed: '#d5443a',
  stopped: '#8a8f98',
  timeout: '#8a6fd1',
};

export function stateColour(state: TrialState): string {
  return STATES[state];
}

/** What to draw with on the page around an element: text in its colour, lines in that of its border. */
export function readColours(node: HTMLElement): Colours {
  const style = getComputedStyle(node);
  const dark = isLight(style.color);
  const ramp = dark ? DARK_RAMP : LIGHT_RAMP;
  return {
    dark,
    text: style.color,
    rule: style.borderTopColor,
    ground: style.backgroundColor,
    font: `11px ${style.fontFamily}`,
    mark: dark ? '#ff9447' : '#d55e00',
    none: dark ? '#6b6f78' : '#b6bac1',
    ramp: (share) => ramp[Math.round(Math.min(1, Math.max(0, share)) * (STEPS - 1))] ?? '',
  };
}

const LIGHT_RAMP = blend(LIGHT);
const DARK_RAMP = blend(DARK);

function blend(stops: readonly string[]): string[] {
  const parts = stops.map((stop) => [1, 3, 5].map((at) => parseInt(stop.slice(at, at + 2), 16)));
  return Array.from({ length: STEPS }, (_, i) => {
    const at = (i / (STEPS - 1)) * (parts.length - 1);
    const below = Math.min(parts.length - 2, Math.floor(at));
    const [from, to] = [parts[below] ?? [], parts[below + 1] ?? []];
    const mixed = from.map((part, j) => Math.round(part + (at - below) * ((to[j] ?? part) - part)));
    return `rgb(${mixed.join(' ')})`;
  });
}
