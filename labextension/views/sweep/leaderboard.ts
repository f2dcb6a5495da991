import { button, element, setText } from '../dom.ts';
import { formatElapsed, formatNumber, formatTook } from '../format.ts';
import { trialIcon } from './icons.ts';
import { finite, stateWord, trialEnded, type Trial } from './model.ts';
import type { Links } from './plot.ts';
import { wordOf } from './scale.ts';
import { durationOf, trialText, whyText, type Scene } from './scene.ts';

/** Rows that are there before somebody asks for all. */
const SHOWN = 50;

type Value = number | string | null;

interface Column {
  readonly key: string;
  readonly label: string;
  readonly number: boolean;
  /** Whether a first click puts the largest on top. */
  readonly descending: boolean;
  readonly value: (trial: Trial, scene: Scene) => Value;
}

interface Row {
  readonly node: HTMLTableRowElement;
  readonly cells: readonly HTMLTableCellElement[];
  readonly state: HTMLElement;
  readonly swatch: HTMLElement;
  trial: Trial | null;
}

/** All trials as a table, best first or by any column. A row opens its trial. */
export class Leaderboard {
  readonly node = element('section', 'mlw-section mlw-sweep-board', { 'aria-label': 'Trials' });
  private readonly head = element('tr');
  private readonly body = element('tbody');
  private readonly count = element('span', 'mlw-hint', { role: 'status' });
  private readonly ranked = button('Best first', 'mlw-toggle', () => {
    this.orderBy(null);
  });
  private readonly more = button('', 'mlw-more', () => {
    this.all = true;
    if (this.scene) this.update(this.scene);
  });
  private readonly rows = new Map<number, Row>();
  private columns: readonly Column[] = [];
  private built = '';
  private headed = '';
  /** Null: best first. */
  private sort: { readonly key: string; readonly reversed: boolean } | null = null;
  private all = false;
  private scene: Scene | null = null;
  private order: readonly number[] = [];
  private active: number | null = null;
  private marked: Row | null = null;

  constructor(private readonly links: Links) {
    const table = element('table', 'mlw-table mlw-sweep-table', {}, element('thead', '', {}, this.head), this.body);
    this.node.append(
      element('div', 'mlw-section-head', {}, element('span', 'mlw-section-name', {}, 'Trials'), this.count, this.ranked),
      element('div', 'mlw-table-frame', {}, table),
      this.more,
    );
    this.ranked.title = 'Those that finished by their result, then those that did not';
    this.body.addEventListener('click', (event) => {
      const number = this.numberOf(event);
      if (number !== null) links.open(number, event.ctrlKey || event.metaKey);
    });
    this.body.addEventListener('pointerover', (event) => {
      if (event.pointerType !== 'touch') links.hover(this.numberOf(event));
    });
    this.body.addEventListener('pointerleave', () => {
      links.hover(null);
    });
    this.body.addEventListener('focusin', (event) => {
      const number = this.numberOf(event);
      if (number === null) return;
      this.activate(number);
      links.hover(number);
    });
    this.body.addEventListener('keydown', (event) => {
      this.key(event);
    });
  }

  update(scene: Scene): void {
    this.scene = scene;
    this.build(scene);
    const { trials } = scene.sweep;
    const found = this.sorted(scene);
    const shown = this.all || found.length <= SHOWN + 10 ? found : found.slice(0, SHOWN);
    this.place(shown, scene);
    this.more.hidden = shown.length === found.length;
    if (!this.more.hidden) setText(this.more.querySelector('span') ?? this.more, `Show all ${found.length.toLocaleString('en')} trials`);
    const { hidden } = scene.sweep;
    const all = trials.length + hidden;
    const what = found.length < trials.length ? `${found.length.toLocaleString('en')} of ${all.toLocaleString('en')}` : all.toLocaleString('en');
    setText(this.count, hidden ? `${what}, of which ${hidden.toLocaleString('en')} are not kept here` : what);
    this.highlight();
  }

  /** Durations of those that go on. */
  tick(scene: Scene): void {
    const at = this.columns.findIndex(({ key }) => key === 'duration');
    for (const { trial, cells } of this.rows.values()) {
      const cell = cells[at];
      if (trial && cell && !trialEnded(trial)) setText(cell, duration(trial, scene.now));
    }
  }

