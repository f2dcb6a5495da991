import type { JupyterFrontEnd } from '@jupyterlab/application';
import { ILabShell, ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { keyOf, type Summary } from '../../panel/model.ts';
import type { Query } from '../../panel/list.ts';
import { mountOpened, openedHash } from '../../panel/opened.ts';
import type { Project } from '../../panel/project.ts';
import { ProjectPanel } from '../../panel/sides.ts';
import { hasEnded } from '../../views/model.ts';
import { openAddress } from '../reports/address.ts';
import { addScheduleCommands } from '../schedules/commands.ts';
import { showNotices } from '../schedules/notices.ts';
import { goToCell, watchFolders } from './cells.ts';
import { runsIcon } from './icon.ts';
import { notebooksOf, pathOf } from './notebooks.ts';
import { SETTINGS, settingsOf } from './settings.ts';
import { sharedProject } from './shared.ts';
import { wordsOf, type Bundle } from './translation.ts';

const SIDEBAR = 'mlwidgets-panel';
const STATE = 'mlwidgets:panel';

interface Kept {
  readonly query?: Partial<Query>;
  readonly metric?: string;
}

/** What a command takes that opens runs of one store. */
interface Opening {
  readonly store?: string;
  readonly runs?: readonly string[];
  readonly name?: string;
}

/** Runs in a tab of the main area. */
class OpenedRuns extends Widget {
  private unmount: (() => void) | null = null;

  constructor(
    private readonly project: Project,
    readonly opening: Required<Opening>,
    private readonly words: Bundle,
    private readonly open: (opening: Opening) => void,
  ) {
    super();
    this.addClass('mlw-opened');
    this.title.label = opening.name;
    this.title.caption = opening.runs.join('\n');
    this.title.icon = runsIcon as unknown as Widget['title']['icon'];
    this.title.closable = true;
    this.node.tabIndex = -1;
  }

  protected override onAfterAttach(): void {
    const { store, runs } = this.opening;
    this.unmount ??= mountOpened(this.node, this.project, store, runs, this.words, (run) => {
      this.open({ store, runs: [run] });
    });
  }

  protected override onActivateRequest(): void {
    this.node.focus({ preventScroll: true });
  }

  override dispose(): void {
    this.unmount?.();
    this.unmount = null;
    super.dispose();
  }
}

export const sidebar = {
  id: SETTINGS,
  description: 'The runs of the project in the side bar, each in a tab on demand.',
  autoStart: true,
  optional: [ILabShell, ITranslator, ILayoutRestorer, ICommandPalette, ISettingRegistry, IStateDB, INotebookTracker],
  activate: (
    app: JupyterFrontEnd,
    lab: unknown,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    registry: ISettingRegistry | null,
    state: IStateDB | null,
    tracker: INotebookTracker | null,
  ): void => {
    const { commands, shell } = app;
    const words = wordsOf(translator);
    const project = sharedProject(app);
    const notebooks = tracker && notebooksOf(tracker);
    const tabs = new WidgetTracker<MainAreaWidget<OpenedRuns>>({ namespace: 'mlwidgets-runs' });

    const open = ({ store = '', runs = [], name }: Opening): void => {
      if (!runs.length) return;
      if (!lab) {
        // Notebook 7 has one thing on a page: the panel's own page shows the run.
        const address = `${app.serviceManager.serverSettings.baseUrl}mlwidgets${openedHash(store, runs)}`;
        window.open(address, '_blank', 'noopener');
        return;
      }
      const id = `mlwidgets-opened-${keyOf({ store, id: runs.join(',') })}`;
      const there = tabs.find((tab) => tab.id === id);
      const [first = ''] = runs;
      const label = name ?? project.list.get(keyOf({ store, id: first }))?.name ?? first;
      const tab = there ?? new MainAreaWidget({ content: new OpenedRuns(project, { store, runs, name: runs.length > 1 && name === undefined ? words._n('%1 run', '%1 runs', runs.length) : label }, words, open) });
      if (!there) {
        tab.id = id;
        shell.add(tab, 'main', { type: 'Runs' });
        void tabs.add(tab);
      }
      shell.activateById(tab.id);
    };

    const widget = new Widget();
    widget.id = SIDEBAR;
    widget.addClass('mlw-sidebar');
    widget.title.icon = runsIcon as unknown as Widget['title']['icon'];
    widget.title.caption = words.__('Runs');
    widget.node.setAttribute('role', 'region');
    widget.node.setAttribute('aria-label', words.__('Runs'));
    let touched = false;
    const both = new ProjectPanel(project, {
      words,
      open: (runs) => {
        const [first] = runs;
        if (first) open({ store: first.store, runs: runs.map(({ id }) => id) });
      },
      openPage: (address) => {
        openAddress(app, address);
      },
      ...(notebooks && {
        goToCell: (run: Summary) => {
          void goToCell(app, notebooks, run, words);
        },
        trainCell: () => {
          void commands.execute('mlwidgets:train-cell');
        },
        currentNotebook: () => notebooks.currentWidget && pathOf(notebooks.currentWidget),
      }),
      remember: (query, metric) => {
        touched = true;
        void state?.save(STATE, { query, metric });
      },
    }, (store, run) => {
      open({ store, runs: [run] });
    });
    const panel = both.runs;
    widget.node.append(both.node);
    shell.add(widget, 'left', { rank: 350, type: 'Runs' });
    restorer?.add(widget, SIDEBAR);

    void Promise.all([state?.fetch(STATE), settingsOf(app, registry)]).then(([kept, settings]) => {
      // Who was faster is asked for nothing older.
      if (touched) return;
      const { query, metric } = (kept ?? {}) as Kept;
      const { metric: usual, filter } = (settings?.composite ?? {}) as { metric?: string; filter?: string };
      panel.restore({ text: filter ?? '', ...query }, [metric, usual].find(Boolean) ?? '');
    });

    const chosen = (): Summary | null => panel.active();
    const reveal = (): void => {
      if (shell.expandLeft) shell.expandLeft(SIDEBAR);
      shell.activateById(SIDEBAR);
    };
    commands.addCommand('mlwidgets:open-panel', {
      label: words.__('Show Runs'),
      caption: words.__('All runs of the project, live'),
      icon: runsIcon as never,
      execute: () => {
        reveal();
        both.showRuns();
      },
    });
    addScheduleCommands(app, both, { words, notebooks, palette, reveal });
    void settingsOf(app, registry).then((settings) => {
      showNotices(app, both.book, words, settings);
    });
    commands.addCommand('mlwidgets:open-run', {
      label: words.__('Open Run in a Tab'),
      isEnabled: (args) => Boolean((args as Opening).runs?.length) || chosen() !== null,
      execute: (args) => {
        const given = args as Opening;
        const run = chosen();
        if (given.runs?.length) open(given);
        else if (run) open({ store: run.store, runs: [run.id] });
      },
    });
    commands.addCommand('mlwidgets:compare', {
      label: words.__('Compare Ticked Runs'),
      isEnabled: () => panel.ticked().length > 1,
      execute: () => {
        panel.compareTicked();
      },
    });
    commands.addCommand('mlwidgets:stop', {
      label: words.__('Stop Run'),
      isEnabled: () => {
        const run = chosen();
        return run !== null && !hasEnded(run.state) && !project.readOnly;
      },
      execute: async () => {
        const run = chosen();
        if (run) await project.stop(run);
      },
    });
    const category = words.__('Runs');
    for (const command of ['mlwidgets:open-panel', 'mlwidgets:open-run', 'mlwidgets:compare', 'mlwidgets:stop']) {
      palette?.addItem({ command, category });
    }
    void restorer?.restore(tabs, {
      command: 'mlwidgets:open-run',
      args: ({ content }) => ({ ...content.opening }),
      name: ({ content: { opening } }) => keyOf({ store: opening.store, id: opening.runs.join(',') }),
    });
    if (notebooks) watchFolders(notebooks, project);
    else project.start();
  },
};
