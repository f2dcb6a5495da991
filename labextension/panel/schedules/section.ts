import './schedules.css';

import { button, element, setText } from '../../views/dom.ts';
import { openMenu, type MenuItem } from '../menu.ts';
import { Toast } from '../toast.ts';
import type { Words } from '../words.ts';
import type { Book } from './book.ts';
import { askForSchedule, type Preset } from './form.ts';
import { PLUS } from './icons.ts';
import type { Kept } from './model.ts';
import { ScheduleRow } from './row.ts';

export interface ScheduleHost {
  readonly words: Words;
  /** Show a page of the server, by its address from the base. */
  openPage(address: string): void;
  openRun(store: string, run: string): void;
  /** The notebook that the user is in, from the server's root. */
  currentNotebook?(): string | null;
}

/** Milliseconds between two looks at what changes by time alone. */
const TICK = 1000;
/** Starts that an opened row shows. */
const MOST_FIRINGS = 8;

/** All schedules of the project. Asks for nothing while nobody sees it. */
export class SchedulePanel {
  readonly node = element('div', 'mlw-panel mlw-panel-colours mlw-schedules');
  private readonly list = element('ul', 'mlw-schedule-list');
  private readonly head = element('div', 'mlw-schedules-head');
  private readonly sum = element('span', 'mlw-count');
  private readonly add: HTMLButtonElement;
  private readonly empty = element('div', 'mlw-empty-state', { hidden: '' });
  private readonly note = element('p', 'mlw-hint mlw-schedules-note', { hidden: '' });
  private readonly toast = new Toast();
  private readonly rows = new Map<string, ScheduleRow>();
  private readonly cleanups: (() => void)[];
  private active = '';
  private order = '';
  private seen = false;

  constructor(
    private readonly book: Book,
    private readonly host: ScheduleHost,
  ) {
    const { words } = host;
    this.list.setAttribute('aria-label', words.__('Schedules'));
    this.list.setAttribute('data-lm-suppress-shortcuts', 'true');
    this.list.addEventListener('keydown', (event) => {
      this.onKey(event);
    });
    this.list.addEventListener('focusin', (event) => {
      const row = this.rowAt(event.target);
      if (row?.schedule) this.setActive(keyOf(row.schedule));
    });
    this.add = button(words.__('New schedule'), 'mlw-button mlw-changes', () => {
      void this.ask();
    }, PLUS);
    this.head.append(this.add, this.sum);
    this.node.append(this.head, element('div', 'mlw-list mlw-schedules-body', {}, this.list, this.empty), this.note, this.toast.node);
    const timer = setInterval(() => {
      if (this.seen) this.update();
    }, TICK);
    const observer = new IntersectionObserver(([entry]) => {
      this.seen = entry?.isIntersecting ?? false;
      book.watch(this.seen);
      if (this.seen) this.update();
    });
    observer.observe(this.node);
    this.cleanups = [
      book.subscribe(() => {
        if (this.seen) this.update();
      }),
      () => {
        clearInterval(timer);
        observer.disconnect();
      },
    ];
  }

  destroy(): void {
    for (const cleanup of this.cleanups.splice(0)) cleanup();
    this.toast.hide();
    this.node.remove();
  }

  focus(): void {
    const row = this.rows.get(this.active) ?? [...this.rows.values()][0];
    (row?.head ?? this.node.querySelector<HTMLElement>('button:not([hidden])'))?.focus();
  }

  /** Ask for a new schedule; of a notebook that was chosen already, where one was. */
  async ask(preset: Preset = {}): Promise<void> {
    const notebook = preset.notebook ?? this.host.currentNotebook?.() ?? null;
    const saved = await askForSchedule(this.book, this.host.words, { ...preset, ...(notebook === null ? {} : { notebook }) });
    if (saved) this.say(this.host.words.__('%1 is scheduled.', saved));
  }

  /** Say what came of something that may be refused; what was done shows in the rows. */
  attempt(done: Promise<unknown>): void {
    done.catch((error: unknown) => {
      const offline = error instanceof TypeError || (error as { name?: unknown } | null)?.name === 'NetworkError';
      this.say(offline ? this.host.words.__('The server does not answer: nothing was changed.') : error instanceof Error ? error.message : String(error));
    });
  }

