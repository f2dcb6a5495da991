// The panel as a page of its own, for a machine without JupyterLab: runs on the left, what was opened on the right.
import './page.css';

import { element, icon } from '../views/dom.ts';
import { Api } from './api.ts';
import { REPORT } from './icons.ts';
import type { Query } from './list.ts';
import type { Summary } from './model.ts';
import { mountOpened, openedHash, readOpenedHash } from './opened.ts';
import type { PanelHost } from './panel.ts';
import { Project } from './project.ts';
import { noticeText, watchNotices } from './schedules/notices.ts';
import { ProjectPanel } from './sides.ts';
import { ENGLISH } from './words.ts';

const base = document.documentElement.dataset.baseUrl ?? '/';
const KEPT = `mlwidgets:${base}`;

function cookie(name: string): string {
  const found = document.cookie.split('; ').find((one) => one.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : '';
}

const api = new Api((path, init) => {
  const headers = { 'X-XSRFToken': cookie('_xsrf'), 'Content-Type': 'application/json' };
  return fetch(`${base}mlwidgets/api/${path}`, { ...init, headers, credentials: 'same-origin', cache: 'no-store' });
});
const project = new Project(api, () => {
  const address = new URL(`${base}mlwidgets/api/stream`, window.location.href);
  address.protocol = address.protocol.replace('http', 'ws');
  return new WebSocket(address);
});

const opened = element('main', 'mlw-opened', { tabindex: '-1' });
let unmount: (() => void) | null = null;

/** What is opened is in the address, for the way back, a reload and others. */
function show(): void {
  unmount?.();
  unmount = null;
  const asked = readOpenedHash(window.location.hash);
  if (!asked) {
    opened.replaceChildren(element('p', 'mlw-page-hint', {}, 'Open a run: double-click it, or press Enter.'));
    return;
  }
  opened.replaceChildren();
  unmount = mountOpened(opened, project, asked.store, asked.runs, ENGLISH, (run) => {
    window.location.hash = openedHash(asked.store, [run]);
  });
}

const host: PanelHost = {
  words: ENGLISH,
  open: (runs: readonly Summary[]) => {
    const [first] = runs;
    if (!first) return;
    window.location.hash = openedHash(first.store, runs.map(({ id }) => id));
  },
  openPage: (address) => {
    window.open(base + address, '_blank', 'noopener');
  },
  remember: (query, metric) => {
    try {
      localStorage.setItem(KEPT, JSON.stringify({ query, metric }));
    } catch {
      // A browser that keeps nothing.
    }
  },
};

const panel = new ProjectPanel(project, host, (store, run) => {
  window.location.hash = openedHash(store, [run]);
});
watchNotices(panel.book, base, (notices) => {
  panel.say(notices.map(noticeText).join(' · '));
});
const reports = element('a', 'mlw-page-link', { href: `${base}reports/` }, icon(REPORT), 'Reports');
const head = element('header', 'mlw-page-head', {}, element('h1', '', {}, 'mlwidgets'), reports);
const side = element('nav', 'mlw-page-side', { 'aria-label': 'Runs' }, head, panel.node);
document.body.classList.add('mlw-page');
document.body.append(side, opened);
try {
  const kept = JSON.parse(localStorage.getItem(KEPT) ?? 'null') as { query: Partial<Query>; metric: string } | null;
  if (kept) panel.runs.restore(kept.query, kept.metric);
} catch {
  // Nothing was kept, or by another version.
}
window.addEventListener('hashchange', show);
project.start();
// Whether somebody may stop runs is known with the first answer.
const first = project.subscribe(() => {
  if (project.status === 'loading' && !project.info) return;
  first();
  show();
});
