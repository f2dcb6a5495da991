// The rows: thousands of them, of which those on show are in the page.
import { element } from '../views/dom.ts';
import { keyOf, type Summary } from './model.ts';
import { Row, ROW_HEIGHT, type RowContext } from './row.ts';
import type { Words } from './words.ts';

/** Rows beyond the edges that are there already when one scrolls. */
const MARGIN = 6;
let made = 0;

export interface GridActions {
  open(run: Summary): void;
  stop(run: Summary): void;
  delete(runs: readonly Summary[]): void;
  pin(run: Summary): void;
  annotate(run: Summary): void;
  rerun(run: Summary): void;
  menu(run: Summary, at: { x: number; y: number }, back: HTMLElement): void;
  ticked(): void;
  /** Show the trials of a sweep, or hide them. */
  expand(sweep: Summary, open: boolean): void;
  /** Rows are about to be drawn: `context` is asked for each. */
  drawing(): void;
  context(run: Summary): Pick<RowContext, 'metric' | 'line' | 'now' | 'readOnly' | 'lead' | 'open' | 'sweep'>;
}

/**
 * A grid of one row for each run, trials below their sweep. It has the focus itself and says which row is the active
 * one.
 */
export class RunGrid {
  readonly node = element('div', 'mlw-grid', { role: 'treegrid', tabindex: '0', 'aria-multiselectable': 'true' });
  readonly ticked = new Set<string>();
  private readonly space = element('div', 'mlw-grid-space', { role: 'presentation' });
  private readonly prefix = `mlw-row-${(made += 1)}`;
  private readonly shown = new Map<string, Row>();
  private readonly spare: Row[] = [];
  private runs: readonly Summary[] = [];
  private activeKey: string | null = null;
  private frame = 0;
  private rows = 0;
  private typed = '';
  private typedAt = 0;
  private readonly resized: ResizeObserver;

  constructor(
    private readonly words: Words,
    private readonly actions: GridActions,
  ) {
    this.node.setAttribute('aria-label', words.__('Runs'));
    this.node.append(this.space);
    this.node.addEventListener('scroll', () => {
      this.later();
    });
    this.node.addEventListener('focus', () => {
      if (this.activeIndex() < 0) this.activate(0);
    });
    this.node.addEventListener('keydown', (event) => {
      this.onKey(event);
    });
    this.node.addEventListener('click', (event) => {
      this.onClick(event);
    });
    this.node.addEventListener('dblclick', (event) => {
      const run = this.rowOf(event)?.run;
      if (run && !(event.target as Element).closest('button, input')) this.actions.open(run);
    });
    this.node.addEventListener('contextmenu', (event) => {
      const run = this.rowOf(event)?.run;
      if (!run) return;
      event.preventDefault();
      event.stopPropagation();
      this.setActive(keyOf(run));
      this.actions.menu(run, { x: event.clientX, y: event.clientY }, this.node);
    });
    this.resized = new ResizeObserver(() => {
      this.later();
    });
    this.resized.observe(this.node);
  }

  destroy(): void {
    this.resized.disconnect();
    cancelAnimationFrame(this.frame);
  }

  update(runs: readonly Summary[]): void {
    this.runs = runs;
    this.draw();
  }

  /** The ticked runs, in the order of the list; those that a filter hides are none of them. */
  tickedRuns(): Summary[] {
    return this.runs.filter((run) => this.ticked.has(keyOf(run)));
  }

  active(): Summary | null {
    return this.runs[this.activeIndex()] ?? null;
  }

  untick(): void {
    this.ticked.clear();
    this.draw();
    this.actions.ticked();
  }

