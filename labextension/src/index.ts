// The JupyterLab extension; Notebook 7 loads the same.
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { IConsoleTracker } from '@jupyterlab/console';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';

import { DISPLAY_EVENT, RUN_MIME, type Offer } from '../views/index.ts';
import { changes } from './changes/plugin.ts';
import { drawDisplay } from './displays.ts';
import { hostFinder } from './host.ts';
import { notebook } from './panel/notebook.ts';
import { notify } from './panel/notify.ts';
import { ServedRuns } from './panel/served.ts';
import { sharedProject } from './panel/shared.ts';
import { sidebar } from './panel/sidebar.ts';
import { status } from './panel/status.ts';
import { RunRenderer } from './renderer.ts';
import { reports } from './reports/plugin.ts';
import { twins } from './twins/plugin.ts';

/** Before the widget's own renderer (-10), which shows nothing without its kernel. */
const RANK = -20;

const runs = {
  id: 'mlwidgets:runs',
  description: 'Shows tracked runs: live while the server or a kernel knows them, from what the notebook keeps of them otherwise.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [INotebookTracker, IConsoleTracker],
  activate: (
    app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry,
    notebooks: INotebookTracker | null,
    consoles: IConsoleTracker | null,
  ): void => {
    const findHost = hostFinder(notebooks, consoles);
    const open = (store: string, run: string): void => {
      void app.commands.execute('mlwidgets:open-run', { store, runs: [run] });
    };
    const createRenderer = (options: ConstructorParameters<typeof RunRenderer>[0]): RunRenderer =>
      new RunRenderer(options, findHost, (runs, listener) => new ServedRuns(sharedProject(app), runs, listener, open));
    document.addEventListener(DISPLAY_EVENT, ({ target, detail }: CustomEventInit<Offer> & { target: EventTarget | null }) => {
      if (!detail || !(target instanceof HTMLElement)) return;
      detail.drawn = drawDisplay(target, detail, findHost(target)?.rendermime ?? rendermime);
    });
    rendermime.addFactory({ safe: true, mimeTypes: [RUN_MIME], createRenderer }, RANK);
  },
};

export default [runs, sidebar, notebook, status, notify, changes, reports, twins];
