import { element } from '../views/dom.ts';
import { Tabs } from '../views/tabs.ts';
import { RunPanel, type PanelHost } from './panel.ts';
import type { Project } from './project.ts';
import { MissedBanner } from './schedules/banner.ts';
import { Book } from './schedules/book.ts';
import type { Preset } from './schedules/form.ts';
import { SchedulePanel, type ScheduleHost } from './schedules/section.ts';

/** Runs and schedules of a project, one beside the other where the server knows schedules; what was missed is said above both. */
export class ProjectPanel {
  readonly node = element('div', 'mlw-sides mlw-panel-colours');
  readonly runs: RunPanel;
  readonly schedules: SchedulePanel;
  readonly book: Book;
  private readonly tabs: Tabs;
  private readonly missed: MissedBanner;
  private readonly cleanups: (() => void)[];

  constructor(
    private readonly project: Project,
    host: PanelHost & Omit<ScheduleHost, 'openRun'>,
    openRun: (store: string, run: string) => void,
  ) {
    const { words } = host;
    this.book = new Book(project);
    this.runs = new RunPanel(project, host);
    this.schedules = new SchedulePanel(this.book, {
      words,
      openPage: (address) => {
        host.openPage(address);
      },
      openRun,
      currentNotebook: () => host.currentNotebook?.() ?? null,
    });
    this.missed = new MissedBanner(this.book, words, (done) => {
      this.schedules.attempt(done);
    });
    this.tabs = new Tabs(
      words.__('Runs and schedules'),
      [
        { id: 'runs', label: words.__('Runs'), panel: this.runs.node },
        { id: 'schedules', label: words.__('Schedules'), panel: this.schedules.node },
      ],
      () => undefined,
    );
    const strip = this.tabs.node.firstElementChild;
    strip?.after(this.missed.node);
    this.node.append(this.tabs.node);
    const update = (): void => {
      this.update();
    };
    this.cleanups = [project.subscribe(update), this.book.subscribe(update)];
    this.update();
  }

  destroy(): void {
    for (const cleanup of this.cleanups.splice(0)) cleanup();
    this.runs.destroy();
    this.schedules.destroy();
    this.book.dispose();
    this.node.remove();
  }

  focus(): void {
    if (this.tabs.isOpen('schedules')) this.schedules.focus();
    else this.runs.focus();
  }

  showRuns(): void {
    this.tabs.show('runs');
    this.runs.focus();
  }

  showSchedules(): void {
    this.tabs.show('schedules');
    this.schedules.focus();
  }

  /** Ask for a schedule, above the list of them. */
  async schedule(preset: Preset): Promise<void> {
    this.showSchedules();
    await this.schedules.ask(preset);
  }

  /** Say something at the foot of what is shown. */
  say(message: string): void {
    if (this.tabs.isOpen('schedules')) this.schedules.say(message);
    else this.runs.tell(message);
  }

  private update(): void {
    const { book } = this;
    this.node.classList.toggle('mlw-without-schedules', !book.offered);
    this.tabs.hide('schedules', !book.offered);
    this.tabs.count('schedules', book.schedules.length);
    this.missed.update();
    this.node.classList.toggle('mlw-read-only', this.project.readOnly);
  }
}
