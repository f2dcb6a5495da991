// Runs that this page publishes: what became of them is told as what became of the report.
import { keyOf } from '../../panel/model.ts';

type Named = Parameters<typeof keyOf>[0];

const followed = new Set<string>();

export function follow(run: Named): void {
  followed.add(keyOf(run));
}

export function isFollowed(run: Named): boolean {
  return followed.has(keyOf(run));
}
