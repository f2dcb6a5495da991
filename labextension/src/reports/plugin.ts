import type { JupyterFrontEnd } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ServerConnection } from '@jupyterlab/services';
import { ITranslator } from '@jupyterlab/translation';

import { notebooksOf, pathOf } from '../panel/notebooks.ts';
import { sharedProject } from '../panel/shared.ts';
import { wordsOf } from '../panel/translation.ts';
import { openAddress, reportsOf } from './address.ts';
import { ReportsApi } from './api.ts';
import { reportIcon } from './icon.ts';
import { publish } from './publish.ts';

const PUBLISH = 'mlwidgets:publish-report';
const SHOW = 'mlwidgets:show-reports';

export const reports = {
  id: 'mlwidgets:reports',
  description: 'Publishes a notebook as one page at a stable address.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ITranslator, ICommandPalette],
  activate: (app: JupyterFrontEnd, tracker: INotebookTracker, translator: ITranslator | null, palette: ICommandPalette | null): void => {
    const { commands } = app;
    const words = wordsOf(translator);
    const project = sharedProject(app);
    const notebooks = notebooksOf(tracker);
    const settings = app.serviceManager.serverSettings;
    const api = new ReportsApi((path, init) =>
      ServerConnection.makeRequest(`${settings.baseUrl}mlwidgets/api/${path}`, { ...init, cache: 'no-store' }, settings),
    );
    const offered = (): boolean => project.info?.reports === true && !project.readOnly;

    commands.addCommand(PUBLISH, {
      label: (args) => (args.toolbar ? '' : words.__('Publish Report…')),
      caption: words.__('Publish report: execute the notebook, and make a page of it'),
      icon: reportIcon as never,
      isVisible: offered,
      isEnabled: () => offered() && notebooks.currentWidget !== null,
      execute: async () => {
        const { currentWidget: current } = notebooks;
        if (current) await publish(app, api, current, words);
      },
    });
    commands.addCommand(SHOW, {
      label: words.__('Show Reports'),
      caption: words.__('All reports of the project'),
      icon: reportIcon as never,
      execute: () => {
        const { currentWidget: current } = notebooks;
        openAddress(app, reportsOf(current && pathOf(current), project.stores.map(({ store }) => store)));
      },
    });
    palette?.addItem({ command: PUBLISH, category: words.__('Notebook Operations') });
    palette?.addItem({ command: SHOW, category: words.__('Runs') });
    // Whether it is offered is known once the server has said so.
    let shown = offered();
    project.subscribe(() => {
      if (offered() === shown) return;
      shown = offered();
      commands.notifyCommandChanged(PUBLISH);
    });
  },
};