  highlight(): void {
    const row = this.links.hovered === null ? null : (this.rows.get(this.links.hovered) ?? null);
    if (row === this.marked) return;
    this.marked?.node.classList.remove('mlw-hovered');
    row?.node.classList.add('mlw-hovered');
    this.marked = row;
  }

  /** Give the focus back to the row of a trial. */
  focus(number: number): void {
    this.rows.get(number)?.node.focus({ preventScroll: true });
  }

  private build(scene: Scene): void {
    const { axes, objectives } = scene;
    const key = JSON.stringify([axes.map((axis) => [axis.key, axis.scale.words === null]), objectives]);
    if (key !== this.built) {
      this.built = key;
      this.columns = this.columnsOf(scene);
      if (!this.columns.some((column) => column.key === this.sort?.key)) this.sort = null;
      this.rows.clear();
      this.body.replaceChildren();
      this.headed = '';
    }
    const headed = JSON.stringify(this.sort);
    if (headed === this.headed) return;
    this.headed = headed;
    this.ranked.setAttribute('aria-pressed', String(this.sort === null));
    const focused = (document.activeElement as HTMLElement | null)?.dataset.key;
    const inside = this.head.contains(document.activeElement);
    this.head.replaceChildren(...this.columns.map((column) => this.heading(column)));
    if (inside && focused) this.head.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  private columnsOf({ axes, objectives, sweep }: Scene): Column[] {
    const [first] = objectives;
    const best: Column = { key: 'best', label: 'best', number: true, descending: first?.direction !== 'minimize', value: (trial) => finite(trial.best) };
    return [
      { key: 'number', label: '#', number: true, descending: false, value: ({ number }) => number },
      { key: 'state', label: 'State', number: false, descending: false, value: ({ state }) => stateWord(state) },
      ...objectives.map(({ metric, direction }, i): Column => ({
        key: i === 0 ? 'value' : `value:${metric}`,
        label: metric,
        number: true,
        descending: direction === 'maximize',
        value: (trial) => finite(trial.values?.[i]),
      })),
      ...(sweep.about?.value === 'best' || objectives.length > 1 ? [] : [best]),
      ...axes.filter((axis) => axis.objective === null).map((axis): Column => ({
        key: axis.key,
        label: axis.name,
        number: axis.scale.words === null,
        descending: false,
        value: (trial) => {
          const value = axis.value(trial);
          return value === undefined || value === null ? null : typeof value === 'number' ? value : wordOf(value);
        },
      })),
      { key: 'duration', label: 'Duration', number: true, descending: true, value: (trial, { now }) => durationOf(trial, now) },
      { key: 'why', label: 'Why it ended', number: false, descending: false, value: (trial) => whyText(trial) || null },
    ];
  }

  private heading({ key, label, number, descending }: Column): HTMLElement {
    const sorted = this.sort?.key === key;
    const large = (sorted && this.sort?.reversed === true) !== descending;
    const name = element('button', 'mlw-sweep-sort', { type: 'button', 'data-key': key, title: `Sort by ${label}` }, element('span', '', {}, label));
    if (sorted) name.append(element('span', 'mlw-sweep-arrow', { 'aria-hidden': 'true' }, large ? '▾' : '▴'));
    name.addEventListener('click', () => {
      this.orderBy({ key, reversed: sorted && this.sort?.reversed !== true });
    });
    const node = element('th', number ? 'mlw-number' : '', { scope: 'col' }, name);
    if (sorted) node.setAttribute('aria-sort', large ? 'descending' : 'ascending');
    return node;
  }

  private orderBy(sort: Leaderboard['sort']): void {
    this.sort = sort;
    if (this.scene) this.update(this.scene);
  }

  /** What passes the filter, in order; what has no value is last either way. */
  private sorted(scene: Scene): Trial[] {
    const { sort } = this;
    const column = this.columns.find(({ key }) => key === (sort?.key ?? 'value'));
    const sign = column?.descending !== (sort?.reversed ?? false) ? -1 : 1;
    // Those that were ended early rank behind those that were given all the time they wanted.
    const early = (trial: Trial): number => (sort === null && trialEnded(trial) && trial.state !== 'finished' ? 1 : 0);
    const keyed = scene.sweep.trials
      .filter(({ number }) => scene.shown.has(number))
      .map((trial) => ({ trial, value: column?.value(trial, scene) ?? null, late: early(trial) }));
    keyed.sort((a, b) => {
      if (a.value === null || b.value === null) return a.value === b.value ? a.trial.number - b.trial.number : a.value === null ? 1 : -1;
      if (a.late !== b.late) return a.late - b.late;
      const order = typeof a.value === 'number' && typeof b.value === 'number' ? a.value - b.value : String(a.value).localeCompare(String(b.value));
      return sign * order || a.trial.number - b.trial.number;
    });
    return keyed.map(({ trial }) => trial);
  }

  private place(trials: readonly Trial[], scene: Scene): void {
    const order = trials.map(({ number }) => number);
    const wanted = new Set(order);
    for (const [number, row] of this.rows) {
      if (wanted.has(number)) continue;
      row.node.remove();
      this.rows.delete(number);
    }
    trials.forEach((trial, i) => {
      let row = this.rows.get(trial.number);
      if (!row) this.rows.set(trial.number, (row = this.row(trial)));
      this.fill(row, trial, scene);
      if (this.body.children[i] !== row.node) this.body.insertBefore(row.node, this.body.children[i] ?? null);
    });
    this.order = order;
    if (this.active === null || !wanted.has(this.active)) this.active = order[0] ?? null;
    for (const [number, { node }] of this.rows) node.tabIndex = number === this.active ? 0 : -1;
  }

  private row({ number }: Trial): Row {
    const cells = this.columns.map((column) => element('td', column.number ? 'mlw-number' : ''));
    const [state, swatch] = [element('span', 'mlw-sweep-state'), element('span', 'mlw-sweep-dot')];
    const node = element('tr', 'mlw-sweep-row', { 'data-trial': String(number) }, ...cells);
    return { node, cells, state, swatch, trial: null };
  }

  private fill(row: Row, trial: Trial, scene: Scene): void {
    row.swatch.style.background = scene.colour(trial);
    row.node.classList.toggle('mlw-best', trial === scene.best || scene.front.has(trial.number));
    if (row.trial === trial) return;
    row.trial = trial;
    row.node.setAttribute('aria-label', trialText(trial, scene));
    this.columns.forEach(({ key, value }, i) => {
      const cell = row.cells[i];
      if (!cell) return;
      const shown = value(trial, scene);
      if (key === 'state') {
        row.state.className = `mlw-sweep-state mlw-state-${trial.state}`;
        row.state.replaceChildren(trialIcon(trial.state), stateWord(trial.state));
        cell.replaceChildren(row.state);
      } else if (key === 'value') {
        cell.classList.add('mlw-sweep-measured');
        cell.replaceChildren(row.swatch, formatNumber(trial.values?.[0] ?? null));
      } else if (key === 'duration') setText(cell, duration(trial, scene.now));
      else if (key === 'why') {
        setText(cell, shown === null ? '' : String(shown));
        cell.className = 'mlw-sweep-why';
        cell.title = cell.textContent;
      } else setText(cell, typeof shown === 'number' ? formatNumber(shown) : (shown ?? '–'));
    });
  }

  private numberOf(event: Event): number | null {
    const row = (event.target as Element).closest<HTMLElement>('.mlw-sweep-row');
    return row ? Number(row.dataset.trial) : null;
  }

  private activate(number: number): void {
    if (this.active !== null) this.rows.get(this.active)?.node.setAttribute('tabindex', '-1');
    this.active = number;
    this.rows.get(number)?.node.setAttribute('tabindex', '0');
  }

  private key(event: KeyboardEvent): void {
    const number = this.numberOf(event);
    if (number === null || event.altKey) return;
    const at = this.order.indexOf(number);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: this.order.length - 1 }[event.key];
    if (event.key === 'Enter') this.links.open(number, event.ctrlKey || event.metaKey);
    else if (to !== undefined) {
      const next = this.order[Math.min(this.order.length - 1, Math.max(0, to))];
      if (next !== undefined) this.rows.get(next)?.node.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

function duration(trial: Trial, now: number): string {
  const took = durationOf(trial, now);
  return took === null ? '–' : trialEnded(trial) ? formatTook(took) : formatElapsed(took);
}
