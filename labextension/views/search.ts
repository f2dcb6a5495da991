import { element, icon, setText } from './dom.ts';

const UP = 'M8 5.300 13 10.300 11.900 11.400 8 7.500 4.100 11.400 3 10.300z';
const DOWN = 'M8 10.700 3 5.700 4.100 4.600 8 8.500 11.900 4.600 13 5.700z';
/** Milliseconds after the last key. */
const PAUSE = 200;
const HIGHLIGHT = 'mlw-found';

interface Pane {
  /** Numbers of the lines that contain a text. */
  search(text: string): Promise<{ lines: readonly number[]; more: boolean }>;
  /** Scroll to a line. */
  reveal(number: number): HTMLElement | null;
  /** A line's element, where there is one. */
  element(number: number): HTMLElement | null;
}

/** Looks for a text in lines and goes from one to the next. */
export class Finder {
  readonly node: HTMLElement;
  private readonly field = element('input', 'mlw-field', { type: 'search', placeholder: 'Search', 'aria-label': 'Search the output' });
  private readonly count = element('span', 'mlw-hint', { role: 'status' });
  private readonly previous = step('Previous match', UP);
  private readonly next = step('Next match', DOWN);
  private timer = 0;
  private lines: readonly number[] = [];
  private more = false;
  private at = -1;
  private text = '';
  private ranges: Range[] = [];
  private current: HTMLElement | null = null;

  constructor(private readonly pane: Pane) {
    this.node = element('div', 'mlw-finder', { role: 'search' }, this.count, this.field, this.previous, this.next);
    this.field.addEventListener('input', () => {
      window.clearTimeout(this.timer);
      this.timer = window.setTimeout(() => void this.search(), PAUSE);
    });
    this.field.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') {
        if (this.field.value === this.text) this.go(event.shiftKey ? -1 : 1);
        else void this.search();
      } else if (event.key === 'Escape') {
        this.field.value = '';
        void this.search();
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
    this.previous.addEventListener('click', () => {
      this.go(-1);
    });
    this.next.addEventListener('click', () => {
      this.go(1);
    });
    this.show();
  }

  focus(): void {
    this.field.focus();
    this.field.select();
  }

  destroy(): void {
    window.clearTimeout(this.timer);
    this.unmark();
  }

  /** Mark what was found in the lines that are elements now. */
  mark(): void {
    this.unmark();
    const here = this.lines[this.at];
    const wanted = this.text.toLowerCase();
    if (here === undefined || !wanted) return;
    this.current = this.pane.element(here);
    this.current?.classList.add('mlw-current');
    const registry = highlights();
    if (!registry) return;
    for (const number of near(this.lines, this.at)) {
      const line = this.pane.element(number);
      if (line) this.ranges.push(...rangesIn(line, wanted));
    }
    for (const range of this.ranges) registry.add(range);
  }

  private unmark(): void {
    this.current?.classList.remove('mlw-current');
    this.current = null;
    const registry = highlights();
    for (const range of this.ranges.splice(0)) registry?.delete(range);
  }

  private async search(): Promise<void> {
    const text = this.field.value;
    this.text = text;
    const found = text ? await this.pane.search(text) : { lines: [], more: false };
    if (text !== this.text) return;
    ({ lines: this.lines, more: this.more } = found);
    this.at = this.lines.length - 1;
    this.show();
    this.go(0);
  }

  private go(by: number): void {
    const { length } = this.lines;
    if (length) this.at = (this.at + by + length) % length;
    const line = this.lines[this.at];
    if (line !== undefined) this.pane.reveal(line);
    this.show();
    this.mark();
  }

  private show(): void {
    const { length } = this.lines;
    this.previous.disabled = this.next.disabled = !length;
    const total = `${length.toLocaleString('en')}${this.more ? '+' : ''}`;
    setText(this.count, !this.text ? '' : length ? `${(this.at + 1).toLocaleString('en')} of ${total}` : 'no match');
  }
}

function step(label: string, path: string): HTMLButtonElement {
  return element('button', 'mlw-step', { type: 'button', title: label, 'aria-label': label }, icon(path));
}

/** Matches around the present one: those further away are not on the page. */
function near(lines: readonly number[], at: number): readonly number[] {
  return lines.slice(Math.max(0, at - 300), at + 300);
}

function rangesIn(line: HTMLElement, wanted: string): Range[] {
  const found: Range[] = [];
  const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.nodeValue?.toLowerCase() ?? '';
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + wanted.length);
      found.push(range);
    }
  }
  return found;
}

/** The page's marks for matches, where the browser has such a thing; the line itself is marked everywhere. */
function highlights(): Highlight | null {
  if (typeof Highlight === 'undefined' || !('highlights' in CSS)) return null;
  let found = CSS.highlights.get(HIGHLIGHT);
  if (!found) {
    found = new Highlight();
    CSS.highlights.set(HIGHLIGHT, found);
  }
  return found;
}
