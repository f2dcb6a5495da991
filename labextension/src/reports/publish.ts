// "Publish report": the form, and the notification that goes on until there is a page.
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification as Toast } from '@jupyterlab/apputils';

import { Refused } from '../../panel/api.ts';
import { askFor } from '../../panel/dialog.ts';
import type { Words } from '../../panel/words.ts';
import { pathOf, type OpenNotebook } from '../panel/notebooks.ts';
import { sharedProject } from '../panel/shared.ts';
import { openAddress } from './address.ts';
import type { ReportsApi, Started, Told } from './api.ts';
import { follow } from './followed.ts';
import { fieldsOf, givenOf } from './form.ts';
import { said, type Said } from './told.ts';

/** Milliseconds between two questions how far a report is, and while the server does not answer. */
const AGAIN = 700;
const AWAY = 5000;
/** Milliseconds that a message stays; it can be read behind JupyterLab's bell afterwards. */
const STAYS_BAD = 30_000;
const STAYS = 15_000;

export async function publish(app: JupyterFrontEnd, api: ReportsApi, panel: OpenNotebook, words: Words): Promise<void> {
  // The server reads the file.
  if (panel.context.model.dirty) await panel.context.save();
  if (panel.context.model.dirty) {
    say(words.__('The notebook could not be saved, and nothing was published.'));
    return;
  }
  const path = pathOf(panel);
  const asked = await attempt(api.params(path));
  if (typeof asked === 'string') {
    say(asked);
    return;
  }
  await askFor(
    words.__('Publish report'),
    fieldsOf(asked, words),
    { accept: words.__('Publish'), cancel: words.__('Cancel') },
    async (values) => {
      const started = await attempt(api.start(givenOf(path, asked, values)));
      if (typeof started === 'string') return started;
      follow({ store: started.store, id: started.run });
      void tell(app, api, started, path, words);
      return null;
    },
  );
}

/** What was asked for, or in one line why there is none of it. */
async function attempt<T extends object>(asked: Promise<T>): Promise<T | string> {
  try {
    return await asked;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function say(message: string): void {
  Toast.emit(message, 'error', { autoClose: STAYS_BAD });
}

/** Say how far a report is until it is over, in one notification. */
async function tell(app: JupyterFrontEnd, api: ReportsApi, started: Started, path: string, words: Words): Promise<void> {
  const show = showRun(app, started, words);
  const first: Said = { text: words.__('Publishing %1: starting…', started.name), type: 'in-progress', over: false };
  const id = Toast.emit(first.text, first.type, { autoClose: false, actions: [show] });
  let before = first;
  let shown = false;
  for (;;) {
    let told: Told;
    try {
      told = await api.told(started);
    } catch (error) {
      // The run goes on without this server; one that is gone from it will not come back.
      if (error instanceof Refused && error.status === 404) {
        close(id, { text: words.__('%1 was deleted: nothing was published', started.name), type: 'info', over: true }, []);
        return;
      }
      await wait(AWAY);
      continue;
    }
    const now = said(started.name, told, words);
    if (now.over) {
      // Its row leads to the page from now on.
      void sharedProject(app).refresh(started.store, started.run).catch(() => undefined);
      close(id, now, [...openPage(app, started, told, words), ...(now.type === 'success' ? schedule(app, path, words) : [show])]);
      return;
    }
    const there = document.getElementById(id) !== null;
    shown ||= there;
    if (now.text !== before.text) {
      // JupyterLab would show again what its user has closed; behind the bell it is kept up to date.
      Toast.update({ id, message: now.text, type: now.type, autoClose: shown && !there ? 0 : false, actions: [show] });
    }
    before = now;
    await wait(AGAIN);
  }
}

interface Action {
  readonly label: string;
  callback(): void;
}

function close(id: string, { text, type }: Said, actions: readonly Action[]): void {
  const options = { autoClose: type === 'error' || type === 'warning' ? STAYS_BAD : STAYS, actions };
  if (!Toast.update({ id, message: text, type, ...options })) Toast.emit(text, type, options);
}

function showRun(app: JupyterFrontEnd, { store, run, name }: Started, words: Words): Action {
  const callback = (): void => {
    void app.commands.execute('mlwidgets:open-run', { store, runs: [run], name });
  };
  return { label: words.__('Show run'), callback };
}

/** A report that was published is opened at its own address, which stays; another edition at that of its own. */
function openPage(app: JupyterFrontEnd, { address }: Started, { edition }: Told, words: Words): Action[] {
  if (!edition) return [];
  const callback = (): void => {
    openAddress(app, edition.state === 'published' ? address : edition.address);
  };
  return [{ label: edition.state === 'published' ? words.__('Open') : words.__('See how far it came'), callback }];
}

/** Publish it by itself from now on. */
function schedule(app: JupyterFrontEnd, path: string, words: Words): Action[] {
  if (sharedProject(app).info?.schedules !== true) return [];
  const callback = (): void => {
    void app.commands.execute('mlwidgets:schedule-notebook', { path });
  };
  return [{ label: words.__('Schedule…'), callback }];
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
