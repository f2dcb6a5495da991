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

/** Lines of styled spans. The result never ends with an empty line that only a final newline made. */
export function parseTerminal(text: string): Span[][] {
  if (!text) return [];
  const screen = new Screen();
  screen.write(text);
  const spans = Array.from({ length: screen.length }, (_, row) => screen.spans(row));
  while (spans.length && spans[spans.length - 1]?.length === 0) spans.pop();
  return spans;
}

const TOKEN = /([^\x00-\x08\x0a-\x1f\x7f]+)|\x1b(?:\[([0-9;:?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])|([\n\r\b])|[^]/g; // eslint-disable-line no-control-regex
/** A sequence that goes on in what is written next. */
const TORN = /\x1b(?:\[[0-9;:? -/]*|\][^\x07\x1b]{0,500}\x1b?|[ -/]*)?$/; // eslint-disable-line no-control-regex
/** No cursor is moved further than this at once. */
const FAR = 1000;

type Cell = [char: string, style: Style | null];

/** One line: a plain text as long as nothing more is needed, cells afterwards. */
class Row {
  private plain = '';
  private cells: Cell[] | null = null;
  private cache: Span[] | null = null;

  put(column: number, text: string, style: Style | null): number {
    this.cache = null;
    if (!this.cells && !style && column === this.plain.length && !SURROGATE.test(text)) {
      this.plain += text;
      return column + text.length;
    }
    const cells = this.toCells();
    while (cells.length < column) cells.push([' ', null]);
    for (const char of text) cells[column++] = [char, style];
    return column;
  }

  erase(what: number, column: number): void {
    this.cache = null;
    const cells = this.toCells();
    if (what === 0) cells.splice(column);
    else if (what === 2) cells.splice(0);
    else for (let i = 0; i <= Math.min(column, cells.length - 1); i++) cells[i] = [' ', null];
  }

  spans(): Span[] {
    this.cache ??= this.cells ? joined(this.cells) : this.plain ? [{ text: this.plain, style: null }] : [];
    return this.cache;
  }

  private toCells(): Cell[] {
    this.cells ??= Array.from(this.plain, (char) => [char, null]);
    return this.cells;
  }
}

const SURROGATE = /[\ud800-\udfff]/;

/** A terminal without an upper end: text goes in, lines come out. It remembers the last `limit` lines at least. */
export class Screen {
  /** How many lines went out of memory. */
  dropped = 0;
  private rows: Row[] = [new Row()];
  private row = 0;
  private column = 0;
  private style: Style | null = null;
  private torn = '';

  constructor(private readonly limit = Infinity) {}

  get length(): number {
    return this.rows.length;
  }

  /** Whether the last line is empty, as after a newline. */
  get open(): boolean {
    return this.spans(this.rows.length - 1).length === 0;
  }

  spans(row: number): Span[] {
    return this.rows[row]?.spans() ?? [];
  }

  write(text: string): void {
    let input = this.torn + text;
    this.torn = input.length - input.lastIndexOf('\x1b') < 512 ? (TORN.exec(input)?.[0] ?? '') : '';
    if (this.torn) input = input.slice(0, -this.torn.length);
    for (const [, plain, parameters, final, control] of input.matchAll(TOKEN)) {
      if (plain !== undefined) this.column = this.current().put(this.column, plain, this.style);
      else if (control === '\n') {
        this.lineFeed();
        this.column = 0;
      } else if (control === '\r') this.column = 0;
      else if (control === '\b') this.column = Math.max(0, this.column - 1);
      else if (final !== undefined) this.command(final, parameters ?? '');
    }
    if (this.rows.length > 2 * this.limit) {
      const gone = this.rows.length - this.limit;
      this.rows = this.rows.slice(gone);
      this.row = Math.max(0, this.row - gone);
      this.dropped += gone;
    }
  }

  private current(): Row {
    return (this.rows[this.row] ??= new Row());
  }

  private lineFeed(): void {
    this.row += 1;
    if (this.row === this.rows.length) this.rows.push(new Row());
  }

  private command(final: string, parameters: string): void {
    const count = Math.min(parseInt(parameters, 10) || 0, FAR);
    if (final === 'm') this.style = restyle(this.style, parameters);
    else if (final === 'K') this.current().erase(count, this.column);
    else if (final === 'A') this.row = Math.max(0, this.row - Math.max(1, count));
    else if (final === 'B') for (let i = 0; i < Math.max(1, count); i++) this.lineFeed();
    else if (final === 'C') this.column += Math.max(1, count);
    else if (final === 'D') this.column = Math.max(0, this.column - Math.max(1, count));
    else if (final === 'G') this.column = Math.max(0, count - 1);
  }
}

function joined(cells: readonly Cell[]): Span[] {
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
