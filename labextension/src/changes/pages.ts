// The history of a notebook piece by piece: the newest snapshots first, and earlier ones when somebody asks for them.
import type { History, Snapshot } from './api.ts';

/** How many snapshots are asked for at a time, beside those that have a name. */
export const PAGE = 200;

/** How many are shown up to where some are left out. */
export function shownOf({ snapshots, more }: History): number {
  let shown = snapshots.length;
  // Those that have a name are never left out: nothing is missing up to the last one that has none.
  while (more && snapshots[shown - 1]?.names.length) shown -= 1;
  return shown;
}

/** Put earlier snapshots, which were asked for with the id of the last one, in their place. */
export function joined(history: History, last: string, earlier: History): History {
  const end = history.snapshots.findIndex(({ id }) => id === last) + 1;
  if (!end) return history;
  const first = history.snapshots.slice(0, end);
  const known = new Set(first.map(({ id }) => id));
  return { ...history, more: earlier.more, snapshots: [...first, ...earlier.snapshots.filter(({ id }) => !known.has(id))] };
}

/** The snapshot before one; undefined where that is not among those that are shown. */
export function before(history: History, { id }: Snapshot): Snapshot | null | undefined {
  const at = history.snapshots.findIndex((one) => one.id === id);
  if (at < 0 || (history.more && at + 1 >= shownOf(history))) return undefined;
  return history.snapshots[at + 1] ?? null;
}
