// What a page knows of the runs of its projects: asked for once, then kept up to date by the stream.
import { hasEnded } from '../views/model.ts';
import { Refused, type Api } from './api.ts';
import { RunList } from './list.ts';
import { keyOf, type Annotations, type Info, type Slots, type StoreName, type Summary } from './model.ts';
import { AwaitedVerdicts, rerunner } from './rerun.ts';
import { Stream, type Channel, type Socket } from './stream.ts';

/** Rows that are asked for first, and with each later request. */
const FIRST = 100;
const PAGE = 5000;
/** Milliseconds after which requests are tried again while the stream is there. */
const AGAIN = 5000;
/** Folders that the server looks at for one page. */
const MOST_FOLDERS = 50;

/**
 * loading: nothing is known yet. live: all is told. offline: the server is gone, what is known stays. missing: the
 * server has no such routes. error: it answers that it cannot.
 */
export type Status = 'loading' | 'live' | 'offline' | 'missing' | 'error';

export interface Removed {
  readonly run: Summary;
  /** Those of a sweep go with it. */
  readonly trials: readonly Summary[];
  /** Unix seconds until which it can be restored. */
  readonly undoUntil: number;
}

export class Project {
  readonly list = new RunList();
  readonly stream: Stream;
  status: Status = 'loading';
  message = '';
  info: Info | null = null;
  /** Whether this server has said it: the next one may be another. */
  private informed = false;
  slots: Slots | null = null;
  stores: readonly StoreName[] = [];
  /** Runs of all stores, whether or not they have been told of. */
  total = 0;
  private readonly totals = new Map<string, number>();
  private readonly listeners = new Set<() => void>();
  private readonly endListeners = new Set<(run: Summary) => void>();
  private readonly cells = new Map<string, Summary[]>();
  private readonly verdicts = new AwaitedVerdicts((store, id) => this.refresh(store, id));
  private paths: readonly string[] = [];
  private wanted = FIRST;
  private loads = 0;
  /** What the stream said while a page was on its way, which knows less. */
  private newer = new Set<string>();
  private complete = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private queued = false;
  private started = false;
  private disposed = false;

  constructor(
    readonly api: Api,
    connect: () => Socket,
  ) {
    this.stream = new Stream(connect, {
      connected: (connected) => {
        if (!connected) this.informed = false;
        if (connected) void this.load();
        else if (this.status === 'live') this.say('offline', '');
        else this.tell();
      },
      runs: (store, changed, gone) => {
        const left = gone.map((id) => keyOf({ store, id }));
        for (const key of [...changed.map(keyOf), ...left]) this.newer.add(key);
        this.put(changed);
        this.remove(left);
      },
      slots: (slots) => {
        this.slots = slots;
        this.tell();
      },
    });
  }

  /** Call `changed` after anything has changed, at most once a task; returns what ends this. */
  subscribe(changed: () => void): () => void {
    this.listeners.add(changed);
    return () => this.listeners.delete(changed);
  }

  /** Call `ended` for each run that is seen to end. */
  onEnd(ended: (run: Summary) => void): () => void {
    this.endListeners.add(ended);
    return () => this.endListeners.delete(ended);
  }

  /** Begin, or go on with the stores that notebooks in these folders use. */
  start(paths: readonly string[] = []): void {
    const asked = [...new Set(paths)].slice(0, MOST_FOLDERS).sort();
    if (this.started && asked.join('\n') === this.paths.join('\n')) return;
    this.started = true;
    this.paths = asked;
    void this.load();
  }

  /** Try again now. */
  retry(): void {
    this.stream.start();
    void this.load();
  }

  /** Ask for all runs, where the first hundred sufficed until now. */
  wantAll(): void {
    if (this.wanted === Infinity) return;
    this.wanted = Infinity;
    if (this.complete) void this.load();
  }

