import { element } from './dom.ts';

export interface Tab {
  readonly id: string;
  readonly label: string;
  readonly panel: HTMLElement;
}

let made = 0;

/** A strip of tabs with one panel below it; arrow keys go from tab to tab. */
export class Tabs {
  readonly node = element('section', 'mlw-section mlw-tabs');
  private readonly strip = element('div', 'mlw-strip', { role: 'tablist' });
  private readonly heads: HTMLButtonElement[];
  private current = 0;
  /** What the reader has turned to; nothing before that. */
  turned = '';
  private wanted = '';

  constructor(
    label: string,
    private readonly tabs: readonly Tab[],
    private readonly opened: (id: string) => void,
  ) {
    const prefix = `mlw-tab-${(made += 1)}`;
    this.strip.setAttribute('aria-label', label);
    this.heads = tabs.map(({ id, label: name, panel }, index) => {
      const head = element('button', 'mlw-tab', { type: 'button', role: 'tab', id: `${prefix}-${id}` }, name);
      head.addEventListener('click', () => {
        this.turn(index);
      });
      panel.setAttribute('role', 'tabpanel');
      panel.setAttribute('aria-labelledby', head.id);
      return head;
    });
    this.strip.append(...this.heads);
    this.strip.addEventListener('keydown', (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      let next = this.current;
      do next = (next + by + tabs.length) % tabs.length;
      while (this.heads[next]?.hidden);
      this.turn(next);
      this.heads[this.current]?.focus();
    });
    this.node.append(this.strip, ...tabs.map(({ panel }) => panel));
    this.open(0);
  }

  isOpen(id: string): boolean {
    return this.tabs[this.current]?.id === id;
  }

  /** Open a tab in the reader's stead. */
  show(id: string): void {
    this.turn(this.tabs.findIndex((tab) => tab.id === id));
    this.heads[this.current]?.focus();
    this.node.scrollIntoView({ block: 'nearest' });
  }

  /** Open what the reader had turned to in the view that this one takes the place of, as soon as it is there. */
  restore(id: string): void {
    if (this.turned) return;
    const index = this.tabs.findIndex((tab) => tab.id === id);
    if (this.heads[index]?.hidden) this.wanted = id;
    else if (index >= 0 && index !== this.current) this.open(index);
  }

  /** Take a tab with nothing behind it out of the strip, or bring it back. */
  hide(id: string, hidden: boolean): void {
    const index = this.tabs.findIndex((tab) => tab.id === id);
    const head = this.heads[index];
    if (!head || head.hidden === hidden) return;
    head.hidden = hidden;
    if (hidden && index === this.current) {
      this.wanted = id;
      this.open(0);
    } else if (!hidden && id === this.wanted && !this.turned) {
      this.open(index);
    }
  }

  /** Say how much there is behind a tab. */
  count(id: string, count: number): void {
    const index = this.tabs.findIndex((tab) => tab.id === id);
    const head = this.heads[index];
    const label = `${this.tabs[index]?.label ?? ''}${count ? ` ${count}` : ''}`;
    if (head && head.textContent !== label) head.textContent = label;
  }

  private turn(index: number): void {
    this.turned = this.tabs[index]?.id ?? '';
    this.open(index);
  }

  private open(index: number): void {
    this.current = index;
    this.tabs.forEach(({ panel }, i) => {
      panel.hidden = i !== index;
      this.heads[i]?.setAttribute('aria-selected', String(i === index));
      this.heads[i]?.setAttribute('tabindex', i === index ? '0' : '-1');
    });
    const tab = this.tabs[index];
    if (tab) this.opened(tab.id);
  }
}
