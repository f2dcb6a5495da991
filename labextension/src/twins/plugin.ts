import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, ICommandPalette, IToolbarWidgetRegistry, Notification, showDialog } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ServerConnection } from '@jupyterlab/services';
import { ITranslator } from '@jupyterlab/translation';
import type { Widget } from '@lumino/widgets';

import { asNotebook, folderOf, notebooksOf, pathOf } from '../panel/notebooks.ts';
import { sharedProject } from '../panel/shared.ts';
import { wordsOf } from '../panel/translation.ts';
import { TwinsApi } from './api.ts';
import { ConflictBar } from './bar.ts';
import { decide } from './decide.ts';
import { Followed } from './follow.ts';
import { twinIcon } from './icon.ts';
import { TwinItem } from './item.ts';
import type { Edited } from './model.ts';
import { pairNotebooks } from './pair.ts';
import './twins.css';

const PAIR = 'mlwidgets:pair-notebooks';
const UNPAIR = 'mlwidgets:unpair-notebook';
const DECIDE = 'mlwidgets:decide-conflicts';

export const twins = {
  id: 'mlwidgets:twins',
  description: 'Keeps notebooks and their text twins the same, whichever of them is edited.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [IToolbarWidgetRegistry, ITranslator, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    toolbars: IToolbarWidgetRegistry | null,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
  ): void => {
    const { commands } = app;
    const words = wordsOf(translator);
    const project = sharedProject(app);
    const notebooks = notebooksOf(tracker);
    const settings = app.serviceManager.serverSettings;
    const api = new TwinsApi((path, init) =>
      ServerConnection.makeRequest(`${settings.baseUrl}mlwidgets/api/${path}`, { ...init, cache: 'no-store' }, settings),
    );
    /** Of each notebook, in however many tabs it is open. */
    const followed = new Map<Edited['context'], Followed>();
    const items = new Map<Edited['context'], Set<TwinItem>>();

    const say = (message: string, type: 'info' | 'error' = 'info'): void => {
      Notification.emit(message, type, { autoClose: 8000 });
    };
    const attempt = async (work: () => Promise<unknown>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        if (error instanceof Error && error.name === 'ModalCancelError') return;
        say(error instanceof Error && error.message ? error.message : words.__('That did not work: the server does not answer.'), 'error');
      }
    };
    const follow = (panel: Edited): Followed => {
      const { context } = panel;
      const there = followed.get(context);
      if (there) return there;
      const one = new Followed(panel, api, {
        changed: () => {
          items.get(context)?.forEach((item) => { item.tell(one.state, one.taken); });
          if (notebooks.currentWidget?.context === context) for (const command of [UNPAIR, DECIDE]) commands.notifyCommandChanged(command);
        },
        cannotSave: () => { say(words.__('What was edited in the text is shown, and the notebook cannot be written.'), 'error'); },
      });
      followed.set(context, one);
      context.disposed.connect(() => {
        followed.delete(context);
        items.delete(context);
      });
      return one;
    };
    const current = (): Followed | undefined => {
      const panel = notebooks.currentWidget;
      return panel ? followed.get(panel.context as Edited['context']) : undefined;
    };

    const decideOn = (one: Followed): Promise<void> => attempt(async () => {
      const { twin } = one.state;
      if (twin === null) return;
      const found = await one.conflicts();
      if (found.length === 0) {
        one.look();
        say(words.__('Nothing is to be decided: the notebook and %1 go together.', twin));
        return;
      }
      await decide(found, twin.slice(twin.lastIndexOf('/') + 1), words, async (choices) => {
        try {
          return await one.settle(choices, words.__('Merging…'));
        } catch (error) {
          return error instanceof Error && error.message ? error.message : words.__('That did not work: the server does not answer.');
        }
      });
      one.look();
    });
    const unpair = (one: Followed): Promise<void> => attempt(async () => {
      const { twin } = one.state;
      if (twin === null) return;
      const { button } = await showDialog({
        title: words.__('Unpair from text?'),
        body: words.__('%1 stays as it is and is written no more: the notebook’s metadata say so from then on.', twin),
        buttons: [Dialog.cancelButton(), Dialog.okButton({ label: words.__('Unpair') })],
      });
      if (!button.accept) return;
      await one.unpair();
    });

    const add = (widget: Widget): TwinItem => {
      const panel = asNotebook(widget) as Edited | null;
      const one = panel && follow(panel);
      const item = new TwinItem(words, {
        decide: () => { if (one) void decideOn(one); },
        openText: () => { if (one?.state.twin) void commands.execute('docmanager:open', { path: one.state.twin, factory: 'Editor' }); },
        unpair: () => { if (one) void unpair(one); },
        get readOnly() { return project.readOnly; },
      });
      if (panel && one) {
        const shown = items.get(panel.context) ?? new Set();
        items.set(panel.context, shown.add(item));
        item.disposed.connect(() => { shown.delete(item); });
        item.tell(one.state, one.taken);
      }
      return item;
    };
    toolbars?.addFactory('Notebook', 'mlwidgets-twin', add);
    const opened = (panel: Edited): void => {
      follow(panel);
      panel.contentHeader.addWidget(new ConflictBar(panel, words));
    };
    notebooks.forEach((panel) => { opened(panel as Edited); });
    notebooks.widgetAdded.connect((_sender, panel) => { opened(panel as Edited); });

    commands.addCommand(PAIR, {
      label: words.__('Pair Notebooks with Text…'),
      caption: words.__('Give each notebook of a folder a text file that says the same'),
      icon: twinIcon as never,
      isEnabled: () => !project.readOnly,
      execute: async (args) => {
        const panel = notebooks.currentWidget;
        const folder = typeof args.folder === 'string' ? args.folder : panel ? folderOf(pathOf(panel)) : '';
        await pairNotebooks(api, folder, words, () => { followed.forEach((one) => { one.look(); }); });
      },
    });
    commands.addCommand(UNPAIR, {
      label: words.__('Unpair Notebook from Text…'),
      caption: words.__('Write the text file of this notebook no more'),
      isEnabled: () => !project.readOnly && current()?.state.twin != null,
      execute: async () => {
        const one = current();
        if (one) await unpair(one);
      },
    });
    commands.addCommand(DECIDE, {
      label: words.__('Decide on Cells Changed in Notebook and Text…'),
      caption: words.__('Choose which versions stay'),
      isEnabled: () => !project.readOnly && (current()?.state.conflicts.length ?? 0) > 0,
      execute: async () => {
        const one = current();
        if (one) await decideOn(one);
      },
    });
    for (const command of [PAIR, UNPAIR, DECIDE]) palette?.addItem({ command, category: words.__('Notebook Operations') });
  },
};