  dispose(): void {
    this.disposed = true;
    this.loads += 1;
    clearTimeout(this.timer);
    this.verdicts.dispose();
    this.stream.dispose();
    this.listeners.clear();
    this.endListeners.clear();
  }

  get readOnly(): boolean {
    return this.info?.read_only ?? true;
  }

  /** How many runs there are, those included of which nothing has been told yet. */
  get count(): number {
    return this.complete && this.wanted === Infinity ? this.list.size : Math.max(this.list.size, this.total);
  }

  /** Unix seconds on the server's clock. */
  get now(): number {
    return Date.now() / 1000 + this.api.skew;
  }

  /** The runs that a cell started, newest first. */
  ofCell(cell: string): readonly Summary[] {
    return this.cells.get(cell) ?? [];
  }

  counts(): { running: number; waiting: number } {
    const counts = { running: 0, waiting: 0 };
    for (const run of this.list.all()) {
      // Of a sweep its trials do the work.
      if (run.sweep) continue;
      if (run.state === 'running') counts.running += 1;
      else if (run.state === 'submitted') counts.waiting += 1;
    }
    return counts;
  }

  follow(store: string, runs: readonly string[]): Channel {
    const channel = this.stream.channel(store, runs);
    channel.rerun = { ...rerunner(this, store), beside: (run) => channel.ask({ type: 'compare', runs: [run] }) };
    return channel;
  }

  /** Take a run that was just made. */
  add(run: Summary): void {
    this.newer.add(keyOf(run));
    this.put([run]);
  }

  /** Ask for a run anew, of which more is known after its end. */
  async refresh(store: string, id: string): Promise<void> {
    this.putAnswer(await this.api.run(store, id));
  }

  async stop(run: Summary): Promise<void> {
    this.putAnswer(await this.api.stop(run));
  }

  async annotate(run: Summary, annotations: Annotations): Promise<void> {
    this.putAnswer(await this.api.annotate(run, annotations));
  }

  async delete(run: Summary): Promise<Removed> {
    const { undo_until: undoUntil } = await this.api.delete(run);
    const trials = run.sweep ? this.list.trialsOf(run) : [];
    const keys = [run, ...trials].map(keyOf);
    for (const key of keys) this.newer.add(key);
    this.remove(keys);
    return { run, trials, undoUntil };
  }

  async restore({ run, trials }: Removed): Promise<void> {
    const restored = [await this.api.restore(run), ...trials];
    for (const one of restored) this.newer.add(keyOf(one));
    this.put(restored);
  }

  /** Take what a change was answered with; the stream may have told of the run's end, or of its loss, by then. */
  private putAnswer(run: Summary): void {
    const before = this.list.get(keyOf(run));
    if (!before) return;
    const { pinned, tags, note } = run;
    const late = hasEnded(before.state) && !hasEnded(run.state);
    this.newer.add(keyOf(run));
    this.put([late ? { ...before, pinned, tags, note } : run]);
  }

  private async loadStores(): Promise<readonly StoreName[]> {
    try {
      return await this.api.stores(this.paths);
    } catch (error) {
      // The root's own runs do not depend on a folder that this server refuses.
      if (!(error instanceof Refused) || error.status >= 500 || !this.paths.length) throw error;
      return await this.api.stores([]);
    }
  }

