import uPlot from 'uplot';

import { axisTicks, axisValue, increments, type Axis } from './axis.ts';
import { element, setText } from './dom.ts';
import { formatNumber, formatTicks } from './format.ts';
import { bestWords } from './insight.ts';
import { drawBest, drawOverfitting } from './marks.ts';
import type { Num } from './model.ts';
import { decades, logRange, nearest, positive, reachOf, valueAt, valueRange, type Drawn, type Range } from './scales.ts';
import { align, isolated } from './series.ts';

const PLOT_HEIGHT = 148;
const LOGARITHMIC = JSON.parse('{"distr": 3}') as Partial<uPlot.Scale>;
const FONT = '11px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif';
/** Pixels between neighbouring values from which on each is drawn as a point as well. */
const POINT_SPACING = 14;

/** How all charts of a view are drawn. */
export interface Look {
  readonly axis: Axis;
  readonly log: boolean;
  readonly zoom: Range | null;
  /** What all charts of the view reach, where they are to stand below each other. */
  readonly reach?: Range | null;
  readonly format?: (value: Num) => string;
  readonly height?: number;
}

export interface ChartEvents {
  /** The reader chose a stretch of the x axis, or all of it. */
  readonly zoom: (range: Range | null) => void;
}

/** Lines that belong together: their names, their last values (those under the cursor while there is one), a plot. */
export class Chart {
  readonly node: HTMLElement;
  private readonly plotNode = element('div', 'mlw-plot');
  private readonly name = element('span', 'mlw-chart-name');
  private readonly where = element('span', 'mlw-chart-x');
  private readonly legend = element('span', 'mlw-legend');
  private readonly notes = element('div', 'mlw-chart-notes');
  private readonly spoken = element('div', 'mlw-hidden', { 'aria-live': 'polite' });
  private readonly values: HTMLElement[] = [];
  private readonly resize: ResizeObserver;
  private readonly sight: IntersectionObserver;
  private plot: uPlot | null = null;
  private inSight = true;
  private stale = false;
  private built = '';
  private named = '';
  private drawn: readonly Drawn[] = [];
  private look: Look = { axis: 'step', log: false, zoom: null };
  private axisWidth = 0;

  constructor(
    private readonly group: string,
    private readonly events: ChartEvents,
  ) {
    this.node = element(
      'figure',
      'mlw-chart',
      { tabindex: '0', role: 'group', 'aria-roledescription': 'chart' },
      element('figcaption', 'mlw-chart-head', {}, this.name, this.legend),
      this.plotNode,
      this.notes,
      this.spoken,
    );
    this.node.addEventListener('keydown', (event) => {
      this.key(event);
    });
    this.resize = new ResizeObserver(() => {
      this.fit();
    });
    this.resize.observe(this.plotNode);
    this.sight = new IntersectionObserver(
      ([entry]) => {
        this.inSight = entry?.isIntersecting ?? true;
        if (this.inSight && this.stale) this.draw();
      },
      { rootMargin: '200px' },
    );
    this.sight.observe(this.node);
  }

  update(title: string, drawn: readonly Drawn[], look: Look): void {
    setText(this.name, title);
    this.name.title = title;
    this.drawn = drawn;
    this.look = look;
    this.showLegend();
    // The table of runs says what the colours mean.
    this.legend.classList.toggle('mlw-several', drawn.some(({ member }) => member.run > 0));
    this.describe();
    // A chart that nobody sees is drawn when somebody does.
    if (this.inSight || !this.plot) this.draw();
    else this.stale = true;
  }

  private draw(): void {
    const { drawn, look } = this;
    this.stale = false;
    const key = JSON.stringify([look.axis, look.log, this.height, drawn.map(({ member, smoothed }) => [member.label, member.colour, !smoothed])]);
    if (this.plot && key === this.built) {
      this.plot.batch(() => {
        this.plot?.setData(this.columns(), false);
        this.applyRange();
      });
      this.showValues();
    } else {
      this.plot?.destroy();
      this.plot = null;
      this.built = key;
      this.fit();
    }
  }

  /** Draw again with the page's present colours. */
  recolour(): void {
    this.plot?.redraw(false, true);
  }

  destroy(): void {
    this.resize.disconnect();
    this.sight.disconnect();
    this.plot?.destroy();
    this.plot = null;
    this.node.remove();
  }

  private get height(): number {
    return this.look.height ?? PLOT_HEIGHT;
  }

  private format(value: Num): string {
    return (this.look.format ?? formatNumber)(value);
  }

  private fit(): void {
    const width = Math.floor(this.plotNode.clientWidth);
    if (width < 40 || !this.drawn.length) return;
    if (this.plot) {
      if (this.plot.width !== width) this.plot.setSize({ width, height: this.height });
      return;
    }
    this.plotNode.style.height = `${this.height}px`;
    this.plot = new uPlot(this.options(width), this.columns(), this.plotNode);
    this.applyRange();
  }

