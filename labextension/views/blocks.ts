// Any number of lines in a scrolling pane, of which only those near the eye are elements.
import type { Span } from './ansi.ts';
import { fillLine, renderLine } from './ansidom.ts';
import { element } from './dom.ts';

export const BLOCK = 100;
const LINE_HEIGHT = 16;

/** Gives a line, or null while it is on its way. */
export type Lines = (number: number) => readonly Span[] | null;

class Block {
  readonly node = element('div', 'mlw-block');
  private shown: (readonly Span[])[] = [];
  private filled = false;

  constructor(
    readonly first: number,
    public count: number,
  ) {
    this.estimate();
  }

  /** Make its lines elements, or bring them up to date; false while a line is on its way. */
  fill(lines: Lines): boolean {
    const wanted: (readonly Span[])[] = [];
    for (let i = 0; i < this.count; i++) {
      const line = lines(this.first + i);
      if (!line) return false;
      wanted.push(line);
    }
    if (!this.filled) {
      this.node.style.height = '';
      this.filled = true;
    }
    wanted.forEach((spans, i) => {
      const node = this.node.children[i];
      if (!node) this.node.append(renderLine(spans));
      else if (this.shown[i] !== spans) fillLine(node as HTMLElement, spans);
    });
    while (this.node.children.length > this.count) this.node.lastElementChild?.remove();
    this.shown = wanted;
    return true;
  }

  /** Keep its height alone. */
  empty(): void {
    if (!this.filled) return;
    this.node.style.height = `${this.node.offsetHeight}px`;
    this.node.replaceChildren();
    this.shown = [];
    this.filled = false;
  }

  resize(count: number): void {
    this.count = count;
    if (!this.filled) this.estimate();
  }

  private estimate(): void {
    this.node.style.height = `${this.count * LINE_HEIGHT}px`;
  }
}

/** Blocks of lines inside `pane`. */
export class BlockList {
  private blocks: Block[] = [];
  private first = 0;
  private end = 0;

  constructor(
    private readonly pane: HTMLElement,
    private readonly lines: Lines,
  ) {}

  /** Show the lines from `first` to before `end`. */
  extend(first: number, end: number): void {
    if (first !== this.first || end < this.first) this.clear();
    if (!this.blocks.length) this.first = first;
    this.end = end;
    const needed = Math.ceil((end - first) / BLOCK);
    while (this.blocks.length > needed) this.blocks.pop()?.node.remove();
    const last = this.blocks[this.blocks.length - 1];
    last?.resize(Math.min(BLOCK, end - last.first));
    const added: Node[] = [];
    for (let i = this.blocks.length; i < needed; i++) {
      const begin = first + i * BLOCK;
      const block = new Block(begin, Math.min(BLOCK, end - begin));
      this.blocks.push(block);
      added.push(block.node);
    }
    this.pane.append(...added);
  }

  clear(): void {
    for (const block of this.blocks) block.node.remove();
    this.blocks = [];
    this.end = this.first;
  }

  get length(): number {
    return this.end - this.first;
  }

  /** Turn what can be seen, and a little more, into elements, and the rest back. */
  render(): void {
    const { scrollTop, clientHeight } = this.pane;
    if (!clientHeight) return;
    const top = this.at(scrollTop - clientHeight);
    const bottom = this.at(scrollTop + 2 * clientHeight);
    this.blocks.forEach((block, index) => {
      if (index >= top && index <= bottom) block.fill(this.lines);
      else block.empty();
    });
  }

  /** The element of a line, scrolled into view. */
  reveal(number: number): HTMLElement | null {
    const block = this.blocks[Math.floor((number - this.first) / BLOCK)];
    if (!block) return null;
    if (block.fill(this.lines)) {
      const line = block.node.children[number - block.first] as HTMLElement | undefined;
      if (line) this.pane.scrollTop = line.offsetTop - this.pane.clientHeight / 2;
      return line ?? null;
    }
    this.pane.scrollTop = block.node.offsetTop + (number - block.first) * LINE_HEIGHT - this.pane.clientHeight / 2;
    return null;
  }

  /** The element of a line, where there is one. */
  find(number: number): HTMLElement | null {
    const block = this.blocks[Math.floor((number - this.first) / BLOCK)];
    return (block?.node.children[number - block.first] as HTMLElement | undefined) ?? null;
  }

  /** The block at a height of the pane. */
  private at(height: number): number {
    let low = 0;
    let high = this.blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.blocks[middle]?.node.offsetTop ?? 0) <= height) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
