// Styled spans of a terminal as elements.
import { parseTerminal, type Span, type Style } from './ansi.ts';
import { element } from './dom.ts';

/** Yellow as a ground marks the failing part of a line in tracebacks: dark text must stay readable on it. */
const MARKER = '#ddb62b';

export function terminalText(text: string, className = 'mlw-text'): HTMLPreElement {
  return element('pre', className, {}, ...parseTerminal(text).map(renderLine));
}

export function renderLine(spans: readonly Span[]): HTMLElement {
  const line = element('div', 'mlw-line');
  fillLine(line, spans);
  return line;
}

export function fillLine(line: HTMLElement, spans: readonly Span[]): void {
  line.replaceChildren(...spans.map(({ text, style }) => (style ? renderSpan(text, style) : text)));
  if (!spans.length) line.append('\n');
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
