// What did not change and is shown on request only.

export interface Stretch<T> {
  readonly items: readonly T[];
  readonly folded: boolean;
}

/**
 * Part items into stretches that are shown and stretches that are folded.
 *
 * @param context - How many unchanged items are shown before and after each that changed.
 * @param fewest - It takes that many to make a fold.
 */
export function fold<T>(items: readonly T[], changed: (item: T) => boolean, context: number, fewest: number): Stretch<T>[] {
  const shown = new Uint8Array(items.length);
  items.forEach((item, i) => {
    if (changed(item)) shown.fill(1, Math.max(0, i - context), i + context + 1);
  });
  const stretches: { items: T[]; folded: boolean }[] = [];
  for (let from = 0; from < items.length; ) {
    let until = from + 1;
    while (until < items.length && shown[until] === shown[from]) until += 1;
    const folded = !shown[from] && until - from >= fewest;
    const last = stretches.at(-1);
    const part = items.slice(from, until);
    if (last && !last.folded && !folded) last.items.push(...part);
    else stretches.push({ items: part, folded });
    from = until;
  }
  return stretches;
}
