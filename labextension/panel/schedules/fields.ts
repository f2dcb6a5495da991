// The fields of a form whose values depend on each other.
import { element } from '../../views/dom.ts';

type Input = HTMLInputElement | HTMLSelectElement;

let made = 0;

/** A field with its label, a hint, and one line for what is wrong with it. */
export class Line<I extends Input> {
  readonly node: HTMLElement;
  private readonly told = element('span', 'mlw-wrong', { role: 'alert' });

  constructor(label: string, readonly input: I, hint = '', code = false) {
    const id = `mlw-line-${(made += 1)}`;
    input.id = id;
    this.told.id = `${id}-wrong`;
    input.setAttribute('aria-describedby', this.told.id);
    const name = element('label', code ? 'mlw-form-label mlw-form-code' : 'mlw-form-label', { for: id }, label);
    this.node = element('div', 'mlw-form-row', {}, name, input, this.told);
    if (hint) this.hint(hint);
  }

  hint(text: string): void {
    const there = this.node.querySelector('.mlw-hint') ?? this.node.appendChild(element('span', 'mlw-hint'));
    there.textContent = text;
  }

  /** Say what is wrong; nothing where it is right. */
  wrong(message: string): void {
    if (this.told.textContent !== message) this.told.textContent = message;
    this.input.setAttribute('aria-invalid', String(Boolean(message)));
  }
}

export function textInput(name: string, value: string, more: Readonly<Record<string, string>> = {}): HTMLInputElement {
  const input = element('input', 'mlw-field', { type: 'text', autocomplete: 'off', spellcheck: 'false', ...more });
  input.name = name;
  input.value = value;
  return input;
}

export function choice(name: string, value: string, options: readonly (readonly [value: string, label: string])[]): HTMLSelectElement {
  const select = element('select', 'mlw-field', {});
  select.name = name;
  select.append(...options.map(([one, label]) => element('option', '', { value: one }, label)));
  select.value = value;
  return select;
}

export function tick(name: string, on: boolean, label: string): { node: HTMLElement; input: HTMLInputElement } {
  const input = element('input', '', { type: 'checkbox' });
  input.name = name;
  input.checked = on;
  return { node: element('label', 'mlw-form-tick', {}, input, element('span', 'mlw-form-label', {}, label)), input };
}

/** Offer texts below a field, which takes others, too. */
export function suggest(input: HTMLInputElement, texts: readonly string[]): HTMLElement {
  const list = element('datalist', '', {}, ...texts.map((text) => element('option', '', { value: text })));
  list.id = `mlw-list-${(made += 1)}`;
  input.setAttribute('list', list.id);
  return list;
}
