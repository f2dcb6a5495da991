import { element } from '../dom.ts';
import { hasEnded, type RunData, type RunSource } from '../model.ts';
import { readColours, type Colours } from './colour.ts';
import { SweepControls } from './controls.ts';
import { CurvesPlot } from './curves.ts';
import { SweepFacts } from './facts.ts';
import { HistoryPlot } from './history.ts';
import { ImportanceBars } from './importance.ts';
import { Leaderboard } from './leaderboard.ts';
import type { SweepData, Trial } from './model.ts';
import { ParallelPlot } from './parallel.ts';
import type { Point } from './paint.ts';
import type { Links, Plot } from './plot.ts';
import { ScatterPlot } from './scatter.ts';
import { GROUPS, groupOf, makeScene, PLAIN, type Scene, type Settings } from './scene.ts';
import { Tip } from './tip.ts';
import { SweepToolbar } from './toolbar.ts';
import { TrialPane, type Mount } from './trialpane.ts';

/** A search: its trials' curves, what they were given and what came of it, all of them linked. */
export class SweepView implements Links {
  readonly node = element('div', 'mlw-sweep');
  readonly controls: SweepControls;
  hovered: number | null = null;
  private readonly facts: SweepFacts;
  private readonly toolbar: SweepToolbar;
  private readonly plots: readonly Plot[];
  private readonly scatter: ScatterPlot;
  private readonly importance: ImportanceBars;
  private readonly board: Leaderboard;
  private readonly tip = new Tip();
  private readonly probe = element('span', 'mlw-sweep-colours', { 'aria-hidden': 'true' });
  private readonly pane: TrialPane;
  private readonly sight = new ResizeObserver(() => {
    if (!this.node.isConnected) return;
    this.sight.disconnect();
    this.draw();
  });
  private readonly all: HTMLElement;
  private settings: Settings = PLAIN;
  private scene: Scene | null = null;
  private colours: Colours | null = null;
  private run: RunData | null = null;
  private now = 0;
  private opened: number | null = null;
  private frame = 0;
  private pointed: Point | undefined;
  private filtering = 0;

  constructor(
    private readonly source: RunSource,
    mount: Mount,
    /** A trial is shown in place of its sweep, or no longer. */
    private readonly showing: (trial: boolean) => void,
  ) {
    this.controls = new SweepControls(source, () => {
      if (this.run?.sweep) this.controls.update(this.run.header, this.run.sweep);
    });
    this.facts = new SweepFacts(this.controls.resume, this.controls.refused, (number) => {
      this.open(number, false);
    });
    this.toolbar = new SweepToolbar((change) => {
      this.set(change);
    });
    const parallel = new ParallelPlot(this, {
      brush: (key, brush) => {
        const brushes = new Map(this.settings.brushes);
        if (brush) brushes.set(key, brush);
        else brushes.delete(key);
        this.set({ brushes });
      },
    });
    this.scatter = new ScatterPlot(this);
    const [history, curves] = [new HistoryPlot(this), new CurvesPlot(this)];
    this.plots = [history, curves, parallel, this.scatter];
    this.importance = new ImportanceBars((name) => {
      this.scatter.along(name);
    });
    this.board = new Leaderboard(this);
    this.pane = new TrialPane(source, mount, {
      back: () => {
        this.close();
      },
      step: (by) => {
        this.step(by);
      },
    });
    const row = (...children: Node[]): HTMLElement => element('div', 'mlw-sweep-row-of-plots', {}, ...children);
    this.all = element(
      'section',
      'mlw-sweep-all',
      { 'aria-label': 'Search' },
      this.facts.node,
      this.toolbar.node,
      row(history.node, curves.node),
      row(parallel.node),
      row(this.scatter.node, this.importance.node),
      this.board.node,
    );
    this.node.append(this.probe, this.all, this.pane.node, this.tip.node);
  }

