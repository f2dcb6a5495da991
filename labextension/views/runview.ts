import { terminalText } from './ansidom.ts';
import { RunChangesPanel } from './changes/run.ts';
import { SinceLine } from './changes/since.ts';
import { ChartGrid } from './charts.ts';
import { Clock } from './clock.ts';
import { CompareMenu } from './compare.ts';
import { CodePanel, EnvironmentPanel, FilesPanel, ParametersPanel } from './details.ts';
import { DisplayList } from './displays.ts';
import { element } from './dom.ts';
import { HeaderBar } from './header.ts';
import { InsightLine } from './insightline.ts';
import { mountMedia, type MountedMedia } from './media/index.ts';
import { hasEnded, type RunData, type RunSource } from './model.ts';
import { OutputPane } from './output.ts';
import { RunTable } from './runtable.ts';
import { ofSweep } from './sweep/facts.ts';
import { SweepView } from './sweep/view.ts';
import { SystemSection } from './system.ts';
import { Tabs } from './tabs.ts';
import { onThemeChange } from './theme.ts';

const TICK = 500;
let made = 0;

/** The view of one run, or of several beside each other. It knows nothing of kernels and widgets. */
export class RunView {
  readonly node = element('article', 'mlw-run', { 'data-lm-suppress-shortcuts': 'true' });
  private readonly clock = new Clock();
  private readonly header: HeaderBar;
  private readonly table: RunTable;
  private readonly charts: ChartGrid;
  private readonly error = element('section', 'mlw-section mlw-error', { 'aria-label': 'Error', hidden: '' });
  private readonly displays: DisplayList;
  private readonly output: OutputPane;
  private readonly details: Readonly<Record<string, { readonly node: HTMLElement; update(run: RunData): void }>>;
  private readonly changes = new RunChangesPanel();
  private readonly since: SinceLine;
  private readonly insight = new InsightLine();
  private readonly tabs: Tabs;
  private readonly system: SystemSection;
  private readonly mediaNode = element('div');
  private sweep: SweepView | null = null;
  private media: MountedMedia | null = null;
  private mediaOf: RunData | null = null;
  private readonly cleanups: (() => void)[] = [];
  private chosen = '';
  private shownDisplays: RunData['displays'] = [];
  private shownError: string | null = null;
  private frame = 0;
  private seen: readonly RunData[] = [];

  constructor(
    private readonly source: RunSource,
    private readonly trusted: boolean,
  ) {
    this.displays = new DisplayList(trusted);
    const sync = `mlw-${(made += 1)}`;
    const compare = new CompareMenu(source);
    this.header = new HeaderBar(source, this.clock, compare.node);
    this.table = new RunTable(source, this.clock, compare.node, (id) => {
      this.chosen = id;
      this.update();
    });
    this.charts = new ChartGrid(source, sync);
    this.system = new SystemSection(source, sync);
    this.output = new OutputPane(source);
    this.details = {
      changes: this.changes,
      parameters: new ParametersPanel(),
      code: new CodePanel(),
      environment: new EnvironmentPanel(),
      files: new FilesPanel(source),
    };
    const labels = { changes: 'Changes', parameters: 'Parameters', code: 'Code', environment: 'Environment', files: 'Files' };
    this.tabs = new Tabs(
      'Of this run',
      [
        { id: 'output', label: 'Output', panel: this.output.node },
        ...Object.entries(labels).map(([id, label]) => ({ id, label, panel: this.details[id]?.node ?? element('div') })),
      ],
      () => {
        this.keepTab();
        this.later();
      },
    );
    this.since = new SinceLine(() => {
      this.tabs.show('changes');
    });
    this.header.node.append(this.since.node, this.insight.node);
    this.move(compare.node);
    this.node.append(this.error, this.charts.node, this.mediaNode, this.displays.node, this.tabs.node, this.system.node);
    // JupyterLab's shortcuts for whatever has the focus in a notebook look no further than that element.
    this.node.addEventListener('focusin', ({ target }) => {
      (target as Element).setAttribute('data-lm-suppress-shortcuts', 'true');
    });
    this.update();
    requestAnimationFrame(() => {
      this.keepTab();
    });
    this.cleanups.push(
      source.subscribe?.(() => {
        this.later();
      }) ?? (() => undefined),
      onThemeChange(() => {
        this.charts.recolour();
        this.system.recolour();
        this.sweep?.recolour();
      }),
    );
    const timer = window.setInterval(() => {
      this.head.tick();
      this.since.tick();
      this.changes.tick();
      this.sweep?.tick(this.clock.now);
    }, TICK);
    this.cleanups.push(() => {
      window.clearInterval(timer);
      cancelAnimationFrame(this.frame);
    });
  }

  destroy(): void {
    for (const cleanup of this.cleanups.splice(0)) cleanup();
    this.charts.destroy();
    this.sweep?.destroy();
    this.system.destroy();
    this.media?.destroy();
    this.changes.destroy();
    this.displays.destroy();
    this.output.destroy();
    this.node.remove();
  }

