// Which runs are shown, and in what order.
import { hasEnded, type Num, type RunState } from '../views/model.ts';
import { keyOf, type Summary } from './model.ts';
import { rankOf, SweepGroups, sweepKey } from './sweeps.ts';

/** What to sort by: a field of every run, or `metric:NAME` and `param:NAME`. */
export type SortKey = 'submitted' | 'duration' | 'name' | `metric:${string}` | `param:${string}`;

export interface Query {
  readonly text: string;
  readonly state: RunState | 'live' | '';
  readonly notebook: string;
  /** `key=value`. */
  readonly tag: string;
  readonly store: string | null;
  readonly sort: SortKey;
  readonly descending: boolean;
}

export const EVERYTHING: Query = {
  text: '',
  state: '',
  notebook: '',
  tag: '',
  store: null,
  sort: 'submitted',
  descending: true,
};

export function isFiltered(query: Query): boolean {
  return Boolean(query.text.trim() || query.state || query.notebook || query.tag || query.store !== null);
}

export function tagText(key: string, value: string): string {
  return value ? `${key}=${value}` : key;
}

/** What there is to choose from in the runs that are known. */
export interface Choices {
  readonly metrics: readonly string[];
  readonly params: readonly string[];
  readonly tags: readonly string[];
  readonly notebooks: readonly string[];
  readonly stores: readonly string[];
}

/**
 * All runs that are known, and those of them that a query finds, in its order. Pinned runs come first. Trials stand
 * below their sweep, where that is open; one that is not found itself is shown, and opened, for its trials that are.
 */
export class RunList {
  private readonly runs = new Map<string, Summary>();
  private found: Summary[] | null = null;
  private readonly sweeps = new SweepGroups();
  private hits = 0;
  private complete = false;
  private readonly kinds = {
    metrics: new Set<string>(),
    params: new Set<string>(),
    tags: new Set<string>(),
    notebooks: new Set<string>(),
    stores: new Set<string>(),
  };
  private choicesNow: Choices | null = null;
  query: Query = EVERYTHING;

  get size(): number {
    return this.runs.size;
  }

  get(key: string): Summary | undefined {
    return this.runs.get(key);
  }

  all(): Iterable<Summary> {
    return this.runs.values();
  }

  /** How many runs the query finds, whether or not they are shown. */
  get matched(): number {
    this.visible();
    return this.hits;
  }

  /** All runs have been told of: a trial without its sweep has lost it. */
  get whole(): boolean {
    return this.complete;
  }

  set whole(whole: boolean) {
    if (whole !== this.complete) this.found = null;
    this.complete = whole;
  }

  /** The sweep below which a run stands. */
  sweepOf(run: Summary): Summary | null {
    const key = sweepKey(run);
    const sweep = key === null ? undefined : this.runs.get(key);
    return sweep && sweepKey(sweep) === null ? sweep : null;
  }

  /** How many of the runs are trials. */
  get trials(): number {
    return this.sweeps.size;
  }

  trialsOf(sweep: Summary): Summary[] {
    return this.sweeps.of(keyOf(sweep));
  }

  isOpen(sweep: Summary): boolean {
    return this.sweeps.isOpen(keyOf(sweep));
  }

  open(sweep: Summary, open: boolean): void {
    this.sweeps.open(keyOf(sweep), open);
    this.found = null;
  }

  search(query: Query): void {
    this.query = query;
    this.sweeps.search();
    this.found = null;
  }

  /** Take new or changed runs. */
  put(changed: Iterable<Summary>): void {
    for (const run of changed) {
      const key = keyOf(run);
      const before = this.runs.get(key);
      this.runs.set(key, run);
      if (before) this.sweeps.remove(key, before);
      this.sweeps.put(key, run);
      this.note(run);
      if (!this.found) continue;
      // Most changes are of a value that decides nothing here: the row is replaced where it stands.
      if (!before || !this.stays(before, run)) this.found = this.isFolded(run, before) ? this.found : null;
      else {
        const at = this.found.indexOf(before);
        if (at >= 0) this.found[at] = run;
      }
    }
  }

