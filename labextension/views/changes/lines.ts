// Lines side by side: what was on the left, what is on the right. Where there is little room the style sheet puts them
// one below the other.
import { button, element } from '../dom.ts';
import { fold } from './fold.ts';
import { paint, sideOf, stretches, type Stretch } from './ink.ts';
import type { Part, Row } from './model.ts';
import { many } from './said.ts';

/** Unchanged lines around each change, and how many more it takes to fold them. */
const CONTEXT = 3;
const FEWEST = 4;
/** Characters that find room everywhere, and how far in a line that does not goes on at most. */
const SHORT = 32;
const DEEPEST = 24;

/** Whether folded lines were opened: that stays so when their cell is drawn anew. */
export interface Folds {
  open: boolean;
}

type Side = 'old' | 'new';

/** A row, and which line of each side it begins with. */
interface Placed {
  readonly row: Row;
  readonly old: number;
  readonly new: number;
  /** Whether lines before it were left out. */
  readonly gap: boolean;
}

/** Draw rows; `python` gives their words the colours of code. */
export function drawRows(rows: readonly Row[], python: boolean, folds: Folds = { open: false }): HTMLElement {
  const ink: Record<Side, readonly (readonly Stretch[])[]> = { old: [], new: [] };
  if (python) {
    ink.old = stretches(sideOf(rows, 'old'));
    ink.new = stretches(sideOf(rows, 'new'));
  }
  const line = (side: Side, at: number, number: number, parts: readonly Part[], tag: 'ins' | 'del' | 'span'): HTMLElement => {
    const node = document.createElement(tag);
    node.className = `mlw-diff-line mlw-diff-${side}`;
    node.dataset.line = String(number);
    const indent = indentOf(parts);
    if (indent) node.style.setProperty('--mlw-indent', `${indent}ch`);
    node.append(...paint(parts, ink[side][at] ?? [], side === 'old' ? 'del' : 'ins'));
    return node;
  };
  const draw = (items: readonly Placed[]): HTMLElement[] => {
    const drawn: HTMLElement[] = [];
    for (let i = 0; i < items.length; i++) {
      const { row, gap, ...at } = items[i] ?? { row: ['=', 0, 0, ''] as const, old: 0, new: 0, gap: false };
      if (gap) drawn.push(element('div', 'mlw-diff-gap', { 'aria-label': 'Lines that are not shown' }, '⋯'));
      const node = document.createElement('div');
      drawn.push(node);
      if (row[0] === '=') {
        node.className = 'mlw-diff-row mlw-diff-both';
        node.append(line('old', at.old, row[1], [[0, row[3]]], 'span'), line('new', at.new, row[2], [[0, row[3]]], 'span'));
      } else if (row[0] === '~') {
        node.className = 'mlw-diff-row';
        node.append(line('old', at.old, row[1], row[3], 'del'), line('new', at.new, row[2], row[4], 'ins'));
      } else {
        // Lines that have nothing in common: all that went, beside all that came.
        const [gone, come] = [element('div', 'mlw-diff-stack'), element('div', 'mlw-diff-stack')];
        node.className = 'mlw-diff-row mlw-diff-unlike';
        node.append(gone, come);
        const first = items[i];
        for (let next = first; next && (next === first || !next.gap); next = items[(i += 1)]) {
          if (next.row[0] !== '-' && next.row[0] !== '+') break;
          const [sign, number, text] = next.row;
          if (sign === '-') gone.append(line('old', next.old, number, [[0, text]], 'del'));
          else come.append(line('new', next.new, number, [[0, text]], 'ins'));
        }
        i -= 1;
      }
    }
    return drawn;
  };
  const container = element('div', 'mlw-diff-rows mlw-text');
  for (const { items, folded } of fold(place(rows), ({ row: [sign] }) => sign !== '=', CONTEXT, FEWEST)) {
    if (!folded || folds.open) {
      container.append(...draw(items));
      continue;
    }
    const opener = button(many(items.length, 'unchanged line'), 'mlw-diff-fold', () => {
      folds.open = true;
      const drawn = draw(items);
      opener.replaceWith(...drawn);
      const [first] = drawn;
      first?.setAttribute('tabindex', '-1');
      first?.focus({ preventScroll: true });
    });
    opener.setAttribute('aria-expanded', 'false');
    container.append(opener);
  }
  return container;
}

/** Columns by which a line that finds no room goes on further in: those of its own begin, and two. */
function indentOf(parts: readonly Part[]): number {
  const text = parts.map(([, part]) => part).join('');
  return text.length < SHORT ? 0 : Math.min(DEEPEST, text.length - text.trimStart().length + 2);
}

function place(rows: readonly Row[]): Placed[] {
  const at = { old: 0, new: 0 };
  const last = { old: 0, new: 0 };
  return rows.map((row) => {
    const numbers = { old: row[0] === '+' ? null : row[1], new: row[0] === '=' || row[0] === '~' ? row[2] : row[0] === '+' ? row[1] : null };
    const gap = (numbers.old ?? last.old + 1) !== last.old + 1 || (numbers.new ?? last.new + 1) !== last.new + 1;
    const placed = { row, ...at, gap };
    if (numbers.old !== null) {
      at.old += 1;
      last.old = numbers.old;
    }
    if (numbers.new !== null) {
      at.new += 1;
      last.new = numbers.new;
    }
    return placed;
  });
}

/** Rows of a text that is on one side alone. */
export function rowsOf(source: string, sign: '-' | '+'): Row[] {
  return source.split('\n').map((text, i) => [sign, i + 1, text]);
}
