import { element } from '../dom.ts';
import { formatNumber } from '../format.ts';
import { trialIcon } from './icons.ts';
import { stateWord, type Trial } from './model.ts';
import type { Point } from './paint.ts';
import { wordOf } from './scale.ts';
import { whyText, type Scene } from './scene.ts';

/** What is known of the trial that the reader looks at, beside the pointer. */
export class Tip {
  readonly node = element('div', 'mlw-sweep-tip', { 'aria-hidden': 'true', hidden: '' });
  private shown: Trial | null = null;

  show(trial: Trial, scene: Scene, at: Point, within: HTMLElement): void {
    if (trial !== this.shown) this.node.replaceChildren(...content(trial, scene));
    this.shown = trial;
    this.node.hidden = false;
    const frame = within.getBoundingClientRect();
    const { offsetWidth: wide, offsetHeight: tall } = this.node;
    const right = at.x + 16 + wide < Math.min(frame.right, window.innerWidth);
    const left = right ? at.x + 16 : at.x - 16 - wide;
    const below = at.y + 16 + tall < window.innerHeight;
    this.node.style.left = `${Math.max(0, Math.min(left - frame.left, frame.width - wide))}px`;
    this.node.style.top = `${(below ? at.y + 16 : at.y - 12 - tall) - frame.top}px`;
  }

  hide(): void {
    this.shown = null;
    this.node.hidden = true;
  }
}

function content(trial: Trial, { objectives, best }: Scene): Node[] {
  const state = element('span', `mlw-sweep-state mlw-state-${trial.state}`, {}, trialIcon(trial.state), stateWord(trial.state));
  const head = element('div', 'mlw-sweep-tip-head', {}, element('b', '', {}, `Trial ${trial.number}${trial === best ? ' ★' : ''}`), state);
  const pair = (name: string, value: string, kind = ''): Node[] => [element('span', 'mlw-key', {}, name), element('span', kind, {}, value)];
  const pairs = element(
    'div',
    'mlw-sweep-tip-pairs',
    {},
    ...objectives.flatMap(({ metric }, i) => pair(metric, formatNumber(trial.values?.[i] ?? null), 'mlw-sweep-tip-value')),
    ...Object.entries(trial.params).flatMap(([name, value]) => pair(name, wordOf(value))),
  );
  const why = whyText(trial);
  return [head, pairs, ...(why ? [element('div', 'mlw-sweep-tip-why', {}, why)] : [])];
}
