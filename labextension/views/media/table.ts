import { element, setText } from '../dom.ts';
import { formatNumber } from '../format.ts';
import { Card } from './card.ts';
import type { ReadFile } from './images.ts';
import type { Cell, TableStep, Track } from './model.ts';
import { isNumeric, sortedRows } from './scale.ts';

export interface Sorting {
  readonly column: number;
  readonly descending: boolean;
}

export function cellText(cell: Cell): string {
  if (cell === null) return '';
  if (typeof cell === 'number' || cell === 'NaN' || cell === 'Infinity' || cell === '-Infinity') return formatNumber(cell);
  return String(cell);
}

/** Draw the rows of a table into `node`; a click on a column's name calls `sort` with its number. */
export function drawTable(node: HTMLElement, table: TableStep, sorting: Sorting | null, sort: (column: number) => void): void {
  const numeric = table.columns.map((_, i) => isNumeric(table.rows, i));
  const head = element('tr');
  table.columns.forEach((name, i) => {
    const mark = sorting?.column === i ? (sorting.descending ? ' ▾' : ' ▴') : '';
    const button = element('button', 'mlw-media-sort', { type: 'button', title: name }, name + mark);
    button.addEventListener('click', () => {
      sort(i);
    });
    const cell = element('th', numeric[i] ? 'mlw-media-number' : '', { scope: 'col' }, button);
    if (mark) cell.setAttribute('aria-sort', sorting?.descending ? 'descending' : 'ascending');
    head.append(cell);
  });
  const order = sorting ? sortedRows(table.rows, sorting.column, sorting.descending) : table.rows.map((_, i) => i);
  const rows = order.map((at) => {
    const cells = (table.rows[at] ?? []).map((cell, i) => {
      const text = cellText(cell);
      const long = typeof cell === 'string' && text.length > 24 ? { title: text } : {};
      return element('td', numeric[i] ? 'mlw-media-number' : '', long, text);
    });
    return element('tr', '', {}, ...cells);
  });
  node.replaceChildren(
    element('table', 'mlw-media-rows', {}, element('thead', '', {}, head), element('tbody', '', {}, ...rows)),
  );
}

/** The first rows of a table, sorted as the reader wishes. */
export class TableCard extends Card<Track<TableStep>> {
  private readonly scroll = element('div', 'mlw-media-scroll', { tabindex: '0', role: 'region' });
  private readonly words = element('div', 'mlw-media-words');
  private readonly download = element('button', 'mlw-more', { type: 'button', hidden: '' }, 'Download all rows');
  private sorting: Sorting | null = null;

  constructor(
    track: Track<TableStep>,
    private readonly readFile: ReadFile | null,
  ) {
    super(track, 'table');
    this.scroll.setAttribute('aria-label', `Table ${track.name}`);
    this.body.append(this.scroll, element('div', 'mlw-media-under', {}, this.words, this.download));
    this.download.addEventListener('click', () => {
      void this.save();
    });
    this.node.classList.toggle('mlw-media-wide', Math.max(...track.steps.map((step) => step.columns.length)) > 3);
  }

  protected override draw(): void {
    const table = this.shown;
    if (!table) return;
    const { scrollTop, scrollLeft } = this.scroll;
    const focused = [...this.scroll.querySelectorAll('button')].findIndex((button) => button === document.activeElement);
    drawTable(this.scroll, table, this.sorting, (column) => {
      const descending = this.sorting?.column === column && !this.sorting.descending;
      this.sorting = { column, descending };
      this.draw();
    });
    if (focused >= 0) this.scroll.querySelectorAll('button')[focused]?.focus();
    this.scroll.scrollTo(scrollLeft, scrollTop);
    const more = table.moreColumns ? `, ${table.columns.length} of ${table.columns.length + table.moreColumns} columns` : '';
    const part = table.rows.length < table.total;
    const rows = part ? `The first ${table.rows.length} of ${formatNumber(table.total)} rows` : `${table.total} rows`;
    setText(this.words, `${rows}${more}${part || more ? `; all are in ${table.file}` : ''}`);
    this.download.hidden = !this.readFile;
  }

  private async save(): Promise<void> {
    const table = this.shown;
    if (!table || !this.readFile) return;
    try {
      const rows = await this.readFile(table.file);
      const url = URL.createObjectURL(new Blob([rows as BlobPart], { type: 'application/jsonl' }));
      const name = `${this.track.name.replace(/[^\w.-]+/g, '-')}-${table.step}.jsonl`;
      element('a', '', { href: url, download: name }).click();
      setTimeout(() => {
        URL.revokeObjectURL(url);
      }, 60_000);
    } catch (error) {
      setText(this.words, error instanceof Error ? error.message : 'The kernel does not answer.');
    }
  }
}
