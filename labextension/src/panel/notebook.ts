import type { JupyterFrontEnd } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator } from '@jupyterlab/translation';

import { CellMarks } from './cells.ts';
import { runsIcon } from './icon.ts';
import { asNotebook, notebooksOf } from './notebooks.ts';
import { settingsOf } from './settings.ts';
import { sharedProject } from './shared.ts';
import { trainCell } from './train.ts';
import { wordsOf } from './translation.ts';

export const notebook = {
  id: 'mlwidgets:notebook',
  description: 'Makes runs of cells, and marks cells with the state of the runs that they started.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ITranslator, ICommandPalette, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    registry: ISettingRegistry | null,
  ): void => {
    const words = wordsOf(translator);
    const project = sharedProject(app);
    const notebooks = notebooksOf(tracker);
    const current = (): ReturnType<typeof asNotebook> => asNotebook(notebooks.currentWidget ?? undefined);
    const command = 'mlwidgets:train-cell';
    app.commands.addCommand(command, {
      label: (args) => (args.toolbar ? '' : words.__('Train This Cell…')),
      caption: words.__('Make the cell a tracked run: %1', '%%train'),
      icon: runsIcon as never,
      isEnabled: () => current()?.content.activeCell?.model.type === 'code',
      execute: async () => {
        const panel = current();
        if (panel) await trainCell(app, panel, words);
      },
    });
    palette?.addItem({ command, category: words.__('Runs') });
    const mark = (panel: NonNullable<ReturnType<typeof current>>): void => {
      new CellMarks(panel, project, words, (run) => {
        void app.commands.execute('mlwidgets:open-run', { store: run.store, runs: [run.id], name: run.name });
      });
    };
    void settingsOf(app, registry).then((settings) => {
      if (settings?.composite.cellMarks === false) return;
      notebooks.forEach(mark);
      notebooks.widgetAdded.connect((_sender, panel) => {
        mark(panel);
      });
    });
  },
};
