import { button, element } from '../views/dom.ts';

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly value?: string;
  readonly hint?: string;
  readonly placeholder?: string;
  readonly lines?: number;
  /** What is wrong with a value, in one sentence; nothing where it is right. */
  check?(value: string): string | null;
}

/** Ask for a few texts. Resolves to them by name, or to null where the user does not want to. */
export function askFor(
  title: string,
  fields: readonly Field[],
  buttons: { readonly accept: string; readonly cancel: string },
): Promise<Readonly<Record<string, string>> | null> {
  return new Promise((resolve) => {
    const box = element('dialog', 'mlw-panel-colours mlw-dialog', { 'aria-label': title, 'data-lm-suppress-shortcuts': 'true' });
    const inputs = fields.map((field) => {
      const input = field.lines
        ? element('textarea', 'mlw-field', { rows: String(field.lines), spellcheck: 'true' })
        : element('input', 'mlw-field', { type: 'text', autocomplete: 'off', spellcheck: 'false' });
      input.name = field.name;
      input.value = field.value ?? '';
      if (field.placeholder) input.placeholder = field.placeholder;
      const wrong = element('span', 'mlw-wrong', { role: 'alert' });
      const label = element('label', 'mlw-form-row', {}, element('span', 'mlw-form-label', {}, field.label), input, wrong);
      if (field.hint) label.append(element('span', 'mlw-hint', {}, field.hint));
      const check = (): boolean => {
        const message = field.check?.(input.value) ?? '';
        wrong.textContent = message;
        input.setAttribute('aria-invalid', String(Boolean(message)));
        return !message;
      };
      input.addEventListener('change', check);
      return { input, label, check };
    });
    const accept = element('button', 'mlw-button mlw-primary', { type: 'submit' }, buttons.accept);
    const cancel = button(buttons.cancel, 'mlw-button', () => {
      box.close();
    });
    const form = element('form', 'mlw-form', { method: 'dialog' }, element('h2', 'mlw-dialog-title', {}, title));
    form.append(...inputs.map(({ label }) => label), element('div', 'mlw-dialog-buttons', {}, cancel, accept));
    let given: Record<string, string> | null = null;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const bad = inputs.find(({ check }) => !check());
      if (bad) {
        bad.input.focus();
        return;
      }
      given = Object.fromEntries(inputs.map(({ input }) => [input.name, input.value]));
      box.close();
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
