import { element, icon } from './dom.ts';
import type { Header, RunState } from './model.ts';
import { ENDED_EARLY, stateWord } from './sweep/model.ts';

/** What a reader is told: a trial that its sweep stopped early was not stopped by anybody. */
export type ShownState = RunState | 'terminated';

export function shownState({ state, cause }: Pick<Header, 'state' | 'cause'>): ShownState {
  return state === 'stopped' && cause?.startsWith(ENDED_EARLY) ? 'terminated' : state;
}

/** Each state has a shape and a word of its own besides its colour. */
const ICONS: Record<ShownState, string> = {
  submitted: 'M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 0 0 0-11m0 1.6a3.9 3.9 0 1 1 0 7.8a3.9 3.9 0 0 1 0-7.8M7.3 5h1.4v2.7l1.9 1.1-.7 1.2-2.6-1.5z',
  running: 'M8 4a4 4 0 1 0 0 8a4 4 0 0 0 0-8',
  finished: 'M6.4 12.2 2.6 8.4l1.2-1.2 2.6 2.6 5.8-5.8 1.2 1.2z',
  failed: 'M4.3 3.1 8 6.8l3.7-3.7 1.2 1.2L9.2 8l3.7 3.7-1.2 1.2L8 9.2l-3.7 3.7-1.2-1.2L6.8 8 3.1 4.3z',
  stopped: 'M4 4h8v8H4z',
  killed: 'M9.5 1.5 3.5 9h3.6l-.9 5.5 6.3-8H8.7z',
  terminated: 'M1.500 7.300h6V4H9v8H7.500V8.700h-6z',
  timeout: 'M4 2h8v1.5L9 8l3 4.5V14H4v-1.5L7 8 4 3.5zm2 1.8L8 7l2-3.2z',
};

export const STOP_ICON = ICONS.stopped;

export function stateIcon(state: ShownState): SVGSVGElement {
  return icon(ICONS[state]);
}

/** Shows a state as shape, word and colour. */
export class Badge {
  readonly node = element('span', 'mlw-badge', { role: 'status' });
  private shown: ShownState | null = null;

  update(header: Pick<Header, 'state' | 'cause'>): void {
    const state = shownState(header);
    if (state === this.shown) return;
    this.shown = state;
    this.node.className = `mlw-badge mlw-state-${state}`;
    this.node.replaceChildren(icon(ICONS[state]), stateWord(state));
  }
}
