// What a run uses of the machine: a section that stays closed until somebody wants to know.
import { xOf } from './axis.ts';
import { Chart } from './chart.ts';
import { element, setText } from './dom.ts';
import { formatNumber } from './format.ts';
import { groupSeries } from './groups.ts';
import type { Num, RunData, RunSource } from './model.ts';
import { toLine } from './series.ts';

const HEIGHT = 104;
const TITLES: Record<string, string> = {
  cpu: 'CPU',
  memory: 'Memory',
  disk: 'Disk',
  network: 'Network of the machine',
  'gpu.utilization': 'GPU use',
  'gpu.memory': 'GPU memory',
  'gpu.power': 'GPU power',
  'gpu.temperature': 'GPU temperature',
};

export class SystemSection {
  readonly node = element('details', 'mlw-section mlw-system');
  private readonly summary = element('span', 'mlw-hint');
  private readonly grid = element('div', 'mlw-charts');
  private readonly charts = new Map<string, Chart>();

  constructor(
    private readonly source: RunSource,
    private readonly sync: string,
  ) {
    this.node.append(element('summary', 'mlw-summary', {}, element('span', 'mlw-section-name', {}, 'System'), this.summary), this.grid);
    this.node.addEventListener('toggle', () => {
      this.update();
    });
  }

  update(): void {
    const { runs } = this.source;
    this.node.hidden = runs.every((run) => !run.system.length);
    setText(this.summary, this.node.open ? '' : latest(runs));
    if (!this.node.open) return;
    const groups = groupSeries(runs, (run) => run.system);
    this.grid.dataset.count = String(groups.length);
    for (const { key, members } of groups) {
      let chart = this.charts.get(key);
      if (!chart) {
        chart = new Chart(`${this.sync} system`, { zoom: () => undefined });
        this.charts.set(key, chart);
        this.grid.append(chart.node);
      }
      const drawn = members.map((member) => {
        const run = runs[member.run];
        const line = run ? toLine(xOf(run, member.series, 'time'), member.series.values) : { x: [], y: [] };
        return { member, line, smoothed: null, best: null, overfitting: null };
      });
      chart.update(TITLES[key] ?? key, drawn, { axis: 'time', log: false, zoom: null, format: formatOf(key), height: HEIGHT });
    }
  }

  recolour(): void {
    for (const chart of this.charts.values()) chart.recolour();
  }

  destroy(): void {
    for (const chart of this.charts.values()) chart.destroy();
  }
}

/** The newest figures in one line. */
function latest(runs: readonly RunData[]): string {
  if (runs.length > 1) return '';
  const parts = groupSeries(runs, (run) => run.system)
    .filter(({ key }) => ['cpu', 'memory', 'gpu.utilization', 'gpu.memory'].includes(key))
    .map(({ key, members }) => `${TITLES[key] ?? key} ${members.map(({ series }) => formatOf(key)(series.last)).join(', ')}`);
  return parts.join(' · ');
}

function formatOf(key: string): (value: Num) => string {
  if (key === 'cpu' || key.endsWith('utilization')) return (value) => `${rounded(value)} %`;
  if (key.endsWith('memory')) return formatBytes;
  if (key === 'disk' || key === 'network') return (value) => `${formatBytes(value)}/s`;
  if (key.endsWith('power')) return (value) => `${rounded(value)} W`;
  if (key.endsWith('temperature')) return (value) => `${rounded(value)} °C`;
  return formatNumber;
}

function rounded(value: Num): string {
  return formatNumber(typeof value === 'number' ? Number(value.toFixed(Math.abs(value) < 10 ? 1 : 0)) : value);
}

export function formatBytes(value: Num): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) return formatNumber(value);
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, Math.abs(value))) / 3)));
  const scaled = value / 1000 ** power;
  return `${formatNumber(Number(scaled.toPrecision(3)))} ${units[power] ?? ''}`;
}
