import type { Clock } from './clock.ts';
import { element, icon, setText } from './dom.ts';
import { formatNumber } from './format.ts';
import { chip, StopButton } from './header.ts';
import type { RunData, RunSource, Series } from './model.ts';
import { lineColour } from './palette.ts';
import { RERUN_ICON, RerunLine, showVerdict } from './rerun.ts';
import { Badge } from './states.ts';

/** Metrics that have a column of their own. */
const MOST_METRICS = 4;

interface Row {
  readonly id: string;
  readonly badge: Badge;
  readonly verdict: HTMLElement;
  readonly time: HTMLElement;
  readonly stop: StopButton;
  readonly choose: HTMLInputElement;
  readonly values: ReadonlyMap<string, HTMLElement>;
}

/** Several runs as a table: what differs has columns, what is the same is said once. */
export class RunTable {
  readonly node = element('header', 'mlw-header mlw-runs');
  private readonly title = element('span', 'mlw-name');
  private readonly scroll = element('div', 'mlw-table-frame');
  private readonly same = element('div', 'mlw-chips');
  private readonly rerun = new RerunLine();
  private rows: Row[] = [];
  private built = '';

  constructor(
    private readonly source: RunSource,
    private readonly clock: Clock,
    compare: Node,
    /** The run whose output and code are shown below. */
    private readonly choose: (id: string) => void,
  ) {
    const buttons = element('span', 'mlw-buttons', {}, compare);
    this.node.append(element('div', 'mlw-title', {}, this.title, buttons), this.scroll, this.same, this.rerun.node);
  }

  update(chosen: string): void {
    const { runs } = this.source;
    const metrics = comparable(runs);
    const params = [...new Set(runs.flatMap((run) => run.header.params.map(([name]) => name)))];
    const differing = params.filter((name) => new Set(runs.map((run) => valueOf(run, name))).size > 1);
    const key = JSON.stringify([runs.map((run) => [run.header.id, run.header.params]), metrics.map(([name]) => name)]);
    setText(this.title, `${runs.length} runs`);
    if (key !== this.built) {
      this.built = key;
      this.build(differing, metrics);
      const same = params.filter((name) => !differing.includes(name));
      this.same.replaceChildren(...same.map((name) => chip(name, runs[0] ? valueOf(runs[0], name) : '', 'mlw-param')));
      if (same.length) this.same.prepend(element('span', 'mlw-hint', {}, 'The same in all:'));
      this.same.hidden = !same.length;
    }
    const reruns = runs.filter(({ header: { rerun } }) => runs.some((one) => one.header.id === rerun?.of));
    const told = reruns.find(({ header }) => header.id === chosen) ?? reruns[0];
    this.rerun.node.hidden = !told;
    if (told) this.rerun.update(told);
    runs.forEach((run, index) => {
      const row = this.rows[index];
      if (!row) return;
      row.badge.update(run.header);
      showVerdict(row.verdict, run.header.rerun?.verdict ?? null);
      row.stop.update(run.header);
      row.choose.checked = run.header.id === chosen;
      for (const [name, better] of metrics) {
        const cell = row.values.get(name);
        const last = run.series.find((one) => one.name === name)?.last ?? null;
        const all = runs.map((one) => one.series.find((series) => series.name === name)?.last);
        if (!cell) continue;
        setText(cell, formatNumber(last));
        cell.classList.toggle('mlw-best', typeof last === 'number' && better !== 0 && all.every((value) => beats(last, value, better)));
      }
    });
    this.tick();
  }

  tick(): void {
    this.source.runs.forEach((run, index) => {
      const row = this.rows[index];
      if (!row) return;
      const left = this.clock.remaining(run.header, run.progress);
      setText(row.time, [this.clock.elapsed(run.header), left].filter(Boolean).join(', '));
      row.stop.tick();
    });
  }

  private build(differing: readonly string[], metrics: readonly (readonly [string, number])[]): void {
    const heads = ['Run', 'State', 'Time', ...differing, ...metrics.map(([name]) => name), ''];
    const cells = heads.map((text, index) => {
      const kind = index > 2 && index < 3 + differing.length ? 'mlw-differs' : '';
      return element('th', kind, { scope: 'col' }, text);
    });
    this.rows = [];
    const body = this.source.runs.map((run, index) => {
      const { header } = run;
      const swatch = element('span', 'mlw-swatch');
      swatch.style.setProperty('--mlw-line', lineColour(index));
      const choose = element('input', '', { type: 'radio', name: `mlw-chosen-${this.source.runs[0]?.header.id ?? ''}` });
      choose.addEventListener('change', () => {
        this.choose(header.id);
      });
      const label = element('label', 'mlw-run-name', { title: `${header.id}: show its output below` }, choose, swatch, header.name);
      if (header.rerun) label.append(element('span', 'mlw-rerun-label', { title: `Rerun of ${header.rerun.of}` }, icon(RERUN_ICON), 'rerun'));
      const badge = new Badge();
      const verdict = element('span', 'mlw-verdict', { hidden: '' });
      const time = element('td', 'mlw-elapsed');
      const stop = new StopButton(this.source, this.clock);
      const values = new Map(metrics.map(([name]) => [name, element('td', 'mlw-number')]));
      this.rows.push({ id: header.id, badge, verdict, time, stop, choose, values });
      return element(
        'tr',
        '',
        {},
        element('th', '', { scope: 'row' }, label),
        element('td', 'mlw-run-state', {}, badge.node, verdict),
        time,
        ...differing.map((name) => element('td', 'mlw-number mlw-differs', {}, valueOf(run, name))),
        ...values.values(),
        element('td', 'mlw-row-end', {}, stop.node),
      );
    });
    this.scroll.replaceChildren(
      element('table', 'mlw-table', {}, element('thead', '', {}, element('tr', '', {}, ...cells)), element('tbody', '', {}, ...body)),
    );
  }
}

function valueOf(run: RunData, name: string): string {
  return run.header.params.find(([key]) => key === name)?.[1] ?? '–';
}

function beats(value: number, other: Series['last'] | undefined, better: number): boolean {
  return typeof other !== 'number' || (value - other) * better >= 0;
}

/** Names of metrics by which runs are told apart, validation first, each with what is better. */
function comparable(runs: readonly RunData[]): (readonly [string, number])[] {
  const all = runs.flatMap((run) => run.series).filter((one) => one.better !== 0);
  const validation = all.filter((one) => one.role === 'validation' || one.role === 'test');
  const wanted = validation.length ? validation : all;
  return [...new Map(wanted.map((one) => [one.name, one.better])).entries()].slice(0, MOST_METRICS);
}
