import { button, element } from '../views/dom.ts';

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly value?: string;
  readonly hint?: string;
  readonly placeholder?: string;
  readonly lines?: number;
  /** A box to tick in place of a text: "yes", or nothing. */
  readonly tick?: boolean;
  /** Its label is a name in code. */
  readonly code?: boolean;
  /** What stands above it, where a new part of the form begins. */
  readonly heading?: string;
  /** What is wrong with a value, in one sentence; nothing where it is right. */
  check?(value: string): string | null;
}

/**
 * Ask for a few texts. Resolves to them by name, or to null where the user does not want to.
 *
 * `attempt` does what they are for and tells what is wrong with them, in one sentence: then they can be mended.
 */
export function askFor(
  title: string,
  fields: readonly Field[],
  buttons: { readonly accept: string; readonly cancel: string },
  attempt?: (given: Readonly<Record<string, string>>) => Promise<string | null>,
): Promise<Readonly<Record<string, string>> | null> {
  return new Promise((resolve) => {
    const box = element('dialog', 'mlw-panel-colours mlw-dialog', { 'aria-label': title, 'data-lm-suppress-shortcuts': 'true' });
    const inputs = fields.map((field) => {
      const input = field.lines
        ? element('textarea', 'mlw-field', { rows: String(field.lines), spellcheck: 'true' })
        : field.tick
          ? element('input', '', { type: 'checkbox' })
          : element('input', 'mlw-field', { type: 'text', autocomplete: 'off', spellcheck: 'false' });
      input.name = field.name;
      if (field.tick && input instanceof HTMLInputElement) input.checked = Boolean(field.value);
      else input.value = field.value ?? '';
      if (field.placeholder) input.placeholder = field.placeholder;
      const wrong = element('span', 'mlw-wrong', { role: 'alert' });
      const text = element('span', field.code ? 'mlw-form-label mlw-form-code' : 'mlw-form-label', {}, field.label);
      const label = field.tick
        ? element('label', 'mlw-form-tick', {}, input, text)
        : element('label', 'mlw-form-row', {}, text, input, wrong);
      if (field.hint) label.append(element('span', 'mlw-hint', {}, field.hint));
      const check = (): boolean => {
        const message = field.check?.(input.value) ?? '';
        wrong.textContent = message;
        input.setAttribute('aria-invalid', String(Boolean(message)));
        return !message;
      };
      input.addEventListener('change', check);
      const value = (): string => (field.tick && input instanceof HTMLInputElement ? (input.checked ? 'yes' : '') : input.value);
      const rows = field.heading ? [element('h3', 'mlw-form-heading', {}, field.heading), label] : [label];
      return { input, rows, check, value };
    });
    const accept = element('button', 'mlw-button mlw-primary', { type: 'submit' }, buttons.accept);
    const cancel = button(buttons.cancel, 'mlw-button', () => {
      box.close();
    });
    const form = element('form', 'mlw-form', { method: 'dialog' }, element('h2', 'mlw-dialog-title', {}, title));
    const refused = element('p', 'mlw-wrong', { role: 'alert' });
    const rows = element('div', 'mlw-form-rows', {}, ...inputs.flatMap((one) => one.rows));
    form.append(rows, refused, element('div', 'mlw-dialog-buttons', {}, cancel, accept));
    let given: Record<string, string> | null = null;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      refused.textContent = '';
      const bad = inputs.find(({ check }) => !check());
      if (bad) {
        bad.input.focus();
        return;
      }
      if (accept.disabled) return;
      const texts = Object.fromEntries(inputs.map(({ input, value }) => [input.name, value()]));
      accept.disabled = true;
      void Promise.resolve(attempt?.(texts) ?? null).then((message) => {
        accept.disabled = false;
        if (message !== null) refused.textContent = message;
        if (message !== null || !box.open) return;
        given = texts;
        box.close();
      });
    });
    box.addEventListener('keydown', (event) => {
      event.stopPropagation();
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    box.addEventListener('close', () => {
      box.remove();
      resolve(given);
    });
    box.append(form);
    document.body.append(box);
    box.showModal();
    const [first] = inputs;
    first?.input.focus();
    first?.input.select();
  });
}
