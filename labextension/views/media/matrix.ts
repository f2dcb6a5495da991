import { element, setText } from '../dom.ts';
import { formatNumber } from '../format.ts';
import { Card } from './card.ts';
import type { MatrixStep, Track } from './model.ts';
import { cellShare, cellStrengths, type Normalise } from './scale.ts';

/** From as many classes on cells hold no numbers: they would not fit. */
const NUMBERED = 16;
/** As many fit into half of the view's width. */
const SMALL = 7;
const CHOICES: readonly (readonly [Normalise, string])[] = [
  ['counts', 'Counts'],
  ['true', 'Share of true class'],
  ['predicted', 'Share of predicted class'],
];

function percent(share: number | null): string {
  return share === null ? '–' : `${formatNumber(Math.round(share * 1000) / 10)}%`;
}

/** What is known of a cell, or of one class where row and column are the same. */
export function describe(matrix: MatrixStep, row: number, column: number): string {
  const count = matrix.counts[row]?.[column] ?? 0;
  const name = (i: number): string => matrix.classes[i] ?? '';
  const share = `${percent(cellShare(matrix, row, column, 'true'))} of ${name(row)}`;
  const found = row === column ? `${name(row)}, right` : `${name(row)} taken for ${name(column)}`;
  const figures = (i: number): string =>
    `${name(i)}: recall ${percent(matrix.recall[i] ?? null)}, precision ${percent(matrix.precision[i] ?? null)}`;
  const classes = row === column ? figures(row) : `${figures(row)} · ${figures(column)}`;
  return `${found}: ${formatNumber(count)} (${share}) · ${classes}`;
}

/** Draw a confusion matrix into `node`: right ones in blue, errors in orange, stronger where there are more. */
export function drawConfusionMatrix(node: HTMLElement, matrix: MatrixStep, by: Normalise): void {
  const strengths = cellStrengths(matrix, by);
  const numbered = matrix.classes.length <= NUMBERED;
  const head = element('tr', '', {}, element('td', 'mlw-media-corner', {}, 'true \\ predicted'));
  for (const name of matrix.classes) {
    head.append(element('th', '', { scope: 'col', title: name }, element('span', '', {}, name)));
  }
  const rows = matrix.counts.map((counts, i) => {
    const name = matrix.classes[i] ?? '';
    const row = element('tr', '', {}, element('th', '', { scope: 'row', title: name }, element('span', '', {}, name)));
    counts.forEach((count, j) => {
      const share = by === 'counts' ? null : cellShare(matrix, i, j, by);
      const text = share === null ? formatNumber(count) : percent(share);
      const cell = element('td', i === j ? 'mlw-media-right' : '', {}, numbered ? text : '');
      // Never so strong that the numbers on it could not be read.
      cell.style.setProperty('--mlw-share', `${Math.round(Math.sqrt(strengths[i]?.[j] ?? 0) * (numbered ? 64 : 100))}%`);
      cell.classList.toggle('mlw-media-none', count === 0);
      if (!numbered) cell.setAttribute('aria-label', text);
      row.append(cell);
    });
    return row;
  });
  const table = element('table', 'mlw-media-matrix', {}, element('thead', '', {}, head), element('tbody', '', {}, ...rows));
  table.classList.toggle('mlw-media-dense', !numbered);
  node.replaceChildren(table);
}

/** A confusion matrix with a switch between counts and shares; the figures of a cell follow the pointer or the keys. */
export class MatrixCard extends Card<Track<MatrixStep>> {
  private readonly grid = element('div', 'mlw-media-grid', { tabindex: '0', role: 'group' });
  private readonly words = element('div', 'mlw-media-words');
  private by: Normalise = 'counts';
  private cell: readonly [row: number, column: number] | null = null;

  constructor(track: Track<MatrixStep>) {
    super(track, 'confusion');
    const choice = element('select', 'mlw-media-choice', { 'aria-label': `What the cells of ${track.name} show` });
    for (const [value, text] of CHOICES) choice.append(element('option', '', { value }, text));
    choice.addEventListener('change', () => {
      this.by = CHOICES[choice.selectedIndex]?.[0] ?? 'counts';
      this.draw();
    });
    this.node.querySelector('figcaption')?.append(choice);
    this.grid.setAttribute('aria-label', `Confusion matrix ${track.name}. The arrow keys go from cell to cell.`);
    this.body.append(this.grid, this.words);
    this.node.classList.toggle('mlw-media-wide', Math.max(...track.steps.map((step) => step.classes.length)) > SMALL);
    this.grid.addEventListener('pointerover', (event) => {
      const cell = event.target instanceof Element ? event.target.closest('td, th') : null;
      const row = cell?.closest('tr');
      if (!(cell instanceof HTMLTableCellElement) || !row) return;
      const [i, j] = [row.rowIndex - 1, cell.cellIndex - 1];
      // A name stands for its class: the cell on the diagonal.
      this.point(i < 0 && j < 0 ? null : [i < 0 ? j : i, j < 0 ? i : j]);
    });
    this.grid.addEventListener('pointerleave', () => {
      this.point(null);
    });
    // Read aloud is what the keys point at, not what a run that goes on changes by itself.
    this.grid.addEventListener('focus', () => {
      this.words.setAttribute('aria-live', 'polite');
    });
    this.grid.addEventListener('blur', () => {
      this.words.removeAttribute('aria-live');
      this.point(null);
    });
    this.grid.addEventListener('keydown', (event) => {
      this.move(event);
    });
  }

  protected override draw(): void {
    if (!this.shown) return;
    drawConfusionMatrix(this.grid, this.shown, this.by);
    this.point(this.cell);
  }

  private move(event: KeyboardEvent): void {
    const [rows, columns] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [];
    const size = this.shown?.classes.length ?? 0;
    if (rows === undefined || columns === undefined || !size) return;
    const within = (place: number): number => Math.min(size - 1, Math.max(0, place));
    this.point(this.cell ? [within(this.cell[0] + rows), within(this.cell[1] + columns)] : [0, 0]);
    event.preventDefault();
    event.stopPropagation();
  }

  private point(cell: readonly [number, number] | null): void {
    this.cell = cell;
    this.grid.querySelector('.mlw-media-here')?.classList.remove('mlw-media-here');
    const matrix = this.shown;
    if (!matrix) return;
    if (cell && cell[0] < matrix.classes.length && cell[1] < matrix.classes.length) {
      this.grid.querySelector('tbody')?.rows[cell[0]]?.cells[cell[1] + 1]?.classList.add('mlw-media-here');
      setText(this.words, describe(matrix, ...cell));
      return;
    }
    const grouped = matrix.grouped ? ` · the ${matrix.classes.length - 1} that are confused most` : '';
    const all = matrix.accuracy === null ? '' : ` · accuracy ${percent(matrix.accuracy)}`;
    setText(this.words, `${formatNumber(matrix.total)} samples${all}${grouped}`);
  }
}