  say(message: string, undo?: () => void): void {
    this.toast.show(message, undo && { label: this.host.words.__('Undo'), run: undo });
  }

  private update(): void {
    const { book, list } = this;
    const { words } = this.host;
    const all = sorted(book.schedules);
    const now = book.project.now;
    const keys = new Set(all.map(keyOf));
    for (const [key, row] of this.rows) {
      if (keys.has(key)) continue;
      row.node.remove();
      this.rows.delete(key);
    }
    for (const schedule of all) {
      const key = keyOf(schedule);
      let row = this.rows.get(key);
      if (!row) {
        row = this.makeRow();
        this.rows.set(key, row);
      }
      row.update(schedule, now, book.canChange);
    }
    const order = all.map(keyOf).join('\t');
    if (order !== this.order) {
      this.order = order;
      const focused = document.activeElement;
      list.append(...all.flatMap((one) => this.rows.get(keyOf(one))?.node ?? []));
      if (focused instanceof HTMLElement && list.contains(focused)) focused.focus({ preventScroll: true });
      this.setActive(keys.has(this.active) ? this.active : (all[0] ? keyOf(all[0]) : ''));
    }
    const paused = all.filter(({ enabled }) => !enabled).length;
    setText(this.sum, paused ? words.__('%1 paused', paused) : '');
    this.head.hidden = !all.length;
    this.add.hidden = !book.canChange;
    this.node.classList.toggle('mlw-read-only', !book.canChange);
    this.node.dataset.status = book.status;
    this.showEmpty(all.length);
    this.showNote(all);
  }

  private showEmpty(count: number): void {
    const { book } = this;
    const { words } = this.host;
    const kind = count ? '' : book.status;
    this.empty.hidden = !kind;
    this.list.hidden = !count;
    const key = `${kind}\n${book.message}\n${book.canChange}`;
    if (this.empty.dataset.shown === key) return;
    this.empty.dataset.shown = key;
    const text = (title: string, rest: string): HTMLElement[] => [element('p', 'mlw-empty-title', {}, title), element('p', 'mlw-hint', {}, rest)];
    const again = button(words.__('Try again'), 'mlw-button', () => {
      book.now(true);
    });
    const first = button(words.__('New schedule…'), 'mlw-button mlw-primary', () => {
      void this.ask();
    });
    const parts: Record<string, () => Node[]> = {
      loading: () => [element('p', 'mlw-hint mlw-loading', { role: 'status' }, words.__('Loading schedules…'))],
      there: () => [
        ...text(words.__('No schedules yet'), words.__('A schedule publishes a report, or starts a run or a sweep again, by itself: at the times that you choose, each time once.')),
        ...(book.canChange ? [first] : []),
      ],
      offline: () => [...text(words.__('The server does not answer'), words.__('It is tried again by itself.')), again],
      error: () => [...text(words.__('Schedules cannot be listed'), book.message), again],
    };
    this.empty.replaceChildren(...(parts[kind]?.() ?? []));
  }

  /** What is not as one expects it, in one line. */
  private showNote(all: readonly Kept[]): void {
    const { book } = this;
    const { words } = this.host;
    let text = '';
    if (all.length && book.status === 'offline') text = words.__('The server does not answer; what was last seen stays here.');
    else if (all.length && book.status === 'error') text = book.message;
    else if (all.some(({ enabled, store }) => enabled && book.of(store)?.ticking === false)) {
      text = words.__('This server starts none of them: another one does, or `mlwidgets schedule serve`.');
    }
    setText(this.note, text);
    this.note.hidden = !text;
  }

  private makeRow(): ScheduleRow {
    const { book, host } = this;
    return new ScheduleRow(host.words, {
      run: (schedule) => {
        this.runNow(schedule);
      },
      pause: (schedule) => {
        this.attempt(book.act(schedule, schedule.enabled ? 'pause' : 'resume'));
      },
      menu: (schedule, at, back) => {
        openMenu(schedule.name, this.menu(schedule), at, back);
      },
      openPage: (address) => {
        host.openPage(address);
      },
      openRun: (store, run) => {
        host.openRun(store, run);
      },
      opened: (row) => {
        const { schedule } = row;
        if (!schedule) return;
        // What is not told now is told when the row changes next.
        book.api.firings(schedule.store, schedule.id, MOST_FIRINGS).then((firings) => { row.show(firings); }, () => undefined);
      },
    });
  }

