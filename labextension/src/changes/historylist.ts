// The snapshots of a notebook, the newest first, under the days on which they were taken.
import { MORE } from '../../panel/icons.ts';
import { openMenu, type MenuItem } from '../../panel/menu.ts';
import type { Words } from '../../panel/words.ts';
import { ago } from '../../views/changes/said.ts';
import { button, element, setText } from '../../views/dom.ts';
import type { History, Snapshot } from './api.ts';
import { kindWords } from './choices.ts';
import { shownOf } from './pages.ts';

export interface HistoryActions {
  /** Show what a snapshot changed. */
  show(snapshot: Snapshot): void;
  compare(snapshot: Snapshot): void;
  open(snapshot: Snapshot): void;
  restore(snapshot: Snapshot): void;
  name(snapshot: Snapshot): void;
  /** Add the snapshots that are left out, some at a time. */
  showEarlier(): void;
  readonly readOnly: boolean;
}

export class HistoryList {
  readonly node: HTMLElement;
  private readonly list = element('ul', 'mlw-history-list');
  private readonly where = element('p', 'mlw-history-where mlw-hint');
  private readonly earlier: HTMLButtonElement;
  private shown = '';
  /** How many entries are above the button for earlier ones. */
  private above = 0;
  private times: { readonly node: HTMLElement; readonly time: number }[] = [];

  constructor(
    private readonly words: Words,
    private readonly actions: HistoryActions,
  ) {
    this.earlier = button(words.__('Show earlier'), 'mlw-button mlw-history-earlier', () => { actions.showEarlier(); });
    this.node = element('aside', 'mlw-history', { 'aria-label': words.__('History') });
    this.node.append(element('h2', 'mlw-history-title', {}, words.__('History')), this.where, this.list);
    this.list.addEventListener('keydown', (event) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (by === undefined) return;
      const entries = [...this.list.querySelectorAll<HTMLButtonElement>('.mlw-history-entry, .mlw-history-earlier')];
      const at = entries.findIndex((entry) => entry.parentElement?.contains(document.activeElement));
      entries[at + by]?.focus();
      event.preventDefault();
      event.stopPropagation();
    });
  }

  /** @param chosen - Ids of the snapshots that are compared. */
  update(history: History, chosen: readonly string[], now: number): void {
    const key = JSON.stringify([history.snapshots, history.more, history.where, this.actions.readOnly]);
    if (key !== this.shown) {
      this.shown = key;
      this.draw(history, now);
    }
    for (const entry of this.list.querySelectorAll<HTMLElement>('[data-snapshot]')) {
      entry.classList.toggle('mlw-on', chosen.includes(entry.dataset.snapshot ?? ''));
    }
    this.tick(now);
  }

  tick(now: number): void {
    for (const { node, time } of this.times) setText(node, ago(time, now));
  }

  private draw(history: History, now: number): void {
    const { snapshots, where } = history;
    const next = document.activeElement === this.earlier ? this.above : null;
    const focused = this.list.contains(document.activeElement) ? document.activeElement?.closest<HTMLElement>('[data-snapshot]')?.dataset.snapshot : undefined;
    const { words } = this;
    setText(this.where, snapshots.length ? words.__('Kept at each save and each run, in %1.', where) : words.__('It begins with the next save.'));
    this.times = [];
    this.above = shownOf(history);
    let day = '';
    const items: HTMLElement[] = [];
    snapshots.forEach((snapshot, i) => {
      const date = dayOf(snapshot.time, now, words);
      if (date !== day) items.push(element('li', 'mlw-history-day', {}, (day = date)));
      items.push(this.entry(snapshot));
      if (history.more && i + 1 === this.above) items.push(element('li', 'mlw-history-gap', {}, this.earlier));
    });
    this.list.replaceChildren(...items);
    if (next !== null) this.list.querySelectorAll<HTMLElement>('.mlw-history-entry')[next]?.focus();
    if (focused !== undefined) this.list.querySelector<HTMLElement>(`[data-snapshot="${CSS.escape(focused)}"] button`)?.focus();
  }

  private entry(snapshot: Snapshot): HTMLElement {
    const { words } = this;
    const { id, time, names, changed } = snapshot;
    const when = element('span', 'mlw-history-when');
    this.times.push({ node: when, time });
    const head = element('span', 'mlw-history-head', {}, when);
    for (const name of names) head.append(element('span', 'mlw-chip', {}, name));
    const kind = element('span', 'mlw-history-kind', {}, kindWords(snapshot, words));
    const open = element('button', 'mlw-history-entry', { type: 'button' }, head, kind);
    if (changed?.some(Boolean)) open.append(stat(changed, words));
    open.title = new Date(time * 1000).toLocaleString([], { dateStyle: 'medium', timeStyle: 'medium' });
    open.addEventListener('click', () => {
      this.actions.show(snapshot);
    });
    const more = button('', 'mlw-tool', () => undefined, MORE);
    more.title = words.__('What to do with it');
    more.setAttribute('aria-label', words.__('What to do with the snapshot of %1', open.title));
    more.setAttribute('aria-haspopup', 'menu');
    more.addEventListener('click', () => {
      const { left, bottom } = more.getBoundingClientRect();
      openMenu(more.title, this.menu(snapshot), { x: left, y: bottom }, more);
    });
    const item = element('li', 'mlw-history-item', { 'data-snapshot': id }, open, more);
    item.addEventListener('contextmenu', (event) => {
      event.preventDefault();
      event.stopPropagation();
      openMenu(more.title, this.menu(snapshot), { x: event.clientX, y: event.clientY }, open);
    });
    return item;
  }

  private menu(snapshot: Snapshot): MenuItem[] {
    const { words, actions } = this;
    const { readOnly: disabled } = actions;
    return [
      { label: words.__('Show what it changed'), choose: () => { actions.show(snapshot); } },
      { label: words.__('Compare with now'), choose: () => { actions.compare(snapshot); } },
      { label: words.__('Open as a new notebook'), disabled, group: true, choose: () => { actions.open(snapshot); } },
      { label: words.__('Restore…'), disabled, choose: () => { actions.restore(snapshot); } },
      { label: snapshot.names.length ? words.__('Rename…') : words.__('Name…'), disabled, group: true, choose: () => { actions.name(snapshot); } },
    ];
  }
}

function stat([added, removed, edited]: readonly [number, number, number], words: Words): HTMLElement {
  const said = words.__('%1 cells added, %2 removed, %3 edited', added, removed, edited);
  const part = (sign: string, count: number, kind: string): HTMLElement => element('span', count ? kind : '', {}, `${sign}${count}`);
  return element(
    'span',
    'mlw-history-stat',
    { role: 'img', 'aria-label': said, title: said },
    part('+', added, 'mlw-diff-plus'), ' ', part('−', removed, 'mlw-diff-minus'), ' ', part('~', edited, 'mlw-diff-tilde'),
  );
}

function dayOf(time: number, now: number, words: Words): string {
  const [date, today] = [new Date(time * 1000), new Date(now * 1000)];
  const days = Math.round((new Date(today).setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 86_400_000);
  if (days <= 0) return words.__('Today');
  if (days === 1) return words.__('Yesterday');
  return date.toLocaleDateString([], { weekday: 'short', day: 'numeric', month: 'short', ...(days > 300 ? { year: 'numeric' } : {}) });
}
