import uPlot from 'uplot';

import { element, setText } from './dom.ts';
import { formatNumber, formatTicks } from './format.ts';
import type { Series } from './model.ts';
import { isolated, toLine, type Line } from './series.ts';

const PLOT_HEIGHT = 148;
const FONT = '11px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif';
/** Pixels between neighbouring values from which on each is drawn as a point as well. */
const POINT_SPACING = 14;
/** Steps are whole numbers, and so are the marks between them. */
const STEP_INCREMENTS = Array.from({ length: 16 }, (_, exponent) => [1, 2, 5].map((n) => n * 10 ** exponent)).flat();

/** One metric: its name, its last value (the value under the cursor while there is one) and its line. */
export class MetricChart {
  readonly node: HTMLElement;
  private readonly plotNode = element('div', 'mlw-plot');
  private readonly valueNode = element('span', 'mlw-chart-value');
  private readonly resize: ResizeObserver;
  private plot: uPlot | null = null;
  private line: Line = [[], []];
  private series: Series | null = null;
  private zoomed = false;
  private axisWidth = 0;

  constructor(
    name: string,
    private readonly colour: string,
    private readonly group: string,
  ) {
    const title = element('span', 'mlw-chart-name', { title: name }, name);
    this.node = element(
      'figure',
      'mlw-chart',
      { tabindex: '0', role: 'img' },
      element('figcaption', 'mlw-chart-head', {}, element('span', 'mlw-swatch'), title, this.valueNode),
      this.plotNode,
    );
    this.node.style.setProperty('--mlw-line', colour);
    this.node.addEventListener('keydown', (event) => {
      this.moveCursor(event);
    });
    this.resize = new ResizeObserver(() => {
      this.fit();
    });
    this.resize.observe(this.plotNode);
  }

  update(series: Series): void {
    this.series = series;
    this.line = toLine(series);
    this.showValue();
    const label = `${series.name}: last ${formatNumber(series.last)} at step ${String(series.lastStep ?? '–')}`;
    const range = `lowest ${formatNumber(series.min)}, highest ${formatNumber(series.max)}, ${series.n} values`;
    this.node.setAttribute('aria-label', `${label}, ${range}`);
    if (this.plot) {
      this.plot.setData(this.line, !this.zoomed);
      if (this.zoomed) this.plot.redraw();
    }
  }

  /** Draw again with the page's present colours. */
  recolour(): void {
    this.plot?.redraw(false, true);
  }

  destroy(): void {
    this.resize.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }

  private fit(): void {
    const width = Math.floor(this.plotNode.clientWidth);
    if (width < 40) return;
    if (this.plot) this.plot.setSize({ width, height: PLOT_HEIGHT });
    else this.plot = new uPlot(this.options(width), this.line, this.plotNode);
  }

  private showValue(): void {
    const index = this.plot?.cursor.idx;
    const step = index == null ? undefined : this.line[0][index];
    if (index != null && step !== undefined) {
      setText(this.valueNode, `step ${formatNumber(step)}  ${formatNumber(this.line[1][index] ?? null)}`);
    } else setText(this.valueNode, formatNumber(this.series?.last ?? null));
    this.valueNode.classList.toggle('mlw-at-cursor', step !== undefined);
  }

  private moveCursor(event: KeyboardEvent): void {
    const plot = this.plot;
    const last = this.line[0].length - 1;
    if (!plot || last < 0) return;
    const now = plot.cursor.idx;
    const targets: Record<string, number> = {
      ArrowLeft: Math.max(0, (now ?? last + 1) - 1),
      ArrowRight: Math.min(last, (now ?? last) + 1),
      Home: 0,
      End: last,
    };
    const target = targets[event.key];
    if (event.key === 'Escape') plot.setCursor({ left: -10, top: -10 });
    else if (target === undefined) return;
    else plot.setCursor({ left: plot.valToPos(this.line[0][target] ?? 0, 'x'), top: 0 });
    event.preventDefault();
    event.stopPropagation();
  }

  private options(width: number): uPlot.Options {
    const text = (): string => getComputedStyle(this.plotNode).color;
    const rule = (): string => getComputedStyle(this.plotNode).borderTopColor;
    const axis: uPlot.Axis = {
      stroke: text,
      font: FONT,
      gap: 4,
      ticks: { show: false },
      values: (_plot, splits, _axis, _space, increment) => formatTicks(splits, increment),
    };
    return {
      width,
      height: PLOT_HEIGHT,
      padding: [6, 10, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        sync: { key: this.group, scales: ['x', null] },
        points: { size: 7, width: 0, fill: () => this.colour, stroke: () => this.colour },
        drag: { x: true, y: false },
      },
      scales: {
        x: { time: false, range: (_plot, min, max) => this.stepRange(min, max) },
        y: { range: (_plot, min, max) => valueRange(min, max) },
      },
      axes: [
        { ...axis, size: 22, space: 56, incrs: STEP_INCREMENTS, grid: { show: false }, border: { show: true, stroke: rule, width: 1 } },
        {
          ...axis,
          size: (_plot, values) => this.fitAxis(values),
          space: 28,
          grid: { stroke: rule, width: 1 },
        },
      ],
      series: [
        {},
        {
          stroke: this.colour,
          width: 1.75,
          points: {
            size: 5,
            width: 0,
            fill: this.colour,
            show: (plot, _series, from, to) => (to - from) * POINT_SPACING < plot.bbox.width / uPlot.pxRatio,
            filter: (_plot, _series, show) => (show ? null : isolated(this.line[1])),
          },
        },
      ],
      hooks: {
        setCursor: [
          () => {
            this.showValue();
          },
        ],
        setSelect: [
          (plot) => {
            this.zoomed = plot.select.width > 0;
          },
        ],
        ready: [
          (plot) => {
            plot.over.addEventListener('dblclick', () => {
              this.zoomed = false;
            });
          },
        ],
      },
    };
  }

  /** Room for the labels of the y axis. It only grows, so that a live chart does not shake. */
  private fitAxis(labels: readonly string[] | null): number {
    const longest = Math.max(0, ...(labels ?? []).map((label) => label.length));
    this.axisWidth = Math.max(this.axisWidth, 36, longest * 6.2 + 12);
    return this.axisWidth;
  }

  /** All steps or those zoomed to, with some room around a single one. */
  private stepRange(min: number | null, max: number | null): [number, number] {
    const [steps] = this.line;
    const first = steps[0] ?? 0;
    const last = steps[steps.length - 1] ?? 1;
    if (first === last) return [first - 0.5, first + 0.5];
    return min === null || max === null ? [first, last] : [min, max];
  }
}

/** Values with a margin; room around a constant. */
function valueRange(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [0, 1];
  if (min === max) return [min - (Math.abs(min) * 0.1 || 1), max + (Math.abs(max) * 0.1 || 1)];
  const [low, high] = uPlot.rangeNum(min, max, 0.08, true);
  return [low ?? min, high ?? max];
}