  /** The lines over one x; on a logarithmic scale without what such a scale does not have. */
  private columns(): uPlot.AlignedData {
    const lines = this.drawn.flatMap(({ line, smoothed }) => (smoothed ? [line, smoothed] : [line]));
    const [x, ...ys] = align(this.look.log ? lines.map(positive) : lines);
    return [x, ...ys];
  }

  private applyRange(): void {
    const [min, max] = this.look.zoom ?? this.extent();
    this.plot?.setScale('x', min < max ? { min, max } : { min: min - 0.5, max: max + 0.5 });
  }

  private extent(): Range {
    return this.look.reach ?? reachOf(this.drawn) ?? [0, 1];
  }

  private showLegend(): void {
    const key = JSON.stringify(this.drawn.map(({ member }) => [member.label, member.colour]));
    if (key !== this.named) {
      this.named = key;
      this.values.splice(0, Infinity, ...this.drawn.map(() => element('span', 'mlw-chart-value')));
      this.legend.replaceChildren(
        ...this.drawn.map(({ member: { colour, dash, label } }, index) => {
          const swatch = element('span', dash.length ? 'mlw-swatch mlw-dashed' : 'mlw-swatch');
          swatch.style.setProperty('--mlw-line', colour);
          const name = element('span', 'mlw-legend-name', { title: label }, label);
          return element('span', 'mlw-legend-item', {}, swatch, name, this.values[index] ?? '');
        }),
      );
    }
    this.showValues();
  }

  private showValues(): void {
    const x = this.cursorX();
    this.showWhere(x);
    this.drawn.forEach(({ line, member }, index) => {
      const node = this.values[index];
      const value = x === null ? member.series.last : valueAt(line, x);
      if (node) setText(node, this.format(value));
    });
    this.legend.classList.toggle('mlw-at-cursor', x !== null);
  }

  /** The x under the cursor, beside the cursor's line: nothing moves when it comes and goes. */
  private showWhere(x: number | null): void {
    setText(this.where, x === null ? '' : axisValue(this.look.axis, x));
    const { over, cursor } = this.plot ?? {};
    if (x === null || !over) return;
    if (this.where.parentElement !== over) over.append(this.where);
    const left = cursor?.left ?? 0;
    const right = left > over.clientWidth / 2;
    this.where.style.left = right ? '' : `${left + 5}px`;
    this.where.style.right = right ? `${over.clientWidth - left + 5}px` : '';
  }

  private cursorX(): number | null {
    const left = this.plot?.cursor.left ?? -1;
    const index = this.plot?.cursor.idx;
    if (left < 0 || index == null) return null;
    return this.plot?.data[0][index] ?? null;
  }

  private describe(): void {
    const notes = this.drawn.flatMap(({ member, best, overfitting }) => [
      ...(best ? [`best ${member.label && `${member.label} `}${this.format(best.y)} at ${bestWords(member.series, this.look.axis, best)}`] : []),
      ...(overfitting === null ? [] : ['overfitting since then']),
    ]);
    setText(this.notes, notes.slice(0, 4).join(' · '));
    this.notes.hidden = !notes.length;
    const lines = this.drawn.map(({ member: { label, series } }) => {
      const range = `lowest ${this.format(series.min)}, highest ${this.format(series.max)}, ${series.n} values`;
      return `${label || series.name}: last ${this.format(series.last)} at step ${String(series.lastStep ?? '–')}, ${range}`;
    });
    this.node.setAttribute('aria-label', [this.name.textContent, ...lines, ...notes].join('; '));
  }

