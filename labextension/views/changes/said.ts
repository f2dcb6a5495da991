// Changes in words.
import type { CellChange, Change, ChangesDocument, NotebookDiff, Row, Side } from './model.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long before `now` something was, both in Unix seconds: "3 h ago"; a date for what is older than a month. */
export function ago(time: number, now: number): string {
  const seconds = Math.max(0, now - time);
  if (seconds < 5) return 'just now';
  if (seconds < MINUTE) return `${Math.floor(seconds)} s ago`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min ago`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)} h ago`;
  if (seconds < 31 * DAY) return `${Math.floor(seconds / DAY)} d ago`;
  return `on ${new Date(time * 1000).toLocaleDateString('en', { day: 'numeric', month: 'short', year: 'numeric' })}`;
}

/** "commit 1a2b3c4, 3 h ago"; the label alone where nobody knows when. `within` a sentence the time is in brackets. */
export function sideWords({ label, time }: Side, now: number, within = false): string {
  if (label.startsWith('now')) return label;
  const called = /^(commit|run|snapshot) /.test(label) ? label : /^(last save|save before)$/.test(label) ? `the ${label}` : `“${label}”`;
  if (time === null) return called;
  // Its id says nothing that the time does not.
  if (/^snapshot [\d-]+-\w+$/.test(label)) return `the snapshot of ${ago(time, now).replace(/^on /, '')}`;
  return within ? `${called} (${ago(time, now)})` : `${called}, ${ago(time, now)}`;
}

const ORDER: readonly Change[] = ['edited', 'added', 'removed', 'moved'];

/** "2 cells edited, 1 added, 1 moved"; empty where no cell was. */
export function countWords(counts: NotebookDiff['counts']): string {
  const parts = ORDER.filter((change) => counts[change] > 0).map((change) => [counts[change], change] as const);
  return parts.map(([count, change], i) => (i ? `${count} ${change}` : `${many(count, 'cell')} ${change}`)).join(', ');
}

/** What the view says first: "2 cells edited, 1 added since commit 1a2b3c4, 3 h ago". */
export function summary({ old, new: to, diff }: ChangesDocument, now: number): string {
  const quiet = diff.cells.filter((cell) => cell.change === 'same' && isShown(cell)).length;
  const counted = [countWords(diff.counts), quiet ? `${many(quiet, 'cell')} with other outputs or metadata` : ''].filter(Boolean).join(', ');
  const what = counted || (diff.metadata?.length ? 'Only the metadata of the notebook changed' : '');
  const since = `since ${sideWords(old, now)}`;
  if (to.label.startsWith('now')) return what ? `${what} ${since}` : `Nothing has changed ${since}`;
  const [from, until] = [sideWords(old, now, true), sideWords(to, now, true)];
  return what ? `${what} from ${from} to ${until}` : `The same: ${from} and ${until}`;
}

/** Whether a reader has anything to see in a cell: outputs or metadata may have changed where the source has not. */
export function isShown(cell: CellChange): boolean {
  return cell.change !== 'same' || Boolean(cell.metadata?.length) || (cell.outputs?.some(({ change }) => change !== 'same') ?? false);
}

/** Whether its source is what it was. */
export function isQuiet({ change, rows, kind, old_kind: before }: CellChange): boolean {
  return change === 'same' || (change === 'edited' && (before ?? kind) === kind && !(rows ?? []).some(([sign]) => sign !== '='));
}

/** "+2 −1 lines" */
export function lineWords(rows: readonly Row[]): string {
  const { added, removed } = countLines(rows);
  const parts = [added ? `+${added}` : '', removed ? `−${removed}` : ''].filter(Boolean).join(' ');
  return `${parts} line${added + removed === 1 ? '' : 's'}`;
}

/** Lines that are new, and lines that are gone. */
export function countLines(rows: readonly Row[]): { readonly added: number; readonly removed: number } {
  let [added, removed] = [0, 0];
  for (const [sign] of rows) {
    if (sign === '+' || sign === '~') added += 1;
    if (sign === '-' || sign === '~') removed += 1;
  }
  return { added, removed };
}

export function many(count: number, what: string): string {
  return `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;
}

/** The words beside a cell's number: how it was changed. */
export function changeWords(cell: CellChange): string {
  const from = cell.old && cell.new ? `moved from ${cell.old.index + 1}` : 'moved';
  if (cell.change === 'moved') return from;
  const words = isQuiet(cell) ? (cell.metadata?.length ? 'other metadata' : 'other outputs') : cell.change;
  return cell.moved ? `${words}, ${from}` : words;
}

/** What stays of a cell when the notebook changes around it. */
export function keyOf(cell: CellChange): string {
  const id = cell.new?.id ?? cell.old?.id;
  return id ? `${cell.new ? 'new' : 'old'}:${id}` : `${cell.kind}:${cell.source ?? JSON.stringify(cell.rows)}`;
}
