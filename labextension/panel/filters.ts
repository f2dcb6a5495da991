import { element, icon, setText } from '../views/dom.ts';
import { DOWN, FILTER, SEARCH, UP } from './icons.ts';
import { EVERYTHING, isFiltered, type Choices, type Query, type SortKey } from './list.ts';
import type { StoreName } from './model.ts';
import type { Words } from './words.ts';

type Option = readonly [value: string, label: string];

/** What is shown of all runs, in what order, and by which metric. */
export class Filters {
  readonly node = element('div', 'mlw-filters', { role: 'search' });
  query: Query = EVERYTHING;
  /** Empty: each run's loss, or its first metric. */
  metric = '';
  readonly field: HTMLInputElement;
  private readonly toggle: HTMLButtonElement;
  private readonly more = element('div', 'mlw-filters-more', { hidden: '' });
  private readonly state: Choice;
  private readonly notebook: Choice;
  private readonly tag: Choice;
  private readonly store: Choice;
  private readonly sort: Choice;
  private readonly shownMetric: Choice;
  private readonly direction = element('button', 'mlw-tool', { type: 'button' });
  private readonly count = element('span', 'mlw-count', { role: 'status' });
  private choices: Choices | null = null;
  private stores: readonly StoreName[] | null = null;

  constructor(
    private readonly words: Words,
    private readonly changed: () => void,
  ) {
    this.node.setAttribute('aria-label', words.__('Filter and sort runs'));
    const placeholder = words.__('Filter runs');
    this.field = element('input', 'mlw-field', { type: 'search', placeholder, 'aria-label': placeholder, spellcheck: 'false' });
    this.field.title = words.__('Name, id, parameters, tags, note or notebook: every word has to occur');
    this.field.addEventListener('input', () => {
      this.set({ text: this.field.value });
    });
    this.toggle = element('button', 'mlw-tool', { type: 'button', 'aria-expanded': 'false' }, icon(FILTER));
    this.toggle.title = words.__('More filters');
    this.toggle.setAttribute('aria-label', this.toggle.title);
    this.toggle.addEventListener('click', () => {
      this.expand(this.more.hidden);
    });
    const choice = (label: string, change: (value: string) => void): Choice => new Choice(label, change);
    this.state = choice(words.__('State'), (state) => {
      this.set({ state: state as Query['state'] });
    });
    this.notebook = choice(words.__('Notebook'), (notebook) => {
      this.set({ notebook });
    });
    this.tag = choice(words.__('Tag'), (tag) => {
      this.set({ tag });
    });
    this.store = choice(words.__('Project'), (store) => {
      this.set({ store: store ? store.slice(1) : null });
    });
    this.sort = choice(words.__('Sort by'), (sort) => {
      this.set({ sort: sort as SortKey, descending: sort === 'submitted' || sort === 'duration' });
    });
    this.shownMetric = choice(words.__('Metric on show'), (metric) => {
      this.metric = metric;
      this.changed();
    });
    this.direction.addEventListener('click', () => {
      this.set({ descending: !this.query.descending });
    });
    this.more.append(this.state.node, this.notebook.node, this.tag.node, this.store.node);
    this.node.append(
      element('div', 'mlw-filters-line', {}, element('span', 'mlw-search', {}, icon(SEARCH), this.field), this.toggle),
      this.more,
      element('div', 'mlw-filters-line mlw-orders', {}, this.sort.node, this.direction, this.shownMetric.node, this.count),
    );
    this.state.offer([
      ['', words.__('Any state')],
      ['live', words.__('Going on')],
      ...(['submitted', 'running', 'finished', 'failed', 'stopped', 'killed', 'timeout'] as const).map((one): Option => [one, one]),
    ]);
    this.show();
  }

  /** Take a query from elsewhere, such as the settings or what was left at the last reload. */
  restore(query: Query, metric: string): void {
    this.query = query;
    this.metric = metric;
    this.field.value = query.text;
    this.choices = null;
    this.expand(Boolean(query.state || query.notebook || query.tag || query.store !== null));
    this.show();
  }

  clear(): void {
    this.field.value = '';
    this.set({ text: '', state: '', notebook: '', tag: '', store: null });
  }

