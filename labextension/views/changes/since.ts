// What changed since the run before of the same name, as one line.
import { setText, element } from '../dom.ts';
import { formatNumber } from '../format.ts';
import { hasEnded, type RunData } from '../model.ts';
import { effects, foremost, type Effect } from './effect.ts';
import type { RunChanges } from './model.ts';
import { ago, isShown, lineWords, many } from './said.ts';

/** Parameters that one line has room for. */
const MOST = 3;

/** "lr 0.001 → 0.0003 · cell +2 −1 lines · val_accuracy 0.91 → 0.93 (better)" */
export function sinceWords(changes: RunChanges, effect: Effect | null, soFar: boolean): string {
  const { params, cell, notebook, modules, environment } = changes;
  const said = params.slice(0, MOST).map(([key, old, to]) => (to === null ? `without ${key}` : old === null ? `${key} ${to}` : `${key} ${old} → ${to}`));
  if (params.length > MOST) said.push(many(params.length - MOST, 'more parameter'));
  if (cell) said.push(`cell ${lineWords(cell)}`);
  const cells = notebook?.cells.filter(isShown).length ?? 0;
  if (cells) said.push(many(cells, 'other cell'));
  said.push(...modules.slice(0, MOST).map(([name, rows]) => `${name} ${lineWords(rows)}`));
  if (modules.length > MOST) said.push(many(modules.length - MOST, 'more module'));
  if (environment.some(([name]) => name !== 'git')) said.push('other environment');
  else if (environment.length) said.push('other commit');
  if (!said.length) said.push('nothing changed');
  if (effect) {
    const [from, to] = effect.best ?? effect.last;
    said.push(`${effect.name} ${formatNumber(from)} → ${formatNumber(to)} (${effect.verdict}${soFar ? ' so far' : ''})`);
  }
  return said.join(' · ');
}

export function sinceOf(changes: RunChanges, run: RunData): string {
  return sinceWords(changes, foremost(effects(changes, run)), !hasEnded(run.header.state));
}

/** One line below the title that opens the tab with all of it. */
export class SinceLine {
  readonly node: HTMLButtonElement;
  private readonly key = element('span', 'mlw-key');
  private readonly said = element('span', 'mlw-since-said');
  private changes: RunChanges | null = null;

  constructor(open: () => void) {
    this.node = element('button', 'mlw-since', { type: 'button', title: 'What changed since then', hidden: '' }, this.key, this.said);
    this.node.addEventListener('click', open);
  }

  update(run: RunData): void {
    this.changes = run.details?.changes ?? null;
    // What a rerun is compared with stands in a line of its own.
    this.node.hidden = !this.changes || this.changes.since.id === run.header.rerun?.of;
    if (!this.changes) return;
    setText(this.said, sinceOf(this.changes, run));
    this.tick();
  }

  tick(): void {
    if (this.changes) setText(this.key, `since ${this.changes.since.name} ${ago(this.changes.since.submitted, Date.now() / 1000)}:`);
  }
}
