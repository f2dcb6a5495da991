import '../views/run.css';
import './panel.css';

import { isClock } from '../views/axis.ts';
import { button, element, icon, setText } from '../views/dom.ts';
import { hasEnded } from '../views/model.ts';
import type { RerunWish } from '../views/rerundialog.ts';
import { askForAnnotations } from './annotate.ts';
import { Filters } from './filters.ts';
import { RunGrid } from './grid.ts';
import { CLOSE } from './icons.ts';
import { EVERYTHING, isFiltered, type Query } from './list.ts';
import { MachineSection } from './machine.ts';
import { openMenu, type MenuItem } from './menu.ts';
import { keyOf, type Summary } from './model.ts';
import type { Project } from './project.ts';
import { rerun } from './rerun.ts';
import { Sparklines } from './sparklines.ts';
import { metricValue, objectiveOf, withoutTrialsOfChosen } from './sweeps.ts';
import { Toast } from './toast.ts';
import type { Words } from './words.ts';

/** What surrounds the panel: JupyterLab, or a page of its own. */
export interface PanelHost {
  readonly words: Words;
  /** Show runs of one store: one, or several beside each other. */
  open(runs: readonly Summary[]): void;
  /** Show the cell that started a run. */
  goToCell?(run: Summary): void;
  /** Show a page of the server, by its address from the base. */
  openPage(address: string): void;
  /** Make a run of the cell that the user is in. */
  trainCell?(): void;
  /** Keep what the user chose, for the next time. */
  remember?(query: Query, metric: string): void;
}

/** Milliseconds between two looks at what changes by time alone. */
const TICK = 1000;
/** Runs that a server shows in one view. */
const MOST_COMPARED = 50;

/** All runs of the project. Draws nothing while nobody sees it. */
export class RunPanel {
  readonly node = element('div', 'mlw-panel mlw-panel-colours');
  private readonly filters: Filters;
  private readonly grid: RunGrid;
  private readonly machine: MachineSection;
  private readonly toast = new Toast();
  private readonly sparklines: Sparklines;
  private readonly banner = element('div', 'mlw-banner', { role: 'status', hidden: '' });
  private readonly bannerText = element('span', 'mlw-banner-text');
  private readonly empty = element('div', 'mlw-empty-state', { hidden: '' });
  private readonly bar = element('div', 'mlw-ticked-bar', { role: 'toolbar', hidden: '' });
  private readonly barCount = element('span', 'mlw-ticked-count', { role: 'status' });
  private readonly compare: HTMLButtonElement;
  private readonly compareLabel: HTMLElement;
  private readonly cleanups: (() => void)[] = [];
  private frame = 0;
  private seen = false;
  private emptyShown = '';

