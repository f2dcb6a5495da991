// What is left for the browser, as notifications.
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification as Toast } from '@jupyterlab/apputils';
import type { ISettings } from '@jupyterlab/settingregistry';

import type { Book } from '../../panel/schedules/book.ts';
import type { Notice } from '../../panel/schedules/model.ts';
import { noticeText, watchNotices } from '../../panel/schedules/notices.ts';
import type { Words } from '../../panel/words.ts';
import { openAddress } from '../reports/address.ts';
import { SHOW_SCHEDULES } from './commands.ts';

/** Milliseconds that a message stays; it can be read behind JupyterLab's bell afterwards. */
const STAYS = 8000;
const STAYS_BAD = 30_000;
/** More at once are counted. */
const MOST = 3;
const GOOD = new Set(['finished', 'published']);

export function showNotices(app: JupyterFrontEnd, book: Book, words: Words, settings: ISettings | null): void {
  watchNotices(book, app.serviceManager.serverSettings.baseUrl, (notices) => {
    show(app, notices, words, settings);
  });
}

function show(app: JupyterFrontEnd, notices: readonly Notice[], words: Words, settings: ISettings | null): void {
  for (const notice of notices.slice(-MOST)) tell(app, notice, words, settings);
  const more = notices.length - MOST;
  if (more <= 0) return;
  Toast.emit(words._n('%1 more notice', '%1 more notices', more), 'info', { autoClose: STAYS, actions: [showSchedules(app, words)] });
}

function tell(app: JupyterFrontEnd, notice: Notice, words: Words, settings: ISettings | null): void {
  const good = GOOD.has(notice.state);
  const { address, subject } = notice;
  const text = noticeText(notice);
  const open = address ? [{ label: words.__('Open'), callback: () => { openAnywhere(app, address); } }] : [];
  if (settings?.composite.notifications !== false) {
    Toast.emit(text, good ? 'success' : 'warning', { autoClose: good ? STAYS : STAYS_BAD, actions: [...open, showSchedules(app, words)] });
  }
  const allowed = 'Notification' in window && settings?.composite.browserNotifications !== false && Notification.permission === 'granted';
  if (!allowed || document.hasFocus()) return;
  const shown = new Notification(subject, { tag: notice.key, body: notice.text });
  shown.onclick = () => {
    window.focus();
    if (address) openAnywhere(app, address);
    shown.close();
  };
}

/** Notices name pages as those outside see them: in full, where that is set. */
function openAnywhere(app: JupyterFrontEnd, address: string): void {
  if (/^https?:\/\//.test(address)) window.open(address, '_blank', 'noopener');
  else openAddress(app, address.replace(/^\//, ''));
}

function showSchedules(app: JupyterFrontEnd, words: Words): { label: string; callback(): void } {
  return { label: words.__('Schedules'), callback: () => { void app.commands.execute(SHOW_SCHEDULES); } };
}