  private key(event: KeyboardEvent): void {
    const { plot } = this;
    const xs = plot?.data[0] ?? [];
    if (!plot || !xs.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const [min, max] = [plot.scales.x?.min ?? 0, plot.scales.x?.max ?? 1];
    const first = Math.max(0, xs.findIndex((x) => x >= min));
    const after = xs.findIndex((x) => x > max);
    const last = (after < 0 ? xs.length : after) - 1;
    const now = plot.cursor.idx;
    const targets: Record<string, number> = {
      ArrowLeft: Math.max(first, (now ?? last + 1) - 1),
      ArrowRight: Math.min(last, (now ?? last) + 1),
      Home: first,
      End: last,
    };
    const target = targets[event.key];
    const middle = this.cursorX() ?? (min + max) / 2;
    if (target !== undefined) {
      plot.setCursor({ left: plot.valToPos(xs[target] ?? 0, 'x'), top: 0 });
      setText(this.spoken, [this.where.textContent, this.legend.innerText.replace(/\s+/g, ' ')].join(', '));
    } else if (event.key === '+') this.events.zoom([middle - (max - min) / 4, middle + (max - min) / 4]);
    else if (event.key === '-') {
      const [from, until] = this.extent();
      const wide: Range = [Math.max(from, middle - (max - min)), Math.min(until, middle + (max - min))];
      this.events.zoom(wide[0] <= from && wide[1] >= until ? null : wide);
    } else if (event.key === '0') this.events.zoom(null);
    else if (event.key === 'Escape' && now != null) plot.setCursor({ left: -10, top: -10 });
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private options(width: number): uPlot.Options {
    const { axis, log } = this.look;
    const text = (): string => getComputedStyle(this.plotNode).color;
    const rule = (): string => getComputedStyle(this.plotNode).borderTopColor;
    const common: uPlot.Axis = { stroke: text, font: FONT, gap: 4, ticks: { show: false } };
    return {
      width,
      height: this.height,
      padding: [6, 10, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        // A stretch is chosen in one chart: the others hear of it from outside.
        sync: { key: this.group, scales: ['x', null], filters: { pub: isMove, sub: isMove } },
        points: { size: 7, width: 0, fill: (_plot, index) => this.stroke(index), stroke: (_plot, index) => this.stroke(index) },
        drag: { x: true, y: false, setScale: false },
        dataIdx: (plot, series, closest) => nearest(plot.data[series], plot.data[0], closest),
        bind: {
          dblclick: () => () => {
            this.events.zoom(null);
            return null;
          },
        },
      },
      scales: {
        x: { time: false, auto: false },
        y: log ? { ...LOGARITHMIC, range: logRange } : { range: (_plot, min, max) => valueRange(min, max) },
      },
      axes: [
        {
          ...common,
          values: (_plot, splits, _axis, _space, increment) => axisTicks(axis, splits, increment),
          size: 22,
          space: axis === 'time' ? 64 : 56,
          incrs: increments(axis),
          grid: { show: false },
          border: { show: true, stroke: rule, width: 1 },
        },
        {
          ...common,
          values: (_plot, splits, _axis, _space, increment) => this.valueTicks(splits, increment),
          size: (_plot, values) => this.fitAxis(values),
          space: 28,
          grid: { stroke: rule, width: 1, filter: (_plot, splits) => (log ? decades(splits) : splits) },
        },
      ],
      series: [{}, ...this.drawn.flatMap((one) => this.lines(one))],
      hooks: {
        drawAxes: [
          (plot) => {
            for (const { overfitting } of this.drawn) if (overfitting !== null) drawOverfitting(plot, overfitting, text());
          },
        ],
        draw: [
          (plot) => {
            for (const { best, member } of this.drawn) if (best) drawBest(plot, best, member.colour);
          },
        ],
        setCursor: [
          () => {
            this.showValues();
          },
        ],
        setSelect: [
          (plot) => {
            const { left, width: wide } = plot.select;
            if (wide < 4) return;
            this.events.zoom([plot.posToVal(left, 'x'), plot.posToVal(left + wide, 'x')]);
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          },
        ],
      },
    };
  }

  private lines({ member: { colour, dash }, smoothed }: Drawn): uPlot.Series[] {
    const line: uPlot.Series = {
      stroke: colour,
      width: 1.75,
      dash: [...dash],
      points: {
        size: 5,
        width: 0,
        fill: colour,
        show: (plot, _series, from, to) => (to - from) * POINT_SPACING < plot.bbox.width / uPlot.pxRatio,
        filter: (plot, index, show) => (show ? null : isolated(plot.data[index] as (number | null | undefined)[])),
      },
    };
    if (!smoothed) return [line];
    return [
      { ...line, width: 1, alpha: 0.28 },
      { ...line, points: { show: false } },
    ];
  }

  /** The colour of a column of the plot. */
  private stroke(index: number): string {
    const colours = this.drawn.flatMap(({ member, smoothed }) => (smoothed ? [member.colour, member.colour] : [member.colour]));
    return colours[index - 1] ?? 'currentColor';
  }

  private valueTicks(splits: readonly number[], increment: number): string[] {
    if (this.look.format) return splits.map((value) => this.format(value));
    if (!this.look.log) return formatTicks(splits, increment);
    return decades(splits).map((value) => (value === null ? '' : formatNumber(Number(value.toPrecision(3)))));
  }

  /** Room for the labels of the y axis. It only grows, so that a live chart does not shake. */
  private fitAxis(labels: readonly string[] | null): number {
    const longest = Math.max(0, ...(labels ?? []).map((label) => label.length));
    this.axisWidth = Math.max(this.axisWidth, 36, longest * 6.2 + 12);
    return this.axisWidth;
  }
}

/** What the charts of a view hear of each other. */
function isMove(type: string): boolean {
  return type === 'mousemove' || type === 'mouseleave';
}