  constructor(
    private readonly project: Project,
    private readonly host: PanelHost,
  ) {
    const { words } = host;
    const { list } = project;
    this.filters = new Filters(words, () => {
      project.list.search(this.filters.query);
      host.remember?.(this.filters.query, this.filters.metric);
      this.update();
    });
    this.sparklines = new Sparklines(project.api, () => {
      this.later();
    });
    this.grid = new RunGrid(words, {
      open: (run) => {
        host.open([run]);
      },
      stop: (run) => {
        this.stop([run]);
      },
      delete: (runs) => {
        this.delete(runs);
      },
      rerun: (run) => {
        void this.rerun(run, 'rerun');
      },
      pin: (run) => {
        this.attempt(project.annotate(run, { pinned: !run.pinned }));
      },
      annotate: (run) => {
        if (!project.readOnly) void this.annotate(run);
      },
      menu: (run, at, back) => {
        openMenu(run.name, this.menu(run), at, back);
      },
      ticked: () => {
        this.showTicked();
      },
      expand: (sweep, open) => {
        list.open(sweep, open);
        this.update();
      },
      drawing: () => {
        this.sparklines.begin();
      },
      context: (run) => {
        const metric = this.metricOf(run);
        const line = metric === null || metricValue(run, metric) === undefined ? null : this.sparklines.get(run, metric);
        const { sort } = this.query;
        const lead = sort.startsWith('param:') ? sort.slice(6) : null;
        const open = run.sweep && !list.sweepOf(run) ? list.isOpen(run) : null;
        return { metric, line, lead, open, sweep: list.sweepOf(run), now: project.now, readOnly: project.readOnly };
      },
    });
    this.machine = new MachineSection(words, (store, id) => {
      const run = project.list.get(keyOf({ store, id }));
      if (run) host.open([run]);
    });
    const retry = button(words.__('Try now'), 'mlw-button', () => {
      project.retry();
    });
    this.banner.append(this.bannerText, retry);
    this.compare = button(words.__('Compare'), 'mlw-button mlw-primary', () => {
      host.open(this.grid.tickedRuns());
    });
    this.compareLabel = this.compare.querySelector('span') ?? this.compare;
    const untick = element('button', 'mlw-tool', { type: 'button', title: words.__('Untick all'), 'aria-label': words.__('Untick all') }, icon(CLOSE));
    untick.addEventListener('click', () => {
      this.grid.untick();
    });
    this.bar.setAttribute('aria-label', words.__('Ticked runs'));
    this.bar.append(
      this.barCount,
      this.compare,
      button(words.__('Stop'), 'mlw-button mlw-changes', () => {
        this.stop(this.grid.tickedRuns().filter(({ state }) => !hasEnded(state)));
      }),
      button(words.__('Delete'), 'mlw-button mlw-changes', () => {
        this.delete(this.grid.tickedRuns());
      }),
      untick,
    );
    const rows = element('div', 'mlw-list', {}, this.grid.node, this.empty);
    this.node.append(this.filters.node, this.banner, rows, this.toast.node, this.bar, this.machine.node);
    const timer = setInterval(() => {
      this.later();
    }, TICK);
    const observer = new IntersectionObserver(([entry]) => {
      this.seen = entry?.isIntersecting ?? false;
      if (!this.seen) return;
      project.wantAll();
      this.later();
    });
    observer.observe(this.node);
    this.cleanups.push(
      project.subscribe(() => {
        this.later();
      }),
      () => {
        clearInterval(timer);
        observer.disconnect();
        cancelAnimationFrame(this.frame);
      },
    );
    this.update();
  }

  destroy(): void {
    for (const cleanup of this.cleanups.splice(0)) cleanup();
    this.sparklines.dispose();
    this.grid.destroy();
    this.toast.hide();
    this.node.remove();
  }

  focus(): void {
    this.grid.node.focus();
  }

  /** Show what was chosen before. */
  restore(query: Partial<Query>, metric: string): void {
    this.filters.restore({ ...EVERYTHING, ...query }, metric);
    this.project.list.search(this.filters.query);
    this.update();
  }

  /** The run in whose row the user is. */
  active(): Summary | null {
    return this.grid.active();
  }

  ticked(): readonly Summary[] {
    return this.grid.tickedRuns();
  }

  compareTicked(): void {
    if (!this.compare.disabled) this.compare.click();
  }

  get query(): Query {
    return this.filters.query;
  }

  /** Say something at the foot. */
  tell(message: string): void {
    this.toast.show(message);
  }

