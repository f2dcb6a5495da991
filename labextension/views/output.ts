import { parseTerminal, type Span } from './ansi.ts';
import { BLOCK, BlockList } from './blocks.ts';
import { button, element, setText } from './dom.ts';
import type { RunData, RunSource } from './model.ts';
import { Finder } from './search.ts';
import { Steady } from './steady.ts';

const PAGE = 5 * BLOCK;
/** Pages of earlier output that stay in memory. */
const KEPT_PAGES = 40;
const DOWN = 'M7.2 2.5h1.6v8l3-3L13 8.600 8 13.600 3 8.600 4.200 7.500l3 3z';

/** A run's output. It follows the end unless the reader has scrolled away from it. */
export class OutputPane {
  readonly node: HTMLElement;
  private readonly pane = element('div', 'mlw-text mlw-output', {
    tabindex: '0',
    role: 'log',
    'aria-label': 'Output',
    'aria-live': 'off',
    hidden: '',
  });
  private readonly hint = element('span', 'mlw-hint');
  private readonly toEnd = button('Follow', 'mlw-toggle mlw-to-end', () => {
    this.following = true;
    this.follow();
  }, DOWN);
  private readonly blocks = new BlockList(this.pane, (number) => this.line(number));
  private readonly finder: Finder;
  private readonly pages = new Map<number, readonly (readonly Span[])[] | null>();
  private readonly resize: ResizeObserver;
  private readonly steady = new Steady(this.pane, () => {
    this.pane.hidden = !this.blocks.length;
  });
  private run: RunData | null = null;
  private shown = '';
  private generation = -1;
  private following = true;
  private frame = 0;

  constructor(private readonly source: RunSource) {
    this.pane.addEventListener('scroll', () => {
      this.following = this.pane.scrollTop + this.pane.clientHeight >= this.pane.scrollHeight - 8;
      this.toEnd.hidden = this.following;
      this.later();
    });
    // Also the first time that it is on the page: before that it has no size to scroll in.
    this.resize = new ResizeObserver(() => {
      this.follow();
      this.later();
    });
    this.resize.observe(this.pane);
    this.toEnd.hidden = true;
    this.finder = new Finder({
      search: (text) => this.search(text),
      reveal: (number) => this.blocks.reveal(number),
      element: (number) => this.blocks.find(number),
    });
    const head = element('div', 'mlw-section-head', {}, this.hint, this.finder.node);
    this.node = element('div', '', {}, head, element('div', 'mlw-output-frame', {}, this.pane, this.toEnd));
    this.node.addEventListener('keydown', (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === 'f') {
        event.preventDefault();
        event.stopPropagation();
        this.finder.focus();
      }
    });
  }

  update(run: RunData, ended: boolean): void {
    const { output } = run;
    const key = `${run.header.id} ${output.version} ${String(ended)}`;
    if (key === this.shown) return;
    const other = this.run?.header.id !== run.header.id;
    this.shown = key;
    this.run = run;
    this.steady.hold();
    if (other || output.generation !== this.generation) {
      this.generation = output.generation;
      this.pages.clear();
      this.blocks.clear();
      if (other) this.following = true;
    }
    this.blocks.extend(this.source.ask ? 0 : output.first, output.end);
    const count = this.blocks.length;
    if (count) this.pane.hidden = false;
    setText(this.hint, explain(count, output.cut && !this.source.ask, ended));
    this.finder.node.hidden = !count;
    this.follow();
    this.later();
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
    this.resize.disconnect();
    this.steady.destroy();
    this.finder.destroy();
  }

  private follow(): void {
    if (this.following) {
      this.blocks.render();
      this.pane.scrollTop = this.pane.scrollHeight;
      this.toEnd.hidden = true;
    }
  }

  private later(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      this.blocks.render();
      this.finder.mark();
      if (this.following) this.pane.scrollTop = this.pane.scrollHeight;
    });
  }

  private line(number: number): readonly Span[] | null {
    const output = this.run?.output;
    if (!output) return null;
    if (number >= output.first) return output.line(number);
    const page = Math.floor(number / PAGE);
    const known = this.pages.get(page);
    if (known === undefined) this.load(page);
    return known ? (known[number - page * PAGE] ?? []) : null;
  }

  private load(page: number): void {
    const { run } = this;
    if (!run || !this.source.ask) return;
    this.pages.set(page, null);
    const forget = [...this.pages.keys()].slice(0, -KEPT_PAGES);
    for (const old of forget) this.pages.delete(old);
    const { generation } = this;
    this.source.ask({ type: 'lines', run: run.header.id, first: page * PAGE, count: PAGE }).then(
      ({ lines = [] }) => {
        if (generation !== this.generation) return;
        this.pages.set(page, lines.map((line) => parseTerminal(String(line))[0] ?? []));
        this.later();
      },
      () => {
        // Another try when somebody scrolls here again.
        this.pages.delete(page);
      },
    );
  }

  private async search(text: string): Promise<{ lines: readonly number[]; more: boolean }> {
    const output = this.run?.output;
    if (!output || !this.run) return { lines: [], more: false };
    if (this.source.ask && output.first > 0) {
      try {
        const { lines = [], more = false } = await this.source.ask({ type: 'find', run: this.run.header.id, text });
        return { lines: lines.map(Number), more };
      } catch {
        // What is in memory is better than nothing.
      }
    }
    const wanted = text.toLowerCase();
    const found: number[] = [];
    for (let number = output.first; number < output.end; number++) {
      const line = output.line(number).map((span) => span.text).join('');
      if (line.toLowerCase().includes(wanted)) found.push(number);
    }
    return { lines: found, more: false };
  }
}

function explain(count: number, cut: boolean, ended: boolean): string {
  if (!count) return ended ? 'The cell printed nothing.' : 'Nothing printed yet.';
  if (cut) return 'The end of it; all of it is in run.output.';
  return count === 1 ? '1 line' : `${count.toLocaleString('en')} lines`;
}
