// The twin of a notebook, in its toolbar.
import { Notification } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import { openMenu, type MenuItem } from '../../panel/menu.ts';
import type { Words } from '../../panel/words.ts';
import { element, icon, setText } from '../../views/dom.ts';
import type { TwinState } from './api.ts';
import { PATHS } from './icon.ts';

export interface Actions {
  decide(): void;
  openText(): void;
  unpair(): void;
  readonly readOnly: boolean;
}

/** Milliseconds for which it is told that the text has brought something. */
const TOLD = 8000;

export class TwinItem extends Widget {
  private readonly button = element('button', 'mlw-twin', { type: 'button' });
  private readonly name = element('span', 'mlw-twin-name');
  private readonly note = element('span', 'mlw-twin-note', { role: 'status' });
  private state: TwinState | null = null;
  private timer = 0;

  constructor(
    private readonly words: Words,
    private readonly actions: Actions,
  ) {
    super();
    this.addClass('mlw-twin-item');
    this.button.append(icon(PATHS), this.name, this.note);
    this.button.addEventListener('click', () => { this.onClick(); });
    this.node.append(this.button);
    this.hide();
  }

  /** Show what is known; `taken` cells came from the text just now. */
  tell(state: TwinState, taken: number): void {
    const { words } = this;
    this.state = state;
    this.setHidden(state.twin === null && state.problem === null);
    if (this.isHidden) return;
    // Settings that cannot be read do not say what it is called.
    const file = state.twin?.slice(state.twin.lastIndexOf('/') + 1) ?? words.__('Text twin');
    const { length: count } = state.conflicts;
    setText(this.name, file);
    this.button.classList.toggle('mlw-twin-wrong', state.problem !== null || count > 0);
    const problem = state.problem === null ? '' : words.__('not written');
    const conflicts = count === 0 ? '' : words._n('%1 conflict', '%1 conflicts', count);
    if (problem || conflicts) {
      window.clearTimeout(this.timer);
      this.timer = 0;
      setText(this.note, problem || conflicts);
    } else if (taken > 0) {
      setText(this.note, words._n('%1 cell updated', '%1 cells updated', taken));
      window.clearTimeout(this.timer);
      this.timer = window.setTimeout(() => {
        this.timer = 0;
        setText(this.note, '');
      }, TOLD);
    } else if (!this.timer) setText(this.note, '');
    this.button.title =
      state.problem ??
      (count > 0
        ? words.__('Some cells were changed here and in %1: decide which versions stay', file)
        : words.__('Paired with %1: it is written after each save, and what is edited there comes here', state.twin ?? file));
  }

  private onClick(): void {
    const { state, words, actions } = this;
    if (!state) return;
    if (state.problem !== null) Notification.emit(state.problem, 'warning', { autoClose: 20_000 });
    if (state.twin === null) return;
    const file = state.twin.slice(state.twin.lastIndexOf('/') + 1);
    if (state.conflicts.length > 0 && !actions.readOnly) {
      actions.decide();
      return;
    }
    const items: MenuItem[] = [{ label: words.__('Open %1', file), choose: () => { actions.openText(); } }];
    if (!actions.readOnly) items.push({ label: words.__('Unpair From Text…'), choose: () => { actions.unpair(); } });
    const { left, bottom } = this.button.getBoundingClientRect();
    openMenu(words.__('Text twin'), items, { x: left, y: bottom + 2 }, this.button);
  }
}