  private later(): void {
    if (!this.seen) return;
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.update();
    });
  }

  private update(): void {
    const { project, grid } = this;
    const runs = project.list.visible();
    grid.update(runs);
    const loading = project.status === 'loading' || project.list.size < project.count;
    this.filters.update(project.list.choices(), project.stores, project.list.matched, project.count, loading, project.list.trials);
    this.machine.update(project.slots, project.now);
    this.node.classList.toggle('mlw-read-only', project.readOnly);
    this.node.dataset.status = project.status;
    this.showBanner();
    this.showEmpty(runs.length);
    this.showTicked();
  }

  /** The metric that a row shows: the one that was chosen or sorted by, otherwise the sweep's, the run's loss, or its first. */
  private metricOf(run: Summary): string | null {
    const { sort } = this.query;
    if (this.filters.metric) return this.filters.metric;
    if (sort.startsWith('metric:')) return sort.slice(7);
    const objective = objectiveOf(run.sweep ?? this.project.list.sweepOf(run)?.sweep);
    if (objective !== null) return objective;
    const names = Object.keys(run.metrics).filter((name) => !isClock({ name }));
    return names.find((name) => name === 'loss') ?? names.find((name) => /loss/i.test(name)) ?? names[0] ?? null;
  }

  private showBanner(): void {
    const { project, host } = this;
    const { words } = host;
    const { next } = project.stream;
    const seconds = next === null ? 0 : Math.max(1, Math.ceil((next - Date.now()) / 1000));
    const again = seconds ? words.__('Next attempt in %1 s.', seconds) : words.__('Trying again…');
    let text = '';
    if (project.status === 'offline' && project.list.size) text = `${words.__('The server does not answer. Runs go on; what was last seen stays here.')} ${again}`;
    else if (project.status === 'error' && project.list.size) text = project.message;
    else if (project.status === 'live' && !project.stream.connected && next !== null) {
      text = `${words.__('No live updates: the connection to the server is interrupted.')} ${again}`;
    }
    setText(this.bannerText, text);
    this.banner.hidden = !text;
  }

  private showEmpty(shown: number): void {
    const { project, host } = this;
    const { words } = host;
    const kind =
      shown > 0 ? '' : project.status !== 'live' ? project.status : project.list.size ? 'filtered' : project.count ? 'loading' : 'empty';
    const key = `${kind}\n${project.message}`;
    this.empty.hidden = !kind;
    this.grid.node.hidden = Boolean(kind);
    if (key === this.emptyShown) return;
    this.emptyShown = key;
    const text = (title: string, ...rest: (Node | string)[]): (Node | string)[] => [
      element('p', 'mlw-empty-title', {}, title),
      element('p', 'mlw-hint', {}, ...rest),
    ];
    const again = button(words.__('Try again'), 'mlw-button', () => {
      project.retry();
    });
    const parts: Record<string, () => (Node | string)[]> = {
      loading: () => [element('p', 'mlw-hint mlw-loading', { role: 'status' }, words.__('Loading runs…'))],
      empty: () => [
        ...text(words.__('No runs yet'), words.__('Put %1 on top of the cell that trains your model and run it: it appears here at once.', '%%train')),
        ...(host.trainCell && !project.readOnly
          ? [button(words.__('Train this cell…'), 'mlw-button', () => {
              host.trainCell?.();
            })]
          : []),
      ],
      filtered: () => {
        const clear = button(words.__('Clear filters'), 'mlw-button', () => {
          this.filters.clear();
        });
        return isFiltered(this.query) ? [...text(words.__('No run matches')), clear] : [];
      },
      offline: () => [...text(words.__('The server does not answer'), words.__('It is tried again by itself. Runs go on without it.')), again],
      missing: () => [
        ...text(
          words.__('This server knows no runs'),
          words.__('Its Python has no mlwidgets, or the extension is switched off. In a terminal: %1', 'mlwidgets doctor'),
        ),
        again,
      ],
      error: () => [...text(words.__('Runs cannot be listed'), project.message), again],
    };
    this.empty.replaceChildren(...(parts[kind]?.() ?? []));
  }

  private showTicked(): void {
    const { words } = this.host;
    const runs = this.grid.tickedRuns();
    this.bar.hidden = !runs.length;
    setText(this.barCount, words._n('%1 ticked', '%1 ticked', runs.length));
    setText(this.compareLabel, runs.length > 1 ? words.__('Compare %1', runs.length) : words.__('Compare'));
    const stores = new Set(runs.map(({ store }) => store));
    const why =
      stores.size > 1
        ? words.__('Runs of one project can be compared')
        : runs.length < 2
          ? words.__('Tick another run to compare with')
          : runs.length > MOST_COMPARED
            ? words.__('At most %1 runs can be compared', MOST_COMPARED)
            : '';
    this.compare.disabled = why !== '';
    this.compare.title = why;
  }

  private menu(run: Summary): MenuItem[] {
    const { host } = this;
    const { words } = host;
    const { project } = this;
    const ended = hasEnded(run.state);
    const items: MenuItem[] = [
      { label: words.__('Open'), choose: () => { host.open([run]); } },
    ];
    const { report } = run;
    if (report) items.push({ label: words.__('Open report'), choose: () => { host.openPage(report); } });
    if (host.goToCell && run.notebook && run.cell) {
      items.push({ label: words.__('Go to its cell'), choose: () => { host.goToCell?.(run); } });
    }
    items.push({ label: words.__('Copy id'), choose: () => { void navigator.clipboard.writeText(run.id); } });
    if (project.readOnly) return items;
    return [
      ...items,
      { label: run.pinned ? words.__('Unpin') : words.__('Pin'), group: true, choose: () => { this.attempt(project.annotate(run, { pinned: !run.pinned })); } },
      { label: words.__('Name, tags and note…'), choose: () => { void this.annotate(run); } },
      ...(run.resumes ? [{ label: words.__('Resume…'), group: true, choose: () => { void this.rerun(run, 'resume'); } }] : []),
      { label: words.__('Rerun…'), group: !run.resumes, disabled: !ended, choose: () => { void this.rerun(run, 'rerun'); } },
      { label: words.__('Stop'), disabled: ended || run.stopping, choose: () => { this.stop([run]); } },
      { label: words.__('Delete'), disabled: !ended, choose: () => { this.delete([run]); } },
    ];
  }

  private async annotate(run: Summary): Promise<void> {
    const given = await askForAnnotations(run, this.host.words);
    this.grid.node.focus({ preventScroll: true });
    if (given) this.attempt(this.project.annotate(run, given));
  }

  private async rerun(run: Summary, wish: RerunWish): Promise<void> {
    const { project, host, grid } = this;
    if (project.readOnly || !hasEnded(run.state)) return;
    const started = await rerun(project, run, wish, host.words);
    grid.node.focus({ preventScroll: true });
    if (!started) return;
    this.update();
    grid.show(keyOf(started));
    this.toast.show(started.resumes ? host.words.__('%1 goes on.', run.name) : host.words.__('%1 runs again.', run.name), {
      label: host.words.__('Open'),
      run: () => {
        const made = project.list.get(keyOf(started));
        if (made) host.open([made]);
      },
    });
  }

  private stop(runs: readonly Summary[]): void {
    for (const run of withoutTrialsOfChosen(runs)) this.attempt(this.project.stop(run));
  }

  private delete(chosen: readonly Summary[]): void {
    const { words } = this.host;
    const runs = withoutTrialsOfChosen(chosen);
    const { project } = this;
    if (project.readOnly || !runs.length) return;
    const ended = runs.filter(({ state }) => hasEnded(state));
    if (!ended.length) {
      this.toast.show(words._n('%2 still goes on: stop it first.', '%1 runs still go on: stop them first.', runs.length, runs[0]?.name ?? ''));
      return;
    }
    void (async () => {
      const settled = await Promise.allSettled(ended.map((run) => project.delete(run)));
      const removed = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      for (const { run } of removed) this.grid.ticked.delete(keyOf(run));
      this.update();
      const failed = settled.find((one) => one.status === 'rejected');
      if (failed && !removed.length) {
        this.say(failed.reason);
        return;
      }
      const names = removed.length === 1 ? (removed[0]?.run.name ?? '') : words._n('%1 run', '%1 runs', removed.length);
      const others = runs.length - ended.length;
      const kept = [
        others ? words._n('%1 still goes on', '%1 still go on', others) : '',
        failed ? words._n('%1 could not be deleted', '%1 could not be deleted', ended.length - removed.length) : '',
      ];
      this.toast.show(`${[words.__('%1 deleted', names), ...kept].filter(Boolean).join(', ')}.`, {
        label: words.__('Undo'),
        run: () => {
          for (const one of removed) this.attempt(project.restore(one));
        },
      });
    })();
  }

  /** Say what came of something that may be refused; what was done shows in the rows. */
  private attempt(done: Promise<unknown>): void {
    done.then(
      () => {
        this.later();
      },
      (error: unknown) => {
        this.say(error);
      },
    );
  }

  private say(error: unknown): void {
    const offline = error instanceof TypeError || (error as { name?: unknown } | null)?.name === 'NetworkError';
    this.toast.show(offline ? this.host.words.__('The server does not answer: nothing was changed.') : error instanceof Error ? error.message : String(error));
  }
}
