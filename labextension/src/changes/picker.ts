// One end of a comparison, chosen from a list.
import { element } from '../../views/dom.ts';
import type { Choice, Group } from './choices.ts';

export class Picker {
  readonly node: HTMLElement;
  private readonly select: HTMLSelectElement;
  private shown = '';

  constructor(label: string, chosen: (value: string) => void) {
    this.select = element('select', 'mlw-select', { 'aria-label': label });
    this.select.addEventListener('change', () => {
      chosen(this.select.value);
    });
    this.node = element('span', 'mlw-changes-picker', {}, this.select);
  }

  /** Offer these, with `value` chosen; one that is not among them is called `called`. */
  offer(groups: readonly Group[], value: string, called: string): void {
    const known = groups.some(({ choices }) => choices.some((choice) => choice.value === value));
    const all = known ? groups : [{ label: '', choices: [{ value, label: called }] }, ...groups];
    const key = JSON.stringify(all);
    // A list that is open stays as it is.
    if (key !== this.shown) {
      this.shown = key;
      this.select.replaceChildren(...all.flatMap(draw));
    }
    this.select.value = value;
    this.select.title = this.select.selectedOptions[0]?.label ?? '';
  }
}

function draw({ label, choices }: Group): HTMLElement[] {
  const options = choices.map(({ value, label: text }: Choice) => element('option', '', { value }, text));
  return label ? [element('optgroup', '', { label }, ...options)] : options;
}
