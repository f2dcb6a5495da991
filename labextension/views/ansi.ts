// Text as a terminal would show it: ANSI colours, carriage returns, backspaces and the cursor moves of progress bars.

export interface Style {
  /** A palette index from 0 to 15 or a CSS colour. */
  fg?: number | string;
  bg?: number | string;
  bold?: true;
  dim?: true;
  italic?: true;
  underline?: true;
  strike?: true;
  inverse?: true;
}

export interface Span {
  readonly text: string;
  readonly style: Style | null;
}

type Cell = [char: string, style: Style | null];

const CONTROL = /[\r\b\x1b]/; // eslint-disable-line no-control-regex
const ESCAPE = /^\x1b(?:\[([0-9;:?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|\[[0-9;:? -/]*$|[ -/]*[0-~])/; // eslint-disable-line no-control-regex

/** Lines of styled spans. The result never ends with an empty line that only a final newline made. */
export function parseTerminal(text: string): Span[][] {
  if (!text) return [];
  return CONTROL.test(text) ? new Screen().write(text).lines() : plainLines(text);
}

function plainLines(text: string): Span[][] {
  const lines = text.split('\n');
  if (lines[lines.length - 1] === '') lines.pop();
  return lines.map((line) => (line ? [{ text: line, style: null }] : []));
}

class Screen {
  private readonly rows: Cell[][] = [[]];
  private row = 0;
  private column = 0;
  private style: Style | null = null;

  write(text: string): this {
    let at = 0;
    while (at < text.length) {
      const code = text.codePointAt(at) ?? 0;
      const char = String.fromCodePoint(code);
      if (char === '\x1b') {
        at += this.escape(text.slice(at, at + 256));
        continue;
      }
      at += char.length;
      if (char === '\n') this.lineFeed();
      else if (char === '\r') this.column = 0;
      else if (char === '\b') this.column = Math.max(0, this.column - 1);
      else if (code >= 0x20 || char === '\t') this.put(char);
    }
    return this;
  }

  lines(): Span[][] {
    const spans = this.rows.map(toSpans);
    while (spans.length && spans[spans.length - 1]?.length === 0) spans.pop();
    return spans;
  }

  private put(char: string): void {
    const cells = this.cells();
    while (cells.length < this.column) cells.push([' ', null]);
    cells[this.column] = [char, this.style];
    this.column += 1;
  }

  private cells(): Cell[] {
    return (this.rows[this.row] ??= []);
  }

  private lineFeed(): void {
    this.row += 1;
    this.column = 0;
    if (this.row === this.rows.length) this.rows.push([]);
  }

  /** Apply the escape sequence at the start of `text`; return its length. */
  private escape(text: string): number {
    const match = ESCAPE.exec(text);
    if (!match) return 1;
    const [all, parameters = '', final] = match;
    const count = Math.min(parseInt(parameters, 10) || 0, 1000);
    if (final === 'm') this.style = restyle(this.style, parameters);
    else if (final === 'K') this.erase(count);
    else if (final === 'A') this.row = Math.max(0, this.row - Math.max(1, count));
    else if (final === 'B') for (let i = 0; i < Math.max(1, count); i++) this.down();
    else if (final === 'C') this.column += Math.max(1, count);
    else if (final === 'D') this.column = Math.max(0, this.column - Math.max(1, count));
    else if (final === 'G') this.column = Math.max(0, count - 1);
    return all.length;
  }

  private down(): void {
    const column = this.column;
    this.lineFeed();
    this.column = column;
  }

  private erase(what: number): void {
    const cells = this.cells();
    if (what === 0) cells.splice(this.column);
    else if (what === 2) cells.splice(0);
    else for (let i = 0; i <= Math.min(this.column, cells.length - 1); i++) cells[i] = [' ', null];
  }
}

function toSpans(cells: readonly Cell[]): Span[] {
  const spans: { text: string; style: Style | null }[] = [];
  for (const [char, style] of cells) {
    const last = spans[spans.length - 1];
    if (last?.style === style) last.text += char;
    else spans.push({ text: char, style });
  }
  return spans;
}

/** The style after a "select graphic rendition" sequence. Styles are never changed in place. */
function restyle(before: Style | null, parameters: string): Style | null {
  const codes = (parameters || '0').split(/[;:]/).map((code) => parseInt(code, 10) || 0);
  let style: Style = { ...before };
  for (let code = codes.shift(); code !== undefined; code = codes.shift()) {
    if (code === 0) style = {};
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.underline = true;
    else if (code === 7) style.inverse = true;
    else if (code === 9) style.strike = true;
    else if (code === 22) style = without(style, 'bold', 'dim');
    else if (code === 23) style = without(style, 'italic');
    else if (code === 24) style = without(style, 'underline');
    else if (code === 27) style = without(style, 'inverse');
    else if (code === 29) style = without(style, 'strike');
    else if (code === 39) style = without(style, 'fg');
    else if (code === 49) style = without(style, 'bg');
    else if (code === 38 || code === 48) {
      const colour = extendedColour(codes);
      if (colour !== null) style[code === 38 ? 'fg' : 'bg'] = colour;
    } else if (code >= 30 && code <= 37) style.fg = code - 30;
    else if (code >= 90 && code <= 97) style.fg = code - 90 + 8;
    else if (code >= 40 && code <= 47) style.bg = code - 40;
    else if (code >= 100 && code <= 107) style.bg = code - 100 + 8;
  }
  return Object.keys(style).length ? style : null;
}

function without(style: Style, ...keys: (keyof Style)[]): Style {
  const kept = Object.entries(style).filter(([key]) => !keys.includes(key as keyof Style));
  return Object.fromEntries(kept);
}

/** Take the colour that follows a 38 or 48: `5;n` of 256 or `2;r;g;b`. */
function extendedColour(codes: number[]): number | string | null {
  const kind = codes.shift();
  if (kind === 2) {
    const [r = 0, g = 0, b = 0] = codes.splice(0, 3);
    return `rgb(${r}, ${g}, ${b})`;
  }
  const n = kind === 5 ? codes.shift() : undefined;
  if (n === undefined || n > 255) return null;
  if (n < 16) return n;
  if (n >= 232) {
    const grey = (n - 232) * 10 + 8;
    return `rgb(${grey}, ${grey}, ${grey})`;
  }
  const level = (step: number): number => (step ? step * 40 + 55 : 0);
  const cube = n - 16;
  return `rgb(${level(Math.floor(cube / 36))}, ${level(Math.floor(cube / 6) % 6)}, ${level(cube % 6)})`;
}
