import { axesOf, xOf, type Axis } from './axis.ts';
import { Chart, type Look } from './chart.ts';
import { button, element } from './dom.ts';
import { groupSeries, type Group, type Member } from './groups.ts';
import { bestPoint, overfittingFrom, smooth } from './insight.ts';
import { hasEnded, type RunData, type RunSource } from './model.ts';
import { Refiner } from './refine.ts';
import { reachOf, type Drawn, type Range } from './scales.ts';
import { toLine, type Line } from './series.ts';
import { Toolbar } from './toolbar.ts';

const SHOWN_CHARTS = 24;
/** Pixels of a chart that has the width to itself. */
const ONLY_HEIGHT = 220;
/** Lines of one chart whose steps end this many times as far count different things: batches and epochs. */
const UNLIKE = 3;

/** All metrics of one run, or of several over each other. */
export class ChartGrid {
  readonly node = element('section', 'mlw-metrics', { 'aria-label': 'Metrics' });
  private readonly grid = element('div', 'mlw-charts');
  private readonly none = element('div', 'mlw-empty');
  private readonly more = button('', 'mlw-more', () => {
    this.all = true;
    this.update();
  });
  private readonly toolbar: Toolbar;
  private readonly refiner: Refiner;
  private readonly charts = new Map<string, Chart>();
  /** Lines by what they were drawn from: only what changed is computed again. */
  private readonly lines = new WeakMap<object, { key: string; line: Line; smoothed: Line | null }>();
  private zoom: Range | null = null;
  private all = false;

  constructor(
    private readonly source: RunSource,
    private readonly sync: string,
  ) {
    this.toolbar = new Toolbar(
      () => {
        this.update();
      },
      () => {
        this.setZoom(null);
      },
    );
    this.refiner = new Refiner(source, () => {
      this.update();
    });
    this.node.append(this.toolbar.node, this.grid, this.none, this.more);
  }

  update(): void {
    const { runs } = this.source;
    const { settings } = this.toolbar;
    const groups = groupSeries(runs, (run) => run.series);
    const before = settings.axis;
    const axes = axesOf(runs);
    this.toolbar.offer(axes, groups.length, this.zoom !== null);
    if (!this.toolbar.chosen) this.toolbar.propose(bestAxis(axes, groups));
    if (settings.axis !== before) this.zoom = null;
    this.refiner.look(settings.axis, this.zoom);
    const wanted = groups.filter(({ title, members }) =>
      [title, ...members.map(({ series }) => series.name)].some((name) => name.toLowerCase().includes(settings.filter)),
    );
    const shown = this.all || wanted.length <= SHOWN_CHARTS + 2 ? wanted : wanted.slice(0, SHOWN_CHARTS);
    this.place(shown);
    const drawn = shown.map((group) => this.draw(group, runs));
    // Steps may count something else in each chart; epochs and time are the same in all.
    const reach = settings.axis === 'step' ? null : reachOf(drawn.flat());
    const height = shown.length === 1 ? { height: ONLY_HEIGHT } : {};
    const look: Look = { axis: settings.axis, log: settings.log, zoom: this.zoom, reach, ...height };
    shown.forEach(({ key, title }, index) => this.charts.get(key)?.update(title, drawn[index] ?? [], look));
    this.toolbar.node.hidden = this.grid.hidden = !groups.length;
    this.grid.dataset.count = String(shown.length);
    this.more.hidden = shown.length === wanted.length;
    if (!this.more.hidden) this.more.textContent = `Show all ${wanted.length} charts`;
    this.explain(runs, groups.length > 0);
  }

  recolour(): void {
    for (const chart of this.charts.values()) chart.recolour();
  }

  destroy(): void {
    for (const chart of this.charts.values()) chart.destroy();
    this.charts.clear();
  }

  private setZoom(zoom: Range | null): void {
    this.zoom = zoom;
    this.update();
  }

  /** Keep one chart for each group, in order. */
  private place(groups: readonly Group[]): void {
    const wanted = new Set(groups.map(({ key }) => key));
    for (const [key, chart] of this.charts) {
      if (wanted.has(key)) continue;
      chart.destroy();
      this.charts.delete(key);
    }
    groups.forEach(({ key }, index) => {
      let chart = this.charts.get(key);
      if (!chart) {
        chart = new Chart(this.sync, {
          zoom: (range) => {
            this.setZoom(range);
          },
        });
        this.charts.set(key, chart);
      }
      if (this.grid.children[index] !== chart.node) this.grid.insertBefore(chart.node, this.grid.children[index] ?? null);
    });
  }

  private draw({ members }: Group, runs: readonly RunData[]): Drawn[] {
    const drawn = members.map((member) => {
      const run = runs[member.run];
      if (!run) throw new Error('a line without its run');
      return { member, ...this.line(member, run) };
    });
    return drawn.map((one) => {
      const { series } = one.member;
      // Several runs are told apart by colour and by eye: marks would be in the way.
      const marked = runs.length === 1 && series.role !== 'train' && members.length <= 3;
      const training = drawn.find(({ member }) => member.run === one.member.run && ['', 'train'].includes(member.series.role));
      const judged = one.smoothed ?? one.line;
      return {
        ...one,
        best: marked && (series.role || members.length === 1) ? bestPoint(one.line, series.better) : null,
        overfitting:
          marked && series.role === 'validation' && training && series.better
            ? overfittingFrom(judged, training.smoothed ?? training.line, series.better)
            : null,
      };
    });
  }

  private line({ series: known }: Member, run: RunData): { line: Line; smoothed: Line | null } {
    const { axis, smoothing } = this.toolbar.settings;
    const series = this.refiner.of(run.header.id, known, this.zoom);
    const epochs = axis === 'epoch' ? run.series.find(({ name }) => name === 'epoch' || name === 'epochs')?.n : 0;
    const key = `${axis} ${smoothing} ${String(run.header.started)} ${String(epochs)}`;
    const cached = this.lines.get(series);
    if (cached?.key === key) return cached;
    const x = xOf(run, series, axis);
    const line = toLine(x, series.values);
    const means = smoothing ? toLine(x, series.means) : null;
    const found = { key, line, smoothed: means && { x: means.x, y: smooth(means.y, smoothing) } };
    this.lines.set(series, found);
    return found;
  }

  private explain(runs: readonly RunData[], some: boolean): void {
    this.none.hidden = some;
    if (some) return;
    const ended = runs.every((run) => hasEnded(run.header.state));
    const hint = ended ? 'No metrics were logged.' : 'No metrics yet. Charts appear here as the cell calls ';
    this.none.replaceChildren(hint, ...(ended ? [] : [element('code', '', {}, 'mlwidgets.log(loss=…)'), '.']));
  }
}

/** Steps, unless one chart would hold lines that count their steps each in its own way. */
function bestAxis(axes: readonly Axis[], groups: readonly Group[]): Axis {
  const unlike = groups.some(({ members }) => {
    const last = members.map(({ series }) => series.lastStep ?? 0);
    const distinct = new Set(members.map(({ series }) => series.role)).size > 1;
    return distinct && Math.max(...last) > UNLIKE * (Math.min(...last) + 1);
  });
  return unlike ? (axes.find((axis) => axis !== 'step') ?? 'step') : 'step';
}
