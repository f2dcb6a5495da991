// For tests alone.
import type { CellChange } from './model.ts';

export function cell(given: Partial<CellChange> = {}): CellChange {
  const place = { index: 0, id: 'a', count: 1 };
  return { change: 'same', moved: false, kind: 'code', old_kind: 'code', old: place, new: place, source: 'x', rows: [], metadata: [], outputs: [], ...given };
}