  remove(keys: Iterable<string>): void {
    for (const key of keys) {
      const run = this.runs.get(key);
      if (!run) continue;
      this.runs.delete(key);
      this.sweeps.remove(key, run);
      this.found = null;
    }
  }

  /** The runs that the query finds, in order. Not to be changed. */
  visible(): readonly Summary[] {
    return (this.found ??= this.find());
  }

  choices(): Choices {
    const order = (names: Set<string>): string[] => [...names].sort(collator.compare);
    const { metrics, params, tags, notebooks, stores } = this.kinds;
    return (this.choicesNow ??= {
      metrics: order(metrics),
      params: order(params),
      tags: order(tags),
      notebooks: order(notebooks),
      stores: order(stores),
    });
  }

  private find(): Summary[] {
    const { query } = this;
    const matches = matcher(query);
    const top = new Set<Summary>();
    const trials = new Map<Summary, Summary[]>();
    this.hits = 0;
    for (const run of this.runs.values()) {
      if (!matches(run)) continue;
      this.hits += 1;
      const sweep = this.sweepOf(run);
      const found = sweep && trials.get(sweep);
      if (found) found.push(run);
      else if (sweep) trials.set(sweep, [run]);
      else if (sweepKey(run) === null || this.complete) top.add(run);
    }
    const forced = new Set<string>();
    for (const sweep of trials.keys()) {
      if (top.has(sweep)) continue;
      top.add(sweep);
      forced.add(keyOf(sweep));
    }
    this.sweeps.found(forced);
    return sorted([...top], query).flatMap((run) => {
      if (sweepKey(run) !== null || !this.isOpen(run)) return run;
      return [run, ...sortedTrials(trials.get(run) ?? this.trialsOf(run), run, query)];
    });
  }

  /** Whether a run that is new, or has changed, is a trial that nobody sees: of a sweep that is closed. */
  private isFolded(run: Summary, before: Summary | undefined): boolean {
    const sweep = this.sweepOf(run);
    if (!sweep || isFiltered(this.query) || this.isOpen(sweep) || (before && sweepKey(before) !== sweepKey(run))) return false;
    if (!before) this.hits += 1;
    return true;
  }

  /** Whether a changed run stays where it is, as far as the query goes. */
  private stays(before: Summary, now: Summary): boolean {
    if (sweepKey(before) !== sweepKey(now)) return false;
    const sweep = this.sweepOf(now)?.sweep;
    if (sweepKey(now) !== null && String(rankOf(before, sweep)) !== String(rankOf(now, sweep))) return false;
    return sameOrder(before, now, this.query);
  }

  private note(run: Summary): void {
    const { metrics, params, tags, notebooks, stores } = this.kinds;
    const add = (set: Set<string>, name: string): void => {
      if (set.has(name)) return;
      set.add(name);
      this.choicesNow = null;
    };
    for (const name in run.metrics) add(metrics, name);
    for (const name in run.params) add(params, name);
    for (const name in run.tags) add(tags, tagText(name, run.tags[name] ?? ''));
    if (run.notebook) add(notebooks, run.notebook);
    add(stores, run.store);
  }
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });
const haystacks = new WeakMap<Summary, string>();

/** Everything of a run that a text may be found in, in small letters. */
function haystack(run: Summary): string {
  let text = haystacks.get(run);
  if (text === undefined) {
    const pairs = (named: Readonly<Record<string, string>>): string =>
      Object.entries(named).map(([name, value]) => tagText(name, value)).join('\n');
    text = [run.name, run.id, pairs(run.params), pairs(run.tags), run.note, run.notebook ?? ''].join('\n').toLowerCase();
    haystacks.set(run, text);
  }
  return text;
}