  update(choices: Choices, stores: readonly StoreName[], shown: number, all: number, loading: boolean, trials: number): void {
    const number = (n: number): string => n.toLocaleString();
    const { words } = this;
    const filtered = isFiltered(this.query);
    setText(this.count, loading ? words.__('%1 of %2…', number(shown), number(all)) : filtered ? words.__('%1 of %2', number(shown), number(all)) : number(all));
    this.count.title = trials ? words.__('%1 runs, %2 of them trials of sweeps', number(all), number(trials)) : words._n('%1 run', '%1 runs', all);
    if (choices === this.choices && stores === this.stores) return;
    this.choices = choices;
    this.stores = stores;
    const plain = (names: readonly string[]): Option[] => names.map((name): Option => [name, name]);
    this.notebook.offer([['', words.__('Any notebook')], ...plain(choices.notebooks)]);
    this.tag.offer([['', words.__('Any tag')], ...plain(choices.tags)]);
    this.store.offer([['', words.__('All projects')], ...stores.map(({ store, name }): Option => [`/${store}`, name])]);
    this.notebook.node.hidden = choices.notebooks.length < 2 && !this.query.notebook;
    this.tag.node.hidden = !choices.tags.length && !this.query.tag;
    this.store.node.hidden = stores.length < 2;
    this.sort.offer(
      [
        ['submitted', words.__('Submitted')],
        ['duration', words.__('Duration')],
        ['name', words.__('Name')],
      ],
      [words.__('Metrics'), choices.metrics.map((name): Option => [`metric:${name}`, name])],
      [words.__('Parameters'), choices.params.map((name): Option => [`param:${name}`, name])],
    );
    this.shownMetric.offer([['', words.__('Loss')], ...plain(choices.metrics)]);
    this.shownMetric.node.hidden = choices.metrics.length < 2;
    this.show();
  }

  private expand(open: boolean): void {
    this.more.hidden = !open;
    this.toggle.setAttribute('aria-expanded', String(open));
  }

  private set(change: Partial<Query>): void {
    this.query = { ...this.query, ...change };
    this.show();
    this.changed();
  }

  private show(): void {
    const { query } = this;
    this.state.value = query.state;
    this.notebook.value = query.notebook;
    this.tag.value = query.tag;
    this.store.value = query.store === null ? '' : `/${query.store}`;
    this.sort.value = query.sort;
    this.shownMetric.value = this.metric;
    this.toggle.classList.toggle('mlw-on', Boolean(query.state || query.notebook || query.tag || query.store !== null));
    const label = query.descending ? this.words.__('Descending: change to ascending') : this.words.__('Ascending: change to descending');
    this.direction.replaceChildren(icon(query.descending ? DOWN : UP));
    this.direction.title = label;
    this.direction.setAttribute('aria-label', label);
  }
}

/** A select that keeps what was chosen when other options come. */
class Choice {
  readonly node: HTMLElement;
  private readonly select = element('select', 'mlw-select');
  private chosen = '';

  constructor(label: string, changed: (value: string) => void) {
    this.select.setAttribute('aria-label', label);
    this.select.title = label;
    this.node = element('span', 'mlw-choice', {}, this.select);
    this.select.addEventListener('change', () => {
      this.chosen = this.select.value;
      changed(this.select.value);
    });
  }

  set value(value: string) {
    this.chosen = value;
    if (this.select.value === value) return;
    this.select.value = value;
    if (value && this.select.value !== value) {
      // No run that is known has it yet.
      this.select.append(new window.Option(value.slice(value.indexOf(':') + 1), value));
      this.select.value = value;
    }
  }

  offer(options: readonly Option[], ...groups: readonly (readonly [string, readonly Option[]])[]): void {
    const make = ([value, label]: Option): HTMLOptionElement => new window.Option(label, value);
    this.select.replaceChildren(
      ...options.map(make),
      ...groups.filter(([, members]) => members.length).map(([label, members]) => element('optgroup', '', { label }, ...members.map(make))),
    );
    const { chosen } = this;
    this.select.value = '';
    this.value = chosen;
  }
}
