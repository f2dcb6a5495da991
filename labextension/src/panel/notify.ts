import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification as Toast } from '@jupyterlab/apputils';
import { ISettingRegistry, type ISettings } from '@jupyterlab/settingregistry';
import { ITranslator } from '@jupyterlab/translation';

import { keyOf, type Summary } from '../../panel/model.ts';
import { formatTook } from '../../views/format.ts';
import { isFollowed } from '../reports/followed.ts';
import { settingsOf } from './settings.ts';
import { sharedProject } from './shared.ts';
import { wordsOf } from './translation.ts';

/** Milliseconds that a message stays; it can be read behind JupyterLab's bell afterwards. */
const STAYS = 8000;
const STAYS_BAD = 20_000;
const MOST_OF_CAUSE = 200;

export const notify = {
  id: 'mlwidgets:notify',
  description: 'Says when a run has ended: in JupyterLab, and by the browser while nobody looks at the page.',
  autoStart: true,
  optional: [ISettingRegistry, ITranslator],
  activate: (app: JupyterFrontEnd, registry: ISettingRegistry | null, translator: ITranslator | null): void => {
    const words = wordsOf(translator);
    const project = sharedProject(app);
    let settings: ISettings | null = null;
    void settingsOf(app, registry).then((loaded) => {
      settings = loaded;
    });
    const wants = (name: string): boolean => settings?.composite[name] !== false;
    const open = (run: Summary): void => {
      void app.commands.execute('mlwidgets:open-run', { store: run.store, runs: [run.id], name: run.name });
    };
    const inBrowser = 'Notification' in window;
    let offered = false;
    project.onEnd((run) => {
      // Of a search one wants to hear once, and of what a schedule starts as the schedule says.
      if (run.trial_of != null || ('schedule' in run.tags && 'due' in run.tags)) return;
      const elsewhere = isFollowed(run);
      const good = run.state === 'finished';
      const unstarted = run.state === 'stopped' && run.started === null;
      const took = formatTook((run.ended ?? project.now) - (run.started ?? run.submitted));
      const end = unstarted ? words.__('%1 did not start', run.name) : words.__('%1 %2 after %3', run.name, run.state, took);
      const message = good || !run.cause ? end : `${end}: ${run.cause.length > MOST_OF_CAUSE ? `${run.cause.slice(0, MOST_OF_CAUSE)}…` : run.cause}`;
      if (wants('notifications') && !elsewhere) {
        const actions = [{ label: words.__('Open'), callback: () => { open(run); } }];
        if (inBrowser && wants('browserNotifications') && !offered && Notification.permission === 'default') {
          // Browsers ask their user only in answer to a click.
          offered = true;
          actions.push({ label: words.__('Tell me outside JupyterLab too'), callback: () => { void Notification.requestPermission(); } });
        }
        const asWished = run.state === 'stopped' && !unstarted;
        Toast.emit(message, good ? 'success' : asWished ? 'info' : 'warning', { autoClose: good || asWished ? STAYS : STAYS_BAD, actions });
      }
      if (inBrowser && wants('browserNotifications') && Notification.permission === 'granted' && !document.hasFocus()) {
        // Several pages of one server say it once: the tag is the same.
        const shown = new Notification(message, { tag: keyOf(run), body: run.notebook ?? '' });
        shown.onclick = () => {
          window.focus();
          open(run);
          shown.close();
        };
      }
    });
  },
};