/** Whether a query finds a run: every word of the text has to occur in it. */
export function matcher(query: Query): (run: Summary) => boolean {
  const words = query.text.toLowerCase().split(/\s+/).filter(Boolean);
  const { state, notebook, tag, store } = query;
  return (run) =>
    (store === null || run.store === store) &&
    (!state || (state === 'live' ? !hasEnded(run.state) : run.state === state)) &&
    (!notebook || run.notebook === notebook) &&
    (!tag || Object.entries(run.tags).some(([key, value]) => tagText(key, value) === tag)) &&
    (!words.length || words.every((word) => haystack(run).includes(word)));
}

type Value = number | string | null;

/** What a run is sorted by; null where it has no such thing. */
export function sortValue(run: Summary, sort: SortKey): Value {
  if (sort === 'submitted') return run.submitted;
  if (sort === 'name') return run.name;
  if (sort === 'duration') return run.started === null ? null : run.ended === null ? Infinity : run.ended - run.started;
  const name = sort.slice(sort.indexOf(':') + 1);
  if (sort.startsWith('metric:')) return own(run.metrics, name) === undefined ? null : asNumber(run.metrics[name] ?? null);
  return own(run.params, name) === undefined ? null : asValue(run.params[name] ?? '');
}

function own(record: object, name: string): true | undefined {
  return Object.hasOwn(record, name) || undefined;
}

function asNumber(value: Num): number | null {
  const number = typeof value === 'string' ? Number(value.replace('NaN', '')) : value;
  return value === 'NaN' || (number !== null && Number.isNaN(number)) ? null : number;
}

/** Parameters are Python literals: numbers compare as such, everything else as text. */
function asValue(text: string): Value {
  const number = Number(text.replace(/_/g, ''));
  return text.trim() !== '' && !Number.isNaN(number) ? number : text;
}

/** Numbers before texts; what has no value is last in both directions, and the newer first where all else is the same. */
function sorted(runs: Summary[], { sort, descending }: Query): Summary[] {
  const sign = descending ? -1 : 1;
  const keyed = runs.map((run) => ({ run, value: sortValue(run, sort) }));
  keyed.sort((a, b) => {
    if (a.run.pinned !== b.run.pinned) return a.run.pinned ? -1 : 1;
    const order = compare(a.value, b.value, sign);
    if (order) return order;
    return b.run.submitted - a.run.submitted || (a.run.id < b.run.id ? 1 : a.run.id > b.run.id ? -1 : 0);
  });
  return keyed.map(({ run }) => run);
}

/** Trials below their sweep: the best first, unless something else was chosen. */
function sortedTrials(trials: Summary[], sweep: Summary, query: Query): Summary[] {
  if (query.sort !== 'submitted') return sorted(trials, query);
  const ranked = trials.map((run) => ({ run, rank: rankOf(run, sweep.sweep) }));
  ranked.sort((a, b) => {
    if (a.run.pinned !== b.run.pinned) return a.run.pinned ? -1 : 1;
    const order = a.rank[0] - b.rank[0] || (a.rank[1] === b.rank[1] ? 0 : a.rank[1] - b.rank[1]);
    return order || (a.run.trial ?? 0) - (b.run.trial ?? 0) || (a.run.id < b.run.id ? -1 : 1);
  });
  return ranked.map(({ run }) => run);
}

function compare(a: Value, b: Value, sign: number): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  if (typeof a === 'number') return typeof b === 'number' ? (a === b ? 0 : sign * (a < b ? -1 : 1)) : -1;
  return typeof b === 'number' ? 1 : sign * collator.compare(a, b);
}

function sameOrder(before: Summary, now: Summary, query: Query): boolean {
  if (before.pinned !== now.pinned || before.submitted !== now.submitted) return false;
  if (sortValue(before, query.sort) !== sortValue(now, query.sort)) return false;
  if (!isFiltered(query)) return true;
  const matches = matcher(query);
  return matches(before) === matches(now);
}