  private menu(schedule: Kept): MenuItem[] {
    const { book, host } = this;
    const { words } = host;
    const items: MenuItem[] = [];
    const published = schedule.reports.filter((report) => report.published);
    for (const report of published.slice(0, 5)) {
      items.push({ label: schedule.reports.length > 1 ? words.__('Open %1', report.name) : words.__('Open report'), choose: () => { host.openPage(report.address); } });
    }
    const [only] = published;
    if (only && schedule.reports.length === 1) items.push({ label: words.__('All editions'), choose: () => { host.openPage(only.editions); } });
    const run = schedule.running.find((one) => one.run !== null)?.run ?? schedule.last?.run;
    if (run && schedule.last?.state !== 'skipped') items.push({ label: words.__('Open the last run'), choose: () => { host.openRun(schedule.store, run); } });
    if (!book.canChange) return items.length ? items : [{ label: words.__('Nothing to open yet'), disabled: true, choose: () => undefined }];
    return [
      { label: words.__('Run now'), choose: () => { this.runNow(schedule); } },
      { label: schedule.enabled ? words.__('Pause') : words.__('Resume'), choose: () => { this.attempt(book.act(schedule, schedule.enabled ? 'pause' : 'resume')); } },
      ...items.map((item, i) => (i ? item : { ...item, group: true })),
      { label: words.__('Edit…'), group: true, choose: () => { void this.edit(schedule); } },
      { label: words.__('Duplicate'), choose: () => { this.attempt(book.act(schedule, 'duplicate')); } },
      { label: words.__('Remove'), choose: () => { this.remove(schedule); } },
    ];
  }

  private runNow(schedule: Kept): void {
    this.attempt(this.book.act(schedule, 'run'));
  }

  private async edit(schedule: Kept): Promise<void> {
    await askForSchedule(this.book, this.host.words, { schedule });
    this.rows.get(keyOf(schedule))?.head.focus({ preventScroll: true });
  }

  private remove(schedule: Kept): void {
    const { words } = this.host;
    const keys = [...this.rows.keys()];
    const at = keys.indexOf(keyOf(schedule));
    this.attempt(
      this.book.remove(schedule).then(() => {
        this.setActive(keys[at + 1] ?? keys[at - 1] ?? '');
        this.focus();
        this.say(words.__('%1 was removed; its runs and editions stay.', schedule.name), () => {
          this.attempt(this.book.act(schedule, 'restore'));
        });
      }),
    );
  }

  private rowAt(target: EventTarget | null): ScheduleRow | null {
    for (const row of this.rows.values()) if (target instanceof Node && row.node.contains(target)) return row;
    return null;
  }

  /** One row alone is reached with Tab; arrows go from row to row. */
  private setActive(key: string): void {
    this.active = key;
    for (const [one, row] of this.rows) row.head.tabIndex = row.more.tabIndex = one === key ? 0 : -1;
  }

  private onKey(event: KeyboardEvent): void {
    const row = this.rowAt(event.target);
    const schedule = row?.schedule;
    if (!row || !schedule || event.target !== row.head) return;
    const rows = [...this.list.children].flatMap((node) => this.rowAt(node) ?? []);
    const at = rows.indexOf(row);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to !== undefined) rows[to]?.head.focus();
    else if (event.key === 'ArrowRight') row.expand(true);
    else if (event.key === 'ArrowLeft') row.expand(false);
    else if (event.key === 'Delete' && this.book.canChange) this.remove(schedule);
    else if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) {
      const { left, bottom } = row.head.getBoundingClientRect();
      openMenu(schedule.name, this.menu(schedule), { x: left, y: bottom }, row.head);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

function keyOf({ store, id }: Kept): string {
  return `${store}\n${id}`;
}

/** What is due first comes first, what only an event starts after that, what is paused last. */
function sorted(schedules: readonly Kept[]): Kept[] {
  const rank = ({ enabled, next }: Kept): number => (enabled ? (next ?? Number.MAX_VALUE / 2) : Number.MAX_VALUE);
  return [...schedules].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}