  update(run: RunData, now: number): void {
    this.now = now;
    const same = run.sweep === this.run?.sweep && hasEnded(run.header.state) === this.ended;
    this.run = run;
    if (!run.sweep) return;
    this.controls.update(run.header, run.sweep);
    this.facts.update(run.sweep, hasEnded(run.header.state));
    if (!same || !this.scene) this.draw();
  }

  tick(now: number): void {
    this.now = now;
    if (this.scene && this.opened === null) this.board.tick({ ...this.scene, now });
  }

  recolour(): void {
    this.colours = null;
    this.draw();
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
    cancelAnimationFrame(this.filtering);
    this.sight.disconnect();
    for (const plot of this.plots) plot.destroy();
    this.pane.destroy();
    this.controls.destroy();
  }

  hover(number: number | null, at?: Point): void {
    if (number === this.hovered && !at) return;
    this.hovered = number;
    this.pointed = at;
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.highlight();
    });
  }

  open(number: number, elsewhere: boolean): void {
    const trial = this.trial(number);
    const { scene, run, source } = this;
    if (!trial || !scene || !run) return;
    if (elsewhere && source.open && trial.run) {
      source.open(trial.run);
      return;
    }
    this.opened = number;
    this.hover(null);
    this.all.hidden = true;
    this.showing(true);
    this.pane.open(scene, trial, run.header.id);
  }

  private get ended(): boolean {
    return this.run !== null && hasEnded(this.run.header.state);
  }

  private close(): void {
    const { opened } = this;
    this.opened = null;
    this.pane.close();
    this.all.hidden = false;
    this.showing(false);
    this.draw();
    if (opened !== null) this.board.focus(opened);
  }

  private step(by: 1 | -1): void {
    const { scene, opened } = this;
    if (!scene || opened === null) return;
    const at = scene.sweep.trials.findIndex(({ number }) => number === opened);
    const next = scene.sweep.trials[at + by];
    if (next) this.open(next.number, false);
  }

  private set(change: Partial<Settings>): void {
    this.settings = { ...this.settings, ...change };
    // A drag tells of every pixel.
    this.filtering ||= requestAnimationFrame(() => {
      this.filtering = 0;
      this.draw();
    });
  }

  private draw(): void {
    const sweep = this.run?.sweep;
    if (!sweep) return;
    this.colours ??= this.node.isConnected ? readColours(this.probe) : null;
    if (!this.colours) {
      // They are known once this is on the page, and has a size.
      this.sight.observe(this.node);
      return;
    }
    const scene = (this.scene = makeScene(sweep, this.settings, this.colours, this.now, this.ended));
    const trial = this.opened === null ? undefined : this.trial(this.opened);
    if (trial) {
      this.pane.update(scene, trial);
      return;
    }
    this.toolbar.update(scene, countsOf(sweep));
    for (const plot of this.plots) plot.update(scene);
    this.importance.update(sweep.importance, this.ended, scene.axes.filter((axis) => axis.objective === null).map(({ name }) => name));
    this.importance.node.hidden = scene.objectives.length > 1 && !sweep.importance;
    this.board.update(scene);
    if (this.hovered !== null && !scene.shown.has(this.hovered)) this.hover(null);
    else this.showTip();
  }

  private highlight(): void {
    for (const plot of this.plots) plot.highlight();
    this.board.highlight();
    this.showTip();
  }

  private showTip(): void {
    const trial = this.hovered === null ? undefined : this.trial(this.hovered);
    if (trial && this.scene && this.pointed) this.tip.show(trial, this.scene, this.pointed, this.node);
    else this.tip.hide();
  }

  private trial(number: number): Trial | undefined {
    return this.run?.sweep?.trials.find((trial) => trial.number === number);
  }
}

/** How many trials there are of each group of states. */
function countsOf({ trials }: SweepData): ReadonlyMap<string, number> {
  const counts = new Map(GROUPS.map(({ key }) => [key, 0]));
  for (const { state } of trials) counts.set(groupOf(state), (counts.get(groupOf(state)) ?? 0) + 1);
  return counts;
}
