// "2 cells are in conflict": above a notebook that git has merged, as long as there are any.
import { Widget } from '@lumino/widgets';

import type { Words } from '../../panel/words.ts';
import { button, element, setText } from '../../views/dom.ts';
import { markedIn, type Take } from './conflicts.ts';
import type { Edited } from './model.ts';
import { canSettle, settleCell } from './settle.ts';

/** Milliseconds after which what was written is looked at. */
const SOON = 100;
const MARK = 'mlw-cell-in-conflict';

interface Found {
  readonly at: number;
  readonly kind: string;
  readonly note: string;
}

export class ConflictBar extends Widget {
  private readonly line = element('div', 'mlw-conflicts-line');
  private readonly count = element('span', 'mlw-conflicts-count', { role: 'status' });
  private readonly note = element('span', 'mlw-conflicts-note');
  private readonly next: HTMLButtonElement;
  private readonly takes: ReadonlyMap<Take, HTMLButtonElement>;
  private found: readonly Found[] = [];
  private timer = 0;

  constructor(
    private readonly panel: Edited,
    private readonly words: Words,
  ) {
    super();
    this.addClass('mlw-panel-colours');
    this.addClass('mlw-conflicts');
    this.takes = new Map((['ours', 'theirs', 'both'] as const).map((take) => [take, button('', 'mlw-button', () => { this.take(take); })]));
    this.next = button(words.__('Show next'), 'mlw-button', () => { void this.showNext(); });
    this.node.setAttribute('aria-label', words.__('Cells in conflict'));
    this.node.setAttribute('role', 'group');
    this.node.append(this.line);
    const buttons = element('div', 'mlw-conflicts-buttons', {}, ...this.takes.values(), this.next);
    this.line.append(this.count, this.note, buttons);
    this.hide();
    const { content, context } = panel;
    content.modelContentChanged.connect(this.soon);
    content.activeCellChanged.connect(this.draw);
    panel.disposed.connect(() => { window.clearTimeout(this.timer); });
    void context.ready.then(this.look);
  }

  private readonly soon = (): void => {
    this.timer ||= window.setTimeout(this.look, SOON);
  };

  private readonly look = (): void => {
    this.timer = 0;
    const { content, isDisposed } = this.panel;
    if (isDisposed) return;
    const before = this.found;
    this.found = (content.model?.sharedModel.cells ?? []).flatMap((cell, at) => {
      const marked = markedIn(cell.getMetadata('mlwidgets'), cell.getSource());
      return marked ? [{ at, ...marked }] : [];
    });
    if (before.length > 0 || this.found.length > 0) {
      const marked = new Set(this.found.map(({ at }) => at));
      content.widgets.forEach((cell, at) => { cell.toggleClass(MARK, marked.has(at)); });
      this.draw();
    }
  };

  private readonly draw = (): void => {
    const { found, words, panel } = this;
    this.setHidden(found.length === 0);
    if (this.isHidden) return;
    setText(this.count, words._n('%1 cell is in conflict after a merge', '%1 cells are in conflict after a merge', found.length));
    const now = found.find(({ at }) => at === panel.content.activeCellIndex);
    setText(this.note, now ? words.__('Cell %1: %2', now.at + 1, now.note) : '');
    this.note.title = this.note.textContent;
    const cell = now && panel.context.model.sharedModel.cells[now.at];
    for (const [take, node] of this.takes) {
      const label = now && labelOf(now.kind, take, words);
      node.hidden = !label || panel.context.model.readOnly || panel.context.contentsModel?.writable === false;
      if (!label || !cell) continue;
      setText(node, label);
      node.disabled = !canSettle(now.kind, cell);
      node.title = node.disabled ? words.__('Lines in it look like those of a conflict: edit the cell, and take the lines with markers out') : '';
    }
    this.next.hidden = found.length === 1 && now !== undefined;
    setText(this.next, found.length === 1 ? words.__('Show it') : words.__('Show next'));
    this.stretch();
  };

  protected override onResize(): void {
    this.stretch();
  }

  /** In a narrow notebook it takes several lines; the layout gives it what it says that it needs. */
  private stretch(): void {
    const height = `${this.line.offsetHeight}px`;
    if (this.isHidden || this.node.style.minHeight === height) return;
    this.node.style.minHeight = height;
    this.parent?.fit();
  }

  /** Go to the next one behind the active cell, at the end to the first. */
  private async showNext(): Promise<void> {
    const { content } = this.panel;
    const next = this.found.find(({ at }) => at > content.activeCellIndex) ?? this.found[0];
    if (!next) return;
    content.mode = 'command';
    content.activeCellIndex = next.at;
    this.draw();
    await content.scrollToItem?.(next.at, 'center');
  }

  private take(take: Take): void {
    const { content, context } = this.panel;
    const now = this.found.find(({ at }) => at === content.activeCellIndex);
    if (!now) return;
    settleCell(context.model.sharedModel, now.at, now.kind, take);
    this.look();
    // Its button is gone: what comes next is one key away.
    (this.isHidden ? content.node : this.next).focus();
  }
}

function labelOf(kind: string, take: Take, words: Words): string | null {
  if (kind !== 'deleted') return { ours: words.__('Take ours'), theirs: words.__('Take theirs'), both: words.__('Keep both') }[take];
  return { ours: words.__('Keep the cell'), theirs: words.__('Delete it'), both: null }[take];
}
