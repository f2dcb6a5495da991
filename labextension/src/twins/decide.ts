// "The same cell was changed here and in the text": both versions side by side, cell by cell.
import { drawRows } from '../../views/changes/lines.ts';
import { button, element } from '../../views/dom.ts';
import type { Words } from '../../panel/words.ts';
import type { Choice, Conflict } from './api.ts';

/**
 * Ask which versions stay; null where the user does not want to decide now.
 *
 * `attempt` carries it out and returns what is left to be decided, or what is wrong, in one sentence.
 */
export function decide(
  conflicts: readonly Conflict[],
  twin: string,
  words: Words,
  attempt: (choices: Readonly<Record<string, Choice>>) => Promise<readonly Conflict[] | string>,
): Promise<void> {
  return new Promise((resolve) => {
    const title = words.__('Changed here and in %1', twin);
    const box = element('dialog', 'mlw-panel-colours mlw-dialog mlw-twin-dialog', { 'aria-label': title, 'data-lm-suppress-shortcuts': 'true' });
    const list = element('div', 'mlw-twin-cells mlw-diff-cells');
    const wrong = element('p', 'mlw-wrong', { role: 'alert' });
    const accept = element('button', 'mlw-button mlw-primary', { type: 'submit' }, words.__('Apply'));
    const cancel = button(words.__('Decide later'), 'mlw-button', () => { box.close(); });
    const chosen = new Map<string, Choice>();
    let asked = conflicts;
    const update = (): void => {
      accept.disabled = asked.some(({ id }) => !chosen.has(id));
    };
    const draw = (): void => {
      list.replaceChildren(...asked.map((one) => drawConflict(one, twin, words, chosen.get(one.id), (choice) => {
        chosen.set(one.id, choice);
        update();
      })));
      update();
    };
    const all = (choice: Choice) => (): void => {
      for (const { id } of asked) chosen.set(id, choice);
      draw();
    };
    const every = element('div', 'mlw-twin-all', { role: 'group', 'aria-label': words.__('All cells') },
      element('span', 'mlw-hint', {}, words.__('All cells:')),
      button(words.__('Notebook'), 'mlw-button', all('notebook')),
      button(twin, 'mlw-button', all('twin')),
      button(words.__('Both'), 'mlw-button', all('both')),
    );
    const form = element('form', 'mlw-form', { method: 'dialog' },
      element('h2', 'mlw-dialog-title', {}, title),
      element('p', 'mlw-hint', {}, words.__('Until this is decided, both files stay as they are. What is replaced stays in the notebook’s history.')),
      ...(conflicts.length > 1 ? [every] : []), list, wrong,
      element('div', 'mlw-dialog-buttons', {}, cancel, accept),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (accept.disabled) return;
      accept.disabled = true;
      wrong.textContent = '';
      void attempt(Object.fromEntries(chosen)).then((left) => {
        if (typeof left === 'string') {
          wrong.textContent = left;
          update();
        } else if (left.length > 0) {
          asked = left;
          wrong.textContent = words.__('Something was changed meanwhile: please look again.');
          draw();
        } else box.close();
      });
    });
    box.addEventListener('keydown', (event) => { event.stopPropagation(); });
    box.addEventListener('close', () => {
      box.remove();
      resolve();
    });
    box.append(form);
    document.body.append(box);
    draw();
    box.showModal();
    list.querySelector('input')?.focus();
  });
}

function drawConflict(one: Conflict, twin: string, words: Words, now: Choice | undefined, choose: (choice: Choice) => void): HTMLElement {
  const name = words.__('Cell %1', one.cell);
  const option = (choice: Choice, label: string): HTMLElement => {
    const input = element('input', '', { type: 'radio', name: one.id, value: choice });
    input.checked = now === choice;
    input.addEventListener('change', () => { choose(choice); });
    return element('label', 'mlw-twin-choice', {}, input, element('span', '', {}, label));
  };
  const gone = words.__('(deleted)');
  const choices = element('div', 'mlw-twin-choices', {},
    option('notebook', one.deleted === 'notebook' ? words.__('Leave it deleted') : words.__('Notebook')),
    option('twin', one.deleted === 'twin' ? words.__('Delete it') : twin),
    ...(one.deleted === null ? [option('both', words.__('Both'))] : []),
  );
  const sides = element('div', 'mlw-twin-sides', { 'aria-hidden': 'true' },
    element('span', 'mlw-twin-old', {}, words.__('Notebook'), one.deleted === 'notebook' ? ` ${gone}` : ''),
    element('span', 'mlw-twin-new', {}, twin, one.deleted === 'twin' ? ` ${gone}` : ''),
  );
  const legend = element('legend', 'mlw-twin-legend', {}, name);
  return element('fieldset', 'mlw-twin-cell', {}, legend, choices, sides, drawRows(one.rows, one.kind === 'code'));
}