  later(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  private draw(): void {
    const { runs, node } = this;
    const height = node.clientHeight;
    node.setAttribute('aria-rowcount', String(runs.length));
    this.space.style.height = `${runs.length * ROW_HEIGHT}px`;
    node.classList.toggle('mlw-ticking', this.ticked.size > 0);
    if (!height) return;
    const first = Math.max(0, Math.floor(node.scrollTop / ROW_HEIGHT) - MARGIN);
    const last = Math.min(runs.length, Math.ceil((node.scrollTop + height) / ROW_HEIGHT) + MARGIN);
    const wanted = new Map<string, number>();
    for (let index = first; index < last; index++) {
      const run = runs[index];
      if (run) wanted.set(keyOf(run), index);
    }
    for (const [key, row] of this.shown) {
      if (wanted.has(key)) continue;
      this.shown.delete(key);
      this.spare.push(row);
    }
    this.actions.drawing();
    for (const [key, index] of wanted) {
      const run = runs[index];
      if (!run) continue;
      let row = this.shown.get(key);
      if (!row) {
        row = this.spare.pop() ?? new Row(`${this.prefix}-${(this.rows += 1)}`);
        this.shown.set(key, row);
      }
      if (row.node.parentNode !== this.space) this.space.append(row.node);
      const ticked = this.ticked.has(key);
      const about = this.actions.context(run);
      row.update(run, { ...about, words: this.words, ticked, active: key === this.activeKey, index });
    }
    for (const row of this.spare) row.node.remove();
    const active = this.activeKey === null ? undefined : this.shown.get(this.activeKey);
    if (active) node.setAttribute('aria-activedescendant', active.node.id);
    else node.removeAttribute('aria-activedescendant');
  }

  /** Make a run the active one, where it is shown. */
  show(key: string): void {
    const at = this.runs.findIndex((run) => keyOf(run) === key);
    if (at >= 0) this.activate(at);
  }

  private activeIndex(): number {
    return this.activeKey === null ? -1 : this.runs.findIndex((run) => keyOf(run) === this.activeKey);
  }

  private setActive(key: string): void {
    this.activeKey = key;
    this.draw();
  }

  private activate(index: number): void {
    const at = Math.max(0, Math.min(this.runs.length - 1, index));
    const run = this.runs[at];
    if (!run) return;
    const { node } = this;
    const top = at * ROW_HEIGHT;
    if (top < node.scrollTop) node.scrollTop = top;
    else if (top + ROW_HEIGHT > node.scrollTop + node.clientHeight) node.scrollTop = top + ROW_HEIGHT - node.clientHeight;
    this.setActive(keyOf(run));
  }

  private toggle(run: Summary): void {
    const key = keyOf(run);
    if (!this.ticked.delete(key)) this.ticked.add(key);
    this.draw();
    this.actions.ticked();
  }

  private onKey(event: KeyboardEvent): void {
    if (event.target !== this.node) return;
    const page = Math.max(1, Math.floor(this.node.clientHeight / ROW_HEIGHT) - 1);
    const at = this.activeIndex();
    const run = this.runs[at];
    const steps: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: this.runs.length - 1,
    };
    const to = steps[event.key];
    if (to !== undefined && !event.altKey && !event.metaKey && !event.ctrlKey) {
      if (event.shiftKey && run && !this.ticked.has(keyOf(run))) this.toggle(run);
      this.activate(to);
      const now = this.active();
      if (event.shiftKey && now && !this.ticked.has(keyOf(now))) this.toggle(now);
    } else if ((event.key === 'ArrowRight' || event.key === 'ArrowLeft') && run) {
      if (event.altKey || event.metaKey || event.ctrlKey || !this.unfold(run, event.key === 'ArrowRight')) return;
    } else if (event.key === 'Enter' && run && (event.ctrlKey || event.metaKey)) this.actions.rerun(run);
    else if (event.key === 'Enter' && run) this.actions.open(run);
    else if (event.key === ' ' && run) this.toggle(run);
    else if (event.key === 'F2' && run) this.actions.annotate(run);
    else if (event.key === 'Delete' && run) this.actions.delete(this.ticked.size ? this.tickedRuns() : [run]);
    else if (event.key === 'Escape' && this.ticked.size) this.untick();
    else if ((event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) && run) {
      const box = this.shown.get(keyOf(run))?.node.getBoundingClientRect();
      this.actions.menu(run, { x: (box?.left ?? 0) + 24, y: (box?.bottom ?? 0) - 8 }, this.node);
    } else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) this.typeAhead(event.key, at);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Right opens a sweep and goes on to its first trial, Left goes back to it and closes it. */
  private unfold(run: Summary, open: boolean): boolean {
    const { open: isOpen, sweep } = this.actions.context(run);
    const at = this.activeIndex();
    if (isOpen === null) {
      if (open || !sweep) return false;
      this.activate(this.runs.findIndex((one) => keyOf(one) === keyOf(sweep)));
    } else if (isOpen !== open) this.actions.expand(run, open);
    else if (open && at + 1 < this.runs.length) this.activate(at + 1);
    return true;
  }

  private typeAhead(key: string, at: number): void {
    const now = Date.now();
    this.typed = now - this.typedAt > 800 ? key : this.typed + key;
    this.typedAt = now;
    const wanted = this.typed.toLowerCase();
    const from = this.typed.length > 1 ? at : at + 1;
    for (let i = 0; i < this.runs.length; i++) {
      const index = (Math.max(0, from) + i) % this.runs.length;
      if (this.runs[index]?.name.toLowerCase().startsWith(wanted)) {
        this.activate(index);
        return;
      }
    }
  }

  private onClick(event: MouseEvent): void {
    const row = this.rowOf(event);
    const run = row?.run;
    if (!row || !run) return;
    const target = event.target as Element;
    this.setActive(keyOf(run));
    this.node.focus({ preventScroll: true });
    if (row.stop.contains(target)) this.actions.stop(run);
    else if (row.pin.contains(target)) this.actions.pin(run);
    else if (row.caret.contains(target)) this.actions.expand(run, row.caret.getAttribute('aria-expanded') !== 'true');
    else if (row.more.contains(target)) {
      const box = row.more.getBoundingClientRect();
      this.actions.menu(run, { x: box.left, y: box.bottom }, this.node);
    } else if (target.closest('.mlw-row-tick')) this.toggle(run);
    else if (event.ctrlKey || event.metaKey) this.toggle(run);
  }

  private rowOf(event: Event): Row | null {
    const node = (event.target as Element).closest('.mlw-row');
    return [...this.shown.values()].find((row) => row.node === node) ?? null;
  }
}
