// From the cells that are open to those that they become, so that all that does not change stays: outputs, cursors, undo.

export interface CellState {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  /** Null where it stays as it is. */
  readonly metadata: Readonly<Record<string, unknown>> | null;
}

export type Step =
  | { readonly do: 'insert'; readonly at: number; readonly cell: CellState }
  | { readonly do: 'delete'; readonly at: number }
  | { readonly do: 'move'; readonly from: number; readonly to: number }
  /** The characters from start to end are replaced. */
  | { readonly do: 'write'; readonly at: number; readonly start: number; readonly end: number; readonly text: string }
  | { readonly do: 'describe'; readonly at: number; readonly metadata: Readonly<Record<string, unknown>> };

/** What to do, one after the other. Ids are unique on either side. A cell of another type is another cell. */
export function stepsOf(now: readonly CellState[], then: readonly CellState[]): Step[] {
  const steps: Step[] = [];
  const wanted = new Map(then.map((cell) => [cell.id, cell]));
  const order: CellState[] = [];
  now.forEach((cell) => {
    if (wanted.get(cell.id)?.type === cell.type) order.push(cell);
    else steps.push({ do: 'delete', at: order.length });
  });
  const places = new Map(order.map(({ id }, index) => [id, index]));
  const stay = new Set(inOrder(then.flatMap(({ id }) => places.get(id) ?? [])).map((index) => order[index]?.id));
  const ids = order.map(({ id }) => id);
  const before = new Map(order.map((cell) => [cell.id, cell]));
  let last = -1;
  for (const cell of then) {
    const known = before.get(cell.id);
    if (!known) {
      last += 1;
      ids.splice(last, 0, cell.id);
      steps.push({ do: 'insert', at: last, cell });
      continue;
    }
    const from = ids.indexOf(cell.id);
    if (stay.has(cell.id)) last = from;
    else {
      // Behind the cell that it comes after; whatever lies in between is moved later.
      const to = from <= last ? last : last + 1;
      if (from !== to) {
        ids.splice(from, 1);
        ids.splice(to, 0, cell.id);
        steps.push({ do: 'move', from, to });
      }
      last = to;
    }
  }
  then.forEach((cell, at) => {
    const known = before.get(cell.id);
    if (!known) return;
    if (known.source !== cell.source) steps.push({ do: 'write', at, ...replacement(known.source, cell.source) });
    if (cell.metadata) steps.push({ do: 'describe', at, metadata: cell.metadata });
  });
  return steps;
}

/** The shortest piece that is replaced: whoever types elsewhere in the cell keeps the cursor. */
export function replacement(old: string, to: string): { start: number; end: number; text: string } {
  let start = 0;
  const most = Math.min(old.length, to.length);
  while (start < most && old[start] === to[start]) start += 1;
  // A pair of surrogates is one character.
  if (start > 0 && isHigh(old.charCodeAt(start - 1))) start -= 1;
  let tail = 0;
  while (tail < most - start && old[old.length - 1 - tail] === to[to.length - 1 - tail]) tail += 1;
  if (tail > 0 && isLow(old.charCodeAt(old.length - tail))) tail -= 1;
  return { start, end: old.length - tail, text: to.slice(start, to.length - tail) };
}

function isHigh(code: number): boolean {
  return code >= 0xd800 && code < 0xdc00;
}

function isLow(code: number): boolean {
  return code >= 0xdc00 && code < 0xe000;
}

/** The longest run of numbers, not necessarily side by side, each greater than the one before. */
function inOrder(numbers: readonly number[]): number[] {
  const ends: number[] = [];
  const previous: number[] = [];
  numbers.forEach((number, index) => {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((numbers[ends[middle] ?? 0] ?? 0) < number) low = middle + 1;
      else high = middle;
    }
    previous[index] = low > 0 ? (ends[low - 1] ?? -1) : -1;
    ends[low] = index;
  });
  const found: number[] = [];
  for (let at = ends.at(-1) ?? -1; at >= 0; at = previous[at] ?? -1) found.unshift(numbers[at] ?? 0);
  return found;
}
