import { button, element } from './dom.ts';
import type { Answer, RunSource } from './model.ts';

const COMPARE = 'M2 13V3h1.500v8.500H14V13zm2.500-3.200 3-4 2.300 2.100L12.800 4l1.200.9-4 5.200-2.300-2.100-2 2.700z';

/** A button that opens a list of the project's runs to lay beside this one. Nothing without somebody to ask. */
export class CompareMenu {
  readonly node = element('span', 'mlw-compare');
  private readonly list = element('div', 'mlw-popup', { role: 'group', 'aria-label': 'Runs to compare', hidden: '' });
  private readonly toggle: HTMLButtonElement;

  constructor(private readonly source: RunSource) {
    this.toggle = button('Compare', 'mlw-button mlw-compare-button', () => {
      if (this.list.hidden) void this.open();
      else this.close();
    }, COMPARE);
    this.toggle.setAttribute('aria-expanded', 'false');
    this.node.append(this.toggle, this.list);
    this.node.hidden = !source.ask;
    this.node.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !this.list.hidden) {
        event.stopPropagation();
        this.close();
        this.toggle.focus();
      }
    });
    this.node.addEventListener('focusout', (event) => {
      if (event.relatedTarget && !this.node.contains(event.relatedTarget as Node)) this.close();
    });
  }

  private close(): void {
    this.list.hidden = true;
    this.toggle.setAttribute('aria-expanded', 'false');
  }

  private async open(): Promise<void> {
    this.list.hidden = false;
    this.toggle.setAttribute('aria-expanded', 'true');
    this.list.replaceChildren(element('div', 'mlw-hint', {}, 'Loading…'));
    try {
      this.show((await this.source.ask?.({ type: 'runs' }))?.runs ?? []);
    } catch (error) {
      this.list.replaceChildren(element('div', 'mlw-hint', {}, error instanceof Error ? error.message : String(error)));
    }
  }

  private show(runs: NonNullable<Answer['runs']>): void {
    const first = this.source.runs[0]?.header.id;
    const others = runs.filter(([id]) => id !== first);
    if (!others.length) {
      this.list.replaceChildren(element('div', 'mlw-hint', {}, 'There is no other run in this project yet.'));
      return;
    }
    const items = others.map(([id, name, state, submitted, params, shown]) => {
      const box = element('input', '', { type: 'checkbox', value: id });
      box.checked = shown;
      const when = new Date(submitted * 1000).toLocaleString([], { dateStyle: 'short', timeStyle: 'short' });
      const about = element('span', 'mlw-hint', {}, [state, when, params].filter(Boolean).join(' · '));
      return element('label', 'mlw-popup-item', { title: id }, box, element('span', 'mlw-popup-name', {}, name), about);
    });
    const chosen = (): string[] =>
      [...this.list.querySelectorAll<HTMLInputElement>('input:checked')].map((box) => box.value);
    const done = button('Show', 'mlw-button', () => {
      this.source.ask?.({ type: 'compare', runs: chosen() }).catch(() => undefined);
      this.close();
      this.toggle.focus();
    });
    this.list.replaceChildren(element('div', 'mlw-popup-items', {}, ...items), done);
    this.list.querySelector('input')?.focus();
  }
}
