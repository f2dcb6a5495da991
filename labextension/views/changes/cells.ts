// The cells of a notebook, those that did not change folded; each stays as it is while the notebook changes around it.
import { button, element, setText } from '../dom.ts';
import { CellView, drawFacts, type GoTo } from './cell.ts';
import { fold } from './fold.ts';
import type { Folds } from './lines.ts';
import type { CellChange, Fact, NotebookDiff } from './model.ts';
import { isShown, keyOf, many } from './said.ts';

/** Lines that are drawn at once; the others follow while nobody waits. */
const AT_ONCE = 600;
/** Milliseconds for which drawing goes on before the page may do something else. */
const SLICE = 12;

interface Keyed {
  readonly key: string;
  readonly cell: CellChange;
}

interface Kept {
  readonly view: CellView;
  readonly content: string;
}

export class CellList {
  readonly node = element('div', 'mlw-diff-cells');
  private kept = new Map<string, Kept>();
  private openers = new Map<string, HTMLButtonElement>();
  private readonly folds = new Map<string, Folds>();
  /** Unchanged cells that somebody wants to see. */
  private readonly opened = new Set<string>();
  private shown: CellView[] = [];
  private current: CellView | null = null;
  private undrawn: CellView[] = [];
  private timer = 0;
  private diff: NotebookDiff | null = null;

  /**
   * @param goTo - What a cell's number does, where there is a notebook beside.
   * @param stepped - Hears that another change is looked at.
   */
  constructor(
    private readonly goTo: GoTo | null = null,
    private readonly stepped: () => void = () => undefined,
  ) {
    // What is copied is one of the two sides.
    this.node.addEventListener('pointerdown', ({ target }) => {
      const side = target instanceof Element ? target.closest('.mlw-diff-old, .mlw-diff-new') : null;
      this.node.dataset.selecting = side?.classList.contains('mlw-diff-old') ? 'old' : 'new';
    });
  }

  /** Which change is looked at, from 1 (0 before the first step), and how many there are. */
  get position(): { readonly at: number; readonly of: number } {
    return { at: this.current ? this.shown.indexOf(this.current) + 1 : 0, of: this.shown.length };
  }

  update(diff: NotebookDiff): void {
    this.diff = diff;
    const [before, openers] = [this.kept, this.openers];
    this.kept = new Map();
    this.openers = new Map();
    this.shown = [];
    const nodes: HTMLElement[] = [];
    for (const { items, folded } of fold(keyed(diff.cells), ({ cell }) => isShown(cell), 0, 1)) {
      const open = !folded || items.some(({ key }) => this.opened.has(key));
      if (folded) nodes.push(this.opener(items, open, openers));
      if (!open) continue;
      for (const { key, cell } of items) {
        const view = this.view(key, cell, diff.language, before.get(key));
        if (!folded) this.shown.push(view);
        nodes.push(view.node);
      }
    }
    for (const [key, { view }] of before) if (this.kept.get(key)?.view !== view) view.destroy();
    if (diff.metadata?.length) nodes.push(drawMetadata(diff.metadata));
    this.place(nodes);
    if (this.current && !this.shown.includes(this.current)) this.current = null;
    this.drawSome();
  }

  /** Look at the next change (1) or the one before (-1), seen from what is on the screen. */
  step(by: 1 | -1): void {
    const scroller = scrollerOf(this.node);
    const { top, bottom } = scroller.getBoundingClientRect();
    const place = (view: CellView): number => view.node.getBoundingClientRect().top - top;
    const now = this.current;
    const seen = now && place(now) < bottom - top && now.node.getBoundingClientRect().bottom > top;
    const below = this.shown.findIndex((view) => place(view) >= 0);
    const ahead = below < 0 ? this.shown.length : below;
    const to = seen ? this.shown.indexOf(now) + by : by > 0 ? ahead : ahead - 1;
    const next = this.shown[(to + this.shown.length) % this.shown.length];
    if (!next) return;
    this.current?.node.removeAttribute('aria-current');
    this.current = next;
    next.draw();
    next.node.setAttribute('aria-current', 'true');
    next.node.scrollIntoView({ block: 'start' });
    next.node.focus({ preventScroll: true });
    this.stepped();
  }

