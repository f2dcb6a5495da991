// "Pair notebooks with text": what would be written is shown, and written once it is consented to.
import { Notification } from '@jupyterlab/apputils';

import type { Words } from '../../panel/words.ts';
import { button, element } from '../../views/dom.ts';
import type { Plan, TwinsApi } from './api.ts';

/** As Jupytext writes them; the first where settings that are there say nothing. */
const FORMATS = [
  ['', 'As the project’s settings say, else Python'],
  ['py:percent', 'Python (py:percent)'],
  ['md', 'Markdown (md)'],
  ['md:myst', 'MyST Markdown (md:myst)'],
  ['Rmd', 'R Markdown (Rmd)'],
  ['qmd', 'Quarto (qmd)'],
] as const;
const MOST = 200;

/** Milliseconds that a message stays. */
const STAYS = 15_000;

export function pairNotebooks(api: TwinsApi, folder: string, words: Words, done: () => void): Promise<void> {
  return new Promise((resolve) => {
    const title = words.__('Pair notebooks with text');
    const box = element('dialog', 'mlw-panel-colours mlw-dialog mlw-twin-dialog', { 'aria-label': title, 'data-lm-suppress-shortcuts': 'true' });
    const folders = above(folder).map((one) => element('option', '', { value: one }, one || words.__('(the server’s folder)')));
    const where = element('select', 'mlw-select', { name: 'folder' }, ...folders);
    const format = element('select', 'mlw-select', { name: 'format' }, ...FORMATS.map(([value, label]) => element('option', '', { value }, words.__(label))));
    const shown = element('div', 'mlw-twin-plan', { 'aria-live': 'polite' });
    const wrong = element('p', 'mlw-wrong', { role: 'alert' });
    const accept = element('button', 'mlw-button mlw-primary', { type: 'submit' }, words.__('Pair'));
    const cancel = button(words.__('Cancel'), 'mlw-button', () => { box.close(); });
    let plan: Plan | null = null;
    let asked = 0;
    const ask = async (): Promise<void> => {
      const now = (asked += 1);
      plan = null;
      accept.disabled = true;
      wrong.textContent = '';
      try {
        const found = await api.plan(where.value, format.value);
        if (now !== asked) return;
        plan = found;
        shown.replaceChildren(...drawPlan(found, words));
        accept.disabled = found.write.length === 0 && found.present.length === 0 && found.after === null;
      } catch (error) {
        if (now !== asked) return;
        shown.replaceChildren();
        wrong.textContent = messageOf(error, words);
      }
    };
    const again = (): void => { void ask(); };
    where.addEventListener('change', again);
    format.addEventListener('change', again);
    const row = (label: string, field: HTMLElement, hint: string): HTMLElement =>
      element('label', 'mlw-form-row', {}, element('span', 'mlw-form-label', {}, label), field, element('span', 'mlw-hint', {}, hint));
    const form = element('form', 'mlw-form', { method: 'dialog' },
      element('h2', 'mlw-dialog-title', {}, title),
      row(words.__('Notebooks of'), where, words.__('Those in the folders below it, too.')),
      row(words.__('Text'), format, words.__('Each notebook gets a text file that says the same: readable in git, editable anywhere.')),
      shown, wrong,
      element('div', 'mlw-dialog-buttons', {}, cancel, accept),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (!plan || accept.disabled) return;
      accept.disabled = true;
      const { id } = plan;
      void api.pair(where.value, format.value, id).then(
        (problems) => {
          box.close();
          done();
          if (problems.length > 0) Notification.emit(problems.slice(0, 5).join('\n'), 'warning', { autoClose: STAYS });
          else Notification.emit(words.__('Paired: the text files are written after each save from now on.'), 'success', { autoClose: STAYS });
        },
        async (error: unknown) => {
          // What was shown may be what is no longer so.
          await ask();
          wrong.textContent = messageOf(error, words);
        },
      );
    });
    box.addEventListener('keydown', (event) => { event.stopPropagation(); });
    box.addEventListener('close', () => {
      asked += 1;
      box.remove();
      resolve();
    });
    box.append(form);
    document.body.append(box);
    again();
    box.showModal();
    where.focus();
  });
}

function drawPlan(plan: Plan, words: Words): HTMLElement[] {
  const lines = (pairs: readonly (readonly [string, string])[], arrow: string): HTMLElement => {
    const items = pairs.slice(0, MOST).map(([one, other]) => element('li', '', {}, element('code', '', {}, one), ` ${arrow} `, element(arrow === '→' ? 'code' : 'span', '', {}, other)));
    if (pairs.length > MOST) items.push(element('li', '', {}, words.__('and %1 more', pairs.length - MOST)));
    return element('ul', 'mlw-twin-list', {}, ...items);
  };
  const part = (title: string, ...content: HTMLElement[]): HTMLElement => element('section', '', {}, element('h3', 'mlw-form-heading', {}, title), ...content);
  const found: HTMLElement[] = [];
  if (plan.after !== null) {
    found.push(part(plan.created ? words.__('This file is written') : words.__('This file becomes'),
      element('p', 'mlw-twin-file', {}, element('code', '', {}, plan.settings)), element('pre', 'mlw-twin-settings', {}, plan.after.trimEnd())));
  }
  const { write, present, apart, leave, stay } = plan;
  if (write.length > 0) found.push(part(words._n('This text file is written', '%1 text files are written', write.length), lines(write, '→')));
  if (present.length > 0) found.push(part(words._n('This text file is there already and is kept', '%1 text files are there already and are kept', present.length), lines(present, '→')));
  if (leave.length > 0) {
    found.push(part(words._n('This text file is removed', '%1 text files are removed', leave.length), lines(leave, '→'),
      element('p', 'mlw-hint', {}, words.__('Their notebooks say the same. They are kept in the notebooks’ history; in git each is a deletion that you commit.'))));
  }
  if (stay.length > 0) found.push(part(words._n('This text file of another format stays', '%1 text files of another format stay', stay.length), lines(stay, '—')));
  if (apart.length > 0) found.push(part(words._n('This notebook stays as it is', '%1 notebooks stay as they are', apart.length), lines(apart, '—')));
  if (found.length === 0) found.push(element('p', 'mlw-hint', {}, words.__('There is no notebook here to pair.')));
  return found;
}

/** The folder and those that it lies in; the server's own folder is "". */
export function above(folder: string): string[] {
  const parts = folder.split('/').filter(Boolean);
  return [...parts.map((_, index) => parts.slice(0, parts.length - index).join('/')), ''];
}

function messageOf(error: unknown, words: Words): string {
  return error instanceof Error && error.message ? error.message : words.__('That did not work: the server does not answer.');
}
