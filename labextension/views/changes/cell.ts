// One cell of a notebook, as it changed.
import { button, element, setText } from '../dom.ts';
import { highlight } from '../python.ts';
import { drawRows, rowsOf, type Folds } from './lines.ts';
import type { CellChange, Change, Fact } from './model.ts';
import { drawOutputs } from './outputs.ts';
import { changeWords, countLines, isQuiet, isShown, many } from './said.ts';

/** Each change has a sign and a word of its own besides its colour. */
const SIGNS: Readonly<Record<Change, string>> = { added: '+', removed: '−', edited: '±', moved: '↕', same: '·' };
/** Pixels of a line and of everything around the lines: until a cell is drawn it has the room that it will need. */
const LINE = 17;
const AROUND = 44;

/** Go to a cell of the notebook that is shown beside. */
export type GoTo = (cell: CellChange) => void;

export class CellView {
  readonly node = element('section', 'mlw-diff-cell', { tabindex: '-1' });
  private readonly head = element('header', 'mlw-diff-head');
  private readonly number: HTMLElement;
  private readonly words = element('span', 'mlw-diff-change');
  private readonly count = element('span', 'mlw-diff-count', { title: 'Execution count' });
  private readonly body = element('div', 'mlw-diff-body');
  private drawn = false;

  constructor(
    private cell: CellChange,
    private readonly language: string,
    private readonly folds: Folds,
    goTo: GoTo | null,
  ) {
    const change = isQuiet(cell) ? 'same' : cell.change;
    this.node.classList.add(`mlw-diff-${change}`);
    if (!isShown(cell)) this.node.classList.add('mlw-diff-unchanged');
    this.number = goTo && cell.new ? button('', 'mlw-diff-number', () => { goTo(this.cell); }) : element('span', 'mlw-diff-number');
    const lines = cell.rows ? countLines(cell.rows) : null;
    this.head.append(this.number);
    if (isShown(cell)) this.head.append(element('span', 'mlw-diff-sign', { 'aria-hidden': 'true' }, SIGNS[change]), this.words);
    if (lines && (lines.added || lines.removed)) this.head.append(drawStat(lines));
    const { kind, old_kind: before } = cell;
    const kinds = before != null && before !== kind ? `${before} → ${kind}` : kind === 'code' ? '' : kind;
    if (kinds) this.head.append(element('span', 'mlw-diff-kind', {}, kinds));
    this.head.append(this.count);
    this.node.append(this.head, this.body);
    this.node.style.setProperty('--mlw-diff-size', `${this.lines * LINE + AROUND}px`);
    this.update(cell);
  }

  /** How many lines it has to show, more or less. */
  get lines(): number {
    const { rows, source, outputs } = this.cell;
    const text = rows?.length ?? (source ?? '').split('\n').length;
    return (this.cell.change === 'moved' ? 1 : text) + 8 * (outputs?.length ?? 0);
  }

  /** The same content may have another place, another number and another execution count. */
  update(cell: CellChange): void {
    this.cell = cell;
    const place = cell.new ?? cell.old;
    const number = `Cell ${(place?.index ?? 0) + 1}`;
    const words = isShown(cell) ? changeWords(cell) : 'unchanged';
    setText(this.number.querySelector('span') ?? this.number, number);
    setText(this.words, words);
    setText(this.count, place?.count == null ? '' : `[${place.count}]`);
    if (this.number instanceof HTMLButtonElement) this.number.title = 'Show it in the notebook';
    this.node.setAttribute('aria-label', `${number}, ${words}`);
  }

  /** Draw what is in the cell, once. */
  draw(): void {
    if (this.drawn) return;
    this.drawn = true;
    const { change, source, rows, metadata, outputs, kind } = this.cell;
    const python = this.language === 'python' && kind === 'code';
    if (rows?.length) this.body.append(drawRows(rows, python, this.folds));
    else if (change === 'added' || change === 'removed') {
      this.body.append(drawRows(rowsOf(source ?? '', change === 'added' ? '+' : '-'), python));
    } else if (source && (change === 'moved' || !isShown(this.cell))) this.body.append(whole(source, python, change === 'moved'));
    if (metadata?.length) this.body.append(drawFacts(metadata, 'Metadata'));
    if (outputs?.length) this.body.append(drawOutputs(outputs));
  }

  destroy(): void {
    this.drawn = true;
    this.node.remove();
  }
}

/** A source in which nothing changed; of a moved one, the first line tells which it is. */
function whole(source: string, python: boolean, short: boolean): HTMLElement {
  const text = element('pre', 'mlw-diff-whole mlw-text', {}, ...(python ? highlight(source) : [source]));
  if (!short || !source.includes('\n')) return text;
  const lines = source.trim().split('\n');
  const first = element('code', '', {}, ...(python ? highlight(lines[0] ?? '') : [lines[0] ?? '']));
  const head = element('summary', 'mlw-diff-first mlw-text', {}, first, element('span', 'mlw-diff-note', {}, many(lines.length, 'line')));
  return element('details', 'mlw-diff-more', {}, head, text);
}

/** Key, old and new value, one a line. */
export function drawFacts(facts: readonly Fact[], label: string): HTMLElement {
  const rows = facts.map(([key, old, to]) => {
    const values = element('td', 'mlw-diff-values');
    if (old !== null) values.append(element('del', 'mlw-diff-word', {}, old));
    values.append(old === null || to === null ? '' : ' → ');
    if (to !== null) values.append(element('ins', 'mlw-diff-word', {}, to));
    const gone = to === null ? ' removed' : old === null ? ' added' : '';
    if (gone) values.append(element('span', 'mlw-diff-note', {}, gone));
    return element('tr', '', {}, element('th', '', { scope: 'row' }, key), values);
  });
  return element('table', 'mlw-diff-facts', { 'aria-label': label }, element('tbody', '', {}, ...rows));
}

/** "+4 −3": lines that came and lines that went. */
export function drawStat({ added, removed }: { readonly added: number; readonly removed: number }): HTMLElement {
  const said = [added ? `${many(added, 'line')} added` : '', removed ? `${many(removed, 'line')} removed` : ''].filter(Boolean).join(', ');
  const node = element('span', 'mlw-diff-stat', { title: said, 'aria-label': said, role: 'img' });
  if (added) node.append(element('b', 'mlw-diff-plus', {}, `+${added}`), ' ');
  if (removed) node.append(element('b', 'mlw-diff-minus', {}, `−${removed}`));
  return node;
}