  destroy(): void {
    cancelIdle(this.timer);
    for (const { view } of this.kept.values()) view.destroy();
  }

  private view(key: string, cell: CellChange, language: string, kept: Kept | undefined): CellView {
    const content = JSON.stringify([language, { ...cell, old: null, new: null }, Boolean(cell.new)]);
    if (kept?.content === content) {
      kept.view.update(cell);
      this.kept.set(key, kept);
      return kept.view;
    }
    const folds = this.folds.get(key) ?? { open: false };
    this.folds.set(key, folds);
    const view = new CellView(cell, language, folds, this.goTo);
    this.kept.set(key, { view, content });
    this.undrawn.push(view);
    return view;
  }

  /** The button that shows or hides cells that did not change. */
  private opener(items: readonly Keyed[], open: boolean, before: ReadonlyMap<string, HTMLButtonElement>): HTMLButtonElement {
    const key = items[0]?.key ?? '';
    const node = before.get(key) ?? button('', 'mlw-diff-fold', () => undefined);
    node.onclick = () => {
      for (const item of items) {
        if (open) this.opened.delete(item.key);
        else this.opened.add(item.key);
      }
      if (this.diff) this.update(this.diff);
    };
    setText(node.querySelector('span') ?? node, `${open ? 'Hide ' : ''}${many(items.length, 'unchanged cell')}`);
    node.setAttribute('aria-expanded', String(open));
    this.openers.set(key, node);
    return node;
  }

  /** Bring the nodes in order and touch none that is where it belongs: what moves loses its focus. */
  private place(nodes: readonly HTMLElement[]): void {
    const wanted = new Set<Node>(nodes);
    for (const node of [...this.node.childNodes]) if (!wanted.has(node)) node.remove();
    let next = this.node.firstChild;
    for (const node of nodes) {
      if (node === next) next = next.nextSibling;
      else this.node.insertBefore(node, next);
    }
  }

  /** Draw what a reader may see at once, and the rest bit by bit, so that the browser's search finds all of it. */
  private drawSome(): void {
    for (let lines = 0; lines < AT_ONCE; ) {
      const view = this.undrawn.shift();
      if (!view) return;
      view.draw();
      lines += view.lines;
    }
    cancelIdle(this.timer);
    const go = (): void => {
      const end = performance.now() + SLICE;
      while (this.undrawn.length && performance.now() < end) this.undrawn.shift()?.draw();
      if (this.undrawn.length) this.timer = whenIdle(go);
    };
    this.timer = whenIdle(go);
  }
}

function drawMetadata(facts: readonly Fact[]): HTMLElement {
  const head = element('header', 'mlw-diff-head', {}, element('span', 'mlw-diff-number', {}, 'Notebook'), element('span', 'mlw-diff-change', {}, 'metadata'));
  return element('section', 'mlw-diff-cell mlw-diff-same', { 'aria-label': 'Metadata of the notebook' }, head, drawFacts(facts, 'Metadata'));
}

/** Each cell with a name of its own, in a notebook that has no ids too. */
function keyed(cells: readonly CellChange[]): Keyed[] {
  const seen = new Map<string, number>();
  return cells.map((cell) => {
    const key = keyOf(cell);
    const times = seen.get(key) ?? 0;
    seen.set(key, times + 1);
    return { key: times ? `${key}#${times}` : key, cell };
  });
}

function scrollerOf(node: HTMLElement): Element {
  for (let at: HTMLElement | null = node; at; at = at.parentElement) {
    if (/auto|scroll/.test(getComputedStyle(at).overflowY)) return at;
  }
  return document.documentElement;
}

/** Safari has no requestIdleCallback. */
function whenIdle(call: () => void): number {
  return 'requestIdleCallback' in window ? window.requestIdleCallback(call, { timeout: 500 }) : (window as Window).setTimeout(call, 16);
}

function cancelIdle(timer: number): void {
  if ('cancelIdleCallback' in window) window.cancelIdleCallback(timer);
  else (window as Window).clearTimeout(timer);
}