  /** Views of one output take turns: what the reader has turned to stays open. */
  private keepTab(): void {
    const place = this.node.closest<HTMLElement>('.mlw-rendered');
    const tabs = this.tabs as Tabs | undefined;
    if (!place || !tabs) return;
    if (tabs.turned) place.dataset.mlwTab = tabs.turned;
    else if (place.dataset.mlwTab) tabs.restore(place.dataset.mlwTab);
  }

  private get head(): HeaderBar | RunTable {
    return this.source.runs.length > 1 ? this.table : this.header;
  }

  /** Draw with the next frame: what comes faster is drawn once. A page that nobody sees draws nothing. */
  private later(): void {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.update();
    });
  }

  private update(): void {
    const { runs } = this.source;
    this.clock.heard(this.source.clock);
    const run = runs.find((one) => one.header.id === this.chosen) ?? runs[0];
    if (!run) return;
    const { header } = run;
    this.chosen = header.id;
    if (runs.length > 1) this.table.update(this.chosen);
    else this.header.update(run.sweep ? ofSweep(run, run.sweep) : run);
    this.show(this.head.node);
    this.node.setAttribute('aria-label', runs.length > 1 ? `${runs.length} runs` : `Run ${header.name}`);
    this.node.dataset.state = header.state;
    this.showSweep(runs.length > 1 ? null : run);
    if (this.sweep) this.sweep.update(run, this.clock.now);
    else if (changed(this.seen, runs, (one) => one.series) || changed(this.seen, runs, (one) => one.header)) this.charts.update();
    if (changed(this.seen, runs, (one) => one.system)) this.system.update();
    this.seen = runs;
    if (run.media !== this.mediaOf?.media || header.id !== this.mediaOf?.header.id) this.showMedia(run);
    if (header.error !== this.shownError) {
      this.shownError = header.error;
      this.error.hidden = !header.error;
      this.error.replaceChildren(...(header.error ? [terminalText(header.error, 'mlw-text mlw-traceback')] : []));
    }
    if (run.displays !== this.shownDisplays) this.displays.update((this.shownDisplays = run.displays));
    if (this.tabs.isOpen('output')) this.output.update(run, hasEnded(header.state));
    for (const [id, panel] of Object.entries(this.details)) if (this.tabs.isOpen(id)) panel.update(run);
    this.since.update(run);
    this.insight.update(run);
    this.tabs.hide('changes', !run.details?.changes);
    this.tabs.count('files', run.details?.files.length ?? 0);
  }

  /** A search is shown by its trials, in place of its own few metrics. */
  private showSweep(run: RunData | null): void {
    const wanted = Boolean(run?.sweep);
    if (wanted === Boolean(this.sweep)) return;
    this.charts.node.hidden = wanted;
    if (!wanted) {
      this.sweep?.destroy();
      this.sweep?.node.remove();
      this.sweep = null;
      this.header.tools.replaceChildren();
      this.node.classList.remove('mlw-trial-open');
      this.seen = [];
      return;
    }
    const mount = (node: HTMLElement, source: RunSource): (() => void) => {
      const view = new RunView(source, this.trusted);
      node.append(view.node);
      return () => {
        view.destroy();
      };
    };
    this.sweep = new SweepView(this.source, mount, (trial) => {
      this.node.classList.toggle('mlw-trial-open', trial);
    });
    this.header.tools.append(this.sweep.controls.node);
    this.charts.node.before(this.sweep.node);
  }

  private showMedia(run: RunData): void {
    const { id } = run.header;
    const readFile = async (file: string): Promise<DataView> => {
      const content = (await this.source.ask?.({ type: 'media', run: id, file }))?.content;
      if (!content) throw new Error('The kernel does not answer.');
      return content;
    };
    if (this.media && this.mediaOf?.header.id === id) this.media.update(run.media);
    else {
      this.media?.destroy();
      this.media = mountMedia(this.mediaNode, run.media, 'ask' in this.source ? readFile : null);
    }
    this.mediaOf = run;
  }

  /** Put the head of one run, or that of several, on top. */
  private show(head: HTMLElement): void {
    if (this.node.firstElementChild === head) return;
    const other = head === this.header.node ? this.table.node : this.header.node;
    other.remove();
    this.node.prepend(head);
    const compare = [...other.querySelectorAll('.mlw-compare')][0];
    if (compare) this.move(compare);
  }

  /** Take the Compare button along to the head that is shown. */
  private move(compare: Node): void {
    this.head.node.querySelector('.mlw-buttons')?.prepend(compare);
  }
}

function changed(before: readonly RunData[], now: readonly RunData[], part: (run: RunData) => unknown): boolean {
  return before.length !== now.length || now.some((run, i) => part(run) !== part(before[i] ?? run) || !before[i]);
}
