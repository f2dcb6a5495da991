import type { JupyterFrontEnd } from '@jupyterlab/application';
import { ILabShell, ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ServerConnection } from '@jupyterlab/services';
import { ITranslator } from '@jupyterlab/translation';

import { notebooksOf, pathOf } from '../panel/notebooks.ts';
import { wordsOf } from '../panel/translation.ts';
import { HistoryApi } from './api.ts';
import './changes.css';
import { changesIcon } from './icon.ts';
import { ChangesWidget } from './widget.ts';

const COMMAND = 'mlwidgets:show-changes';

export const changes = {
  id: 'mlwidgets:changes',
  description: 'Shows what changed in a notebook, and its history.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ILabShell, ITranslator, ILayoutRestorer, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    lab: unknown,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
  ): void => {
    const words = wordsOf(translator);
    const notebooks = notebooksOf(tracker);
    const settings = app.serviceManager.serverSettings;
    const api = new HistoryApi((path, init) =>
      ServerConnection.makeRequest(`${settings.baseUrl}mlwidgets/api/${path}`, { ...init, cache: 'no-store' }, settings),
    );
    const tabs = new WidgetTracker<MainAreaWidget<ChangesWidget>>({ namespace: 'mlwidgets-changes' });

    const open = (path: string): void => {
      const there = tabs.find(({ content }) => content.path === path);
      const tab = there ?? new MainAreaWidget({ content: new ChangesWidget(app, api, notebooks, path, words) });
      if (!there) {
        tab.id = `mlwidgets-changes-${path}`;
        const beside = notebooks.find((panel) => pathOf(panel) === path);
        // One place for the changes of all notebooks, or each would take room from those before it.
        const other = tabs.find(({ isAttached }) => isAttached);
        const place = other ? { mode: 'tab-after', ref: other.id } : beside ? { mode: 'split-right', ref: beside.id } : {};
        if (lab) app.shell.add(tab, 'main', { type: 'Changes', ...place });
        else app.shell.add(tab, 'right', { rank: 800 });
        void tabs.add(tab);
        // A notebook that was renamed is found again when the page is.
        tab.content.title.changed.connect(() => void tabs.save(tab));
      }
      // Notebook 7 shows it beside the one notebook of the page.
      if (!lab) app.shell.expandRight?.(tab.id);
      app.shell.activateById(tab.id);
    };

    app.commands.addCommand(COMMAND, {
      label: (args) => (args.toolbar ? '' : words.__('Show Changes in This Notebook')),
      caption: words.__('Show changes since the last commit, save or run'),
      icon: changesIcon as never,
      isEnabled: (args) => typeof args.path === 'string' || notebooks.currentWidget !== null,
      execute: (args) => {
        const { currentWidget: current } = notebooks;
        if (typeof args.path === 'string') open(args.path);
        else if (current) open(pathOf(current));
      },
    });
    palette?.addItem({ command: COMMAND, category: words.__('Notebook Operations') });
    void restorer?.restore(tabs, {
      command: COMMAND,
      args: ({ content }) => ({ path: content.path }),
      name: ({ content }) => content.path,
    });
  },
};
