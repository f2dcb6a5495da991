// What a page knows of the schedules of its projects: asked for while somebody looks, and now and then for what was missed.
import { Refused } from '../api.ts';
import type { Project } from '../project.ts';
import { ScheduleApi } from './api.ts';
import type { Given, Kept, Listed, Missed } from './model.ts';

/** Milliseconds between two questions while somebody looks, while something runs, and for what was missed. */
const LOOKING = 5000;
const GOING = 1500;
const SELDOM = 60_000;

export type MissedIn = Missed & { readonly store: string };

export class Book {
  readonly api: ScheduleApi;
  schedules: readonly Kept[] = [];
  missed: readonly MissedIn[] = [];
  status: 'loading' | 'there' | 'offline' | 'error' = 'loading';
  message = '';
  private readonly listed = new Map<string, Listed>();
  private readonly listeners = new Set<() => void>();
  private readonly cleanups: (() => void)[];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private watching = false;
  private asking = false;
  private askAgain = false;
  private missedAt = 0;

  constructor(readonly project: Project) {
    this.api = new ScheduleApi(project.api.request);
    let stores = '';
    let connected = false;
    this.cleanups = [
      project.subscribe(() => {
        const now = project.stores.map(({ store }) => store).join('\n');
        const back = project.stream.connected && !connected;
        connected = project.stream.connected;
        // Other folders, or another server.
        if (this.offered && (now !== stores || back)) this.now(true);
        stores = now;
      }),
      project.onEnd((run) => {
        if ('schedule' in run.tags) this.now();
      }),
    ];
  }

  /** Whether this server knows schedules. */
  get offered(): boolean {
    return this.project.info?.schedules === true;
  }

  get stores(): readonly string[] {
    return this.project.stores.map(({ store }) => store);
  }

  subscribe(changed: () => void): () => void {
    this.listeners.add(changed);
    return () => this.listeners.delete(changed);
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const cleanup of this.cleanups.splice(0)) cleanup();
    this.listeners.clear();
  }

  /** Whether somebody looks at them. */
  watch(watching: boolean): void {
    if (watching === this.watching) return;
    this.watching = watching;
    if (watching) this.now();
  }

  of(store: string): Listed | null {
    return this.listed.get(store) ?? null;
  }

  get canChange(): boolean {
    return !this.project.readOnly && [...this.listed.values()].some(({ can }) => can.change);
  }

  get canSchedule(): boolean {
    return [...this.listed.values()].some(({ can }) => can.notebooks);
  }

  /** The server's zone. */
  get timezone(): string {
    const [first] = this.listed.values();
    return first?.timezone ?? 'UTC';
  }

  /** Ask now, with `missed` for what was missed as well. */
  now(missed = false): void {
    if (missed) this.missedAt = 0;
    if (this.asking) {
      this.askAgain = true;
      return;
    }
    clearTimeout(this.timer);
    void this.ask();
  }

  async add(store: string, given: Given): Promise<void> {
    await this.after(this.api.add(store, given));
  }

  async edit({ store, id }: Kept, given: Given): Promise<void> {
    await this.after(this.api.edit(store, id, given));
  }

  async act({ store, id }: Kept, what: Parameters<ScheduleApi['act']>[2]): Promise<void> {
    await this.after(this.api.act(store, id, what));
  }

  async remove({ store, id }: Kept): Promise<void> {
    await this.after(this.api.remove(store, id));
  }

  async dismiss(): Promise<void> {
    const last = new Map<string, number>();
    for (const { store, found, last: due } of this.missed) last.set(store, Math.max(found ?? due, last.get(store) ?? 0));
    for (const [store, seen] of last) await this.api.dismiss(store, seen);
    this.missed = [];
    this.tell();
  }

  /** What changes something is seen at once; what it is refused for goes to whoever asked. */
  private async after(done: Promise<unknown>): Promise<void> {
    await done;
    await this.ask();
  }

  private async ask(): Promise<void> {
    if (!this.offered) return;
    this.asking = true;
    const stores = this.stores;
    const withMissed = Date.now() - this.missedAt > SELDOM;
    try {
      const lists = await Promise.all(stores.map((store) => this.api.list(store)));
      this.listed.clear();
      stores.forEach((store, i) => {
        const one = lists[i];
        if (one) this.listed.set(store, one);
      });
      this.schedules = stores.flatMap((store, i) => (lists[i]?.schedules ?? []).map((one) => ({ ...one, store })));
      if (withMissed) {
        const gone = await Promise.all(stores.map(async (store) => (await this.api.missed(store)).map((one) => ({ ...one, store }))));
        this.missed = gone.flat();
        this.missedAt = Date.now();
      }
      this.status = 'there';
      this.message = '';
    } catch (error) {
      this.status = error instanceof Refused && error.status < 500 ? 'error' : 'offline';
      this.message = error instanceof Error ? error.message : String(error);
    }
    this.asking = false;
    this.tell();
    clearTimeout(this.timer);
    if (this.askAgain) {
      this.askAgain = false;
      void this.ask();
      return;
    }
    if (!this.cleanups.length) return;
    const going = this.schedules.some(({ running }) => running.some(({ state }) => state !== 'waiting'));
    this.timer = setTimeout(() => {
      void this.ask();
    }, !this.watching ? SELDOM : going ? GOING : LOOKING);
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
