// "Schedule this notebook", and the way to the list.
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification as Toast, type ICommandPalette } from '@jupyterlab/apputils';

import type { ProjectPanel } from '../../panel/sides.ts';
import type { Words } from '../../panel/words.ts';
import { pathOf, type Notebooks } from '../panel/notebooks.ts';
import { scheduleIcon } from './icon.ts';

export const SCHEDULE = 'mlwidgets:schedule-notebook';
export const SHOW_SCHEDULES = 'mlwidgets:show-schedules';

interface Surroundings {
  readonly words: Words;
  readonly notebooks: Notebooks | null;
  readonly palette: ICommandPalette | null;
  /** Brings the panel to the front. */
  readonly reveal: () => void;
}

export function addScheduleCommands({ commands }: JupyterFrontEnd, panel: ProjectPanel, { words, notebooks, palette, reveal }: Surroundings): void {
  const { book } = panel;
  const offered = (): boolean => book.offered && !book.project.readOnly;

  commands.addCommand(SHOW_SCHEDULES, {
    label: words.__('Show Schedules'),
    caption: words.__('What runs by itself, and when'),
    icon: scheduleIcon as never,
    isVisible: () => book.offered,
    execute: () => {
      reveal();
      panel.showSchedules();
    },
  });
  commands.addCommand(SCHEDULE, {
    label: words.__('Schedule This Notebook…'),
    caption: words.__('Publish this notebook as a report by itself, at the times that you choose'),
    icon: scheduleIcon as never,
    isVisible: offered,
    isEnabled: (args) => offered() && (typeof args.path === 'string' || Boolean(notebooks?.currentWidget)),
    execute: async (args) => {
      const current = notebooks?.currentWidget ?? null;
      const path = typeof args.path === 'string' ? args.path : current && pathOf(current);
      if (path === null) return;
      // What is executed is the file.
      const open = notebooks?.find((one) => pathOf(one) === path);
      if (open?.context.model.dirty) await open.context.save();
      if (open?.context.model.dirty) {
        Toast.emit(words.__('The notebook could not be saved, and was not scheduled.'), 'error', { autoClose: 15_000 });
        return;
      }
      reveal();
      await panel.schedule({ notebook: path });
    },
  });
  palette?.addItem({ command: SCHEDULE, category: words.__('Notebook Operations') });
  palette?.addItem({ command: SHOW_SCHEDULES, category: words.__('Runs') });
  // Whether they are offered is known once the server has said so.
  let shown = offered();
  book.project.subscribe(() => {
    if (offered() === shown) return;
    shown = offered();
    commands.notifyCommandChanged(SCHEDULE);
    commands.notifyCommandChanged(SHOW_SCHEDULES);
  });
}
