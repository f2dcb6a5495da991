import { MetricChart } from './chart.ts';
import { DisplayList } from './displays.ts';
import { element } from './dom.ts';
import { HeaderBar } from './header.ts';
import { hasEnded, type Header, type RunData, type Series } from './model.ts';
import { OutputPane, terminalText } from './output.ts';
import { lineColour } from './palette.ts';
import { onThemeChange } from './theme.ts';

const SHOWN_CHARTS = 24;

export interface RunViewOptions {
  /** The reader pressed Stop. */
  readonly onStop: () => void;
}

/** The view of one run. It knows nothing of kernels and widgets: feed it by `update`, end it by `destroy`. */
export class RunView {
  readonly node = element('article', 'mlw-run', { 'data-lm-suppress-shortcuts': 'true' });
  private readonly header: HeaderBar;
  private readonly charts = element('div', 'mlw-charts');
  private readonly noMetrics = element('div', 'mlw-empty');
  private readonly moreCharts = element('button', 'mlw-more', { type: 'button', hidden: '' });
  private readonly error = element('section', 'mlw-section mlw-error', { 'aria-label': 'Error', hidden: '' });
  private readonly displays = new DisplayList();
  private readonly output = new OutputPane();
  private readonly byName = new Map<string, MetricChart>();
  private readonly cleanups: (() => void)[] = [];
  private data: Partial<RunData> = {};
  private allCharts = false;

  constructor({ onStop }: RunViewOptions) {
    this.header = new HeaderBar(onStop);
    this.moreCharts.addEventListener('click', () => {
      this.allCharts = true;
      this.showSeries(this.data.series ?? []);
    });
    this.node.append(this.header.node, this.charts, this.noMetrics, this.moreCharts);
    this.node.append(this.error, this.displays.node, this.output.node);
    const timer = window.setInterval(() => {
      this.header.tick();
    }, 500);
    this.cleanups.push(() => {
      window.clearInterval(timer);
    });
    this.cleanups.push(
      onThemeChange(() => {
        for (const chart of this.byName.values()) chart.recolour();
      }),
    );
  }

  update(change: Partial<RunData>): void {
    this.data = { ...this.data, ...change };
    const { header, series = [], output, displays = [] } = this.data;
    if (!header) return;
    if (change.header) {
      this.header.update(header);
      this.node.setAttribute('aria-label', `Run ${header.name}`);
      this.node.dataset.state = header.state;
      this.showError(header);
    }
    if (change.series ?? change.header) this.showSeries(series);
    if (change.displays) this.displays.update(displays);
    if (output && (change.output ?? change.header)) this.output.update(output, hasEnded(header.state));
  }

  /** The source of the data was alive at its time `clock` (Unix seconds). */
  heard(clock: number): void {
    this.header.heard(clock);
  }

  destroy(): void {
    for (const cleanup of this.cleanups.splice(0)) cleanup();
    for (const chart of this.byName.values()) chart.destroy();
    this.byName.clear();
    this.displays.destroy();
    this.output.destroy();
    this.node.remove();
  }

  private showSeries(all: readonly Series[]): void {
    const shown = this.allCharts || all.length <= SHOWN_CHARTS ? all : all.slice(0, SHOWN_CHARTS);
    shown.forEach((series, index) => {
      let chart = this.byName.get(series.name);
      if (!chart) {
        chart = new MetricChart(series.name, lineColour(index), this.data.header?.id ?? '');
        this.byName.set(series.name, chart);
        this.charts.append(chart.node);
      }
      chart.update(series);
    });
    this.charts.hidden = !all.length;
    this.charts.dataset.count = String(shown.length);
    this.moreCharts.hidden = shown.length === all.length;
    this.moreCharts.textContent = `Show all ${all.length} metrics`;
    const ended = hasEnded(this.data.header?.state ?? 'running');
    this.noMetrics.hidden = all.length > 0;
    this.noMetrics.replaceChildren(
      ended ? 'This run logged no metrics.' : 'No metrics yet. Charts appear here as the cell calls ',
      ...(ended ? [] : [element('code', '', {}, 'mlwidgets.log(loss=…)'), '.']),
    );
  }

  private showError(header: Header): void {
    this.error.hidden = !header.error;
    this.error.replaceChildren(...(header.error ? [terminalText(header.error, 'mlw-text mlw-traceback')] : []));
  }
}