  private async load(): Promise<void> {
    const load = (this.loads += 1);
    const current = (): boolean => load === this.loads && !this.disposed;
    this.complete = false;
    try {
      const [info, stores] = await Promise.all([this.informed && this.info ? this.info : this.api.info(), this.loadStores()]);
      if (!current()) return;
      this.info = info;
      this.informed = true;
      const keys = stores.map(({ store }) => store);
      const same = JSON.stringify(keys) === JSON.stringify(this.stores.map(({ store }) => store));
      this.stores = stores;
      if (!same || !this.stream.connected) this.stream.watch(keys);
      this.newer = new Set();
      const there = new Set<string>();
      await Promise.all([...keys.map((store) => this.loadStore(store, there, current)), this.loadSlots(current)]);
      if (!current()) return;
      this.complete = true;
      this.list.whole = this.wanted === Infinity;
      if (this.wanted === Infinity) {
        this.remove([...this.list.all()].map(keyOf).filter((key) => !there.has(key) && !this.newer.has(key)));
      } else {
        // Only the newest were asked for: what else is known may be there still, unless its store is not.
        this.remove([...this.list.all()].filter(({ store }) => !keys.includes(store)).map(keyOf));
      }
      this.say(this.stream.connected ? 'live' : this.status === 'live' ? 'live' : this.status, '');
      if (!this.stream.connected && this.status === 'loading') this.say('live', '');
    } catch (error) {
      if (!current()) return;
      this.complete = true;
      if (error instanceof Refused && error.status < 500) {
        this.say(error.status === 404 && !this.list.size ? 'missing' : 'error', error.message);
      } else if (error instanceof Refused && error.status !== 502 && error.status !== 503 && error.status !== 504) {
        this.say('error', error.message);
      } else {
        this.say('offline', '');
        this.stream.start();
        // The next connection loads again; where there is one all the while, nothing else would.
        clearTimeout(this.timer);
        this.timer = setTimeout(() => {
          if (this.status === 'offline' && this.stream.connected) void this.load();
        }, AGAIN);
      }
    }
  }

  private async loadSlots(current: () => boolean): Promise<void> {
    try {
      const slots = await this.api.slots();
      if (current()) this.slots = slots;
    } catch (error) {
      // The machine's queue may be out of order; the runs are there all the same.
      console.warn('mlwidgets:', error instanceof Error ? error.message : error);
    }
  }

  private async loadStore(store: string, there: Set<string>, current: () => boolean): Promise<void> {
    let count = 0;
    let after: string | undefined;
    for (;;) {
      const { total, cursor, runs } = await this.api.runs(store, after === undefined ? FIRST : PAGE, after);
      if (!current()) return;
      this.totals.set(store, total);
      this.total = this.stores.reduce((sum, one) => sum + (this.totals.get(one.store) ?? 0), 0);
      for (const run of runs) there.add(keyOf(run));
      this.put(runs.filter((run) => !this.newer.has(keyOf(run))));
      count += runs.length;
      after = cursor ?? undefined;
      if (this.status !== 'live' && this.stream.connected) this.say('live', '');
      if (after === undefined || count >= Math.min(total, this.wanted)) return;
    }
  }

  private put(runs: readonly Summary[]): void {
    for (const run of runs) {
      const before = this.list.get(keyOf(run));
      if (before && !hasEnded(before.state) && hasEnded(run.state)) for (const ended of this.endListeners) ended(run);
      if (hasEnded(run.state) && run.rerun && !run.rerun.verdict) this.verdicts.await(run);
      // The cell started the sweep, and the sweep its trials.
      if (run.cell && run.trial_of == null) this.putCell(run.cell, run);
    }
    this.list.put(runs);
    this.tell();
  }

  private putCell(cell: string, run: Summary): void {
    const others = (this.cells.get(cell) ?? []).filter((one) => keyOf(one) !== keyOf(run));
    this.cells.set(cell, [...others, run].sort((a, b) => b.submitted - a.submitted));
  }

  private remove(keys: readonly string[]): void {
    if (!keys.length) return;
    for (const key of keys) {
      const run = this.list.get(key);
      if (run?.cell) this.cells.set(run.cell, this.ofCell(run.cell).filter((one) => keyOf(one) !== key));
    }
    this.list.remove(keys);
    this.tell();
  }

  private say(status: Status, message: string): void {
    this.status = status;
    this.message = message;
    this.tell();
  }

  private tell(): void {
    if (this.queued) return;
    this.queued = true;
    queueMicrotask(() => {
      this.queued = false;
      if (!this.disposed) for (const listener of this.listeners) listener();
    });
  }
}
