import { parseTerminal, type Span, type Style } from './ansi.ts';
import { element } from './dom.ts';
import type { Output } from './model.ts';
import { Steady } from './steady.ts';

/** Yellow as a ground marks the failing part of a line in tracebacks: dark text must stay readable on it. */
const MARKER = '#ddb62b';

/** Show terminal text inside `parent`, changing only the lines that differ from what it shows. */
class TerminalText {
  private shown: string[] = [];

  constructor(private readonly parent: HTMLElement) {}

  set(text: string): void {
    const lines = parseTerminal(text);
    const keys = lines.map((line) => JSON.stringify(line));
    let same = 0;
    while (same < keys.length && keys[same] === this.shown[same]) same += 1;
    while (this.parent.childNodes.length > same) this.parent.lastChild?.remove();
    for (const line of lines.slice(same)) this.parent.append(renderLine(line));
    this.shown = keys;
  }
}

export function terminalText(text: string, className = 'mlw-text'): HTMLPreElement {
  const pre = element('pre', className);
  new TerminalText(pre).set(text);
  return pre;
}

/** The end of a run's output. It follows the end unless the reader has scrolled away from it. */
export class OutputPane {
  readonly node: HTMLElement;
  private readonly pane = element('pre', 'mlw-text mlw-output', {
    tabindex: '0',
    role: 'log',
    'aria-label': 'Output',
    'aria-live': 'off',
    hidden: '',
  });
  private readonly text = new TerminalText(this.pane);
  private readonly hint = element('span', 'mlw-hint');
  private readonly resize: ResizeObserver;
  private readonly steady = new Steady(this.pane, () => {
    this.pane.hidden = this.empty;
  });
  private following = true;

  constructor() {
    this.pane.addEventListener('scroll', () => {
      this.following = this.pane.scrollTop + this.pane.clientHeight >= this.pane.scrollHeight - 6;
    });
    // Also the first time that it is on the page: before that it has no size to scroll in.
    this.resize = new ResizeObserver(() => {
      this.follow();
    });
    this.resize.observe(this.pane);
    const title = element('span', 'mlw-section-name', {}, 'Output');
    this.node = element('section', 'mlw-section', {}, element('div', 'mlw-section-head', {}, title, this.hint), this.pane);
  }

  update(output: Output, ended: boolean): void {
    this.steady.hold();
    this.text.set(output.text);
    const { empty } = this;
    this.hint.textContent = emptyHint(output, empty, ended);
    if (!empty) this.pane.hidden = false;
    this.follow();
  }

  destroy(): void {
    this.resize.disconnect();
    this.steady.destroy();
  }

  private get empty(): boolean {
    return this.pane.childNodes.length === 0;
  }

  private follow(): void {
    if (this.following) this.pane.scrollTop = this.pane.scrollHeight;
  }
}

function emptyHint(output: Output, empty: boolean, ended: boolean): string {
  if (empty) return ended ? 'none' : 'nothing printed yet';
  return output.cut ? 'the end of it; all of it is in run.output' : '';
}

function renderLine(spans: readonly Span[]): HTMLElement {
  const line = element('div', 'mlw-line');
  for (const { text, style } of spans) line.append(style ? renderSpan(text, style) : text);
  if (!spans.length) line.append('\n');
  return line;
}

function renderSpan(text: string, style: Style): HTMLElement {
  const span = element('span', '', {}, text);
  const fg = style.inverse ? (style.bg ?? 'var(--mlw-ground)') : style.fg;
  const bg = style.inverse ? (style.fg ?? 'currentColor') : style.bg;
  if (fg !== undefined) span.style.color = colour(fg, style.bold ?? false);
  if (bg !== undefined) {
    if (bg === 'currentColor') span.classList.add('mlw-inverse');
    else span.style.backgroundColor = bg === 3 ? MARKER : colour(bg, false);
  }
  if (style.bold) span.classList.add('mlw-bold');
  if (style.dim) span.classList.add('mlw-dim');
  if (style.italic) span.classList.add('mlw-italic');
  const decoration = [style.underline && 'underline', style.strike && 'line-through'].filter(Boolean).join(' ');
  if (decoration) span.style.textDecorationLine = decoration;
  return span;
}

function colour(value: number | string, bold: boolean): string {
  if (typeof value === 'string') return value;
  return `var(--mlw-ansi-${value < 8 && bold ? value + 8 : value})`;
}
