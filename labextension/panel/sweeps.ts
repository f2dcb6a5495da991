// Sweeps and their trials in the list: which belong together, which are open, and what stands for them.
import { hasEnded, type Num } from '../views/model.ts';
import { keyOf, type Summary, type SweepSummary } from './model.ts';

/** The key of the sweep whose trial a run is; null for all others. */
export function sweepKey({ store, trial_of: sweep }: Summary): string | null {
  return sweep == null ? null : keyOf({ store, id: sweep });
}

/** Which trials each sweep has, and which sweeps the user has opened. */
export class SweepGroups {
  private readonly members = new Map<string, Map<string, Summary>>();
  private readonly opened = new Set<string>();
  /** Closed by the user though the query finds trials in them alone. */
  private readonly shut = new Set<string>();
  /** Those in which the query finds trials, and not them. */
  private forced: ReadonlySet<string> = new Set();

  get size(): number {
    let size = 0;
    for (const trials of this.members.values()) size += trials.size;
    return size;
  }

  put(key: string, run: Summary): void {
    const sweep = sweepKey(run);
    if (sweep === null) return;
    const trials = this.members.get(sweep);
    if (trials) trials.set(key, run);
    else this.members.set(sweep, new Map([[key, run]]));
  }

  remove(key: string, run: Summary): void {
    const sweep = sweepKey(run);
    if (sweep !== null) this.members.get(sweep)?.delete(key);
  }

  of(sweep: string): Summary[] {
    return [...(this.members.get(sweep)?.values() ?? [])];
  }

  isOpen(sweep: string): boolean {
    return this.opened.has(sweep) || (this.forced.has(sweep) && !this.shut.has(sweep));
  }

  open(sweep: string, open: boolean): void {
    if (open) {
      this.opened.add(sweep);
      this.shut.delete(sweep);
    } else {
      this.opened.delete(sweep);
      this.shut.add(sweep);
    }
  }

  /** Another query: what was closed for the last one may open for this one. */
  search(): void {
    this.shut.clear();
  }

  found(forced: ReadonlySet<string>): void {
    this.forced = forced;
  }
}

/** The metric by which a sweep judges. */
export function objectiveOf(sweep: SweepSummary | null | undefined): string | null {
  return sweep?.objectives[0]?.metric ?? null;
}

/** How good a trial is: those that finished first, by their result; those that go on, by number; then all others. */
export function rankOf(run: Summary, sweep: SweepSummary | null | undefined): readonly [group: number, value: number] {
  const [objective] = sweep?.objectives ?? [];
  const value = objective && Object.hasOwn(run.metrics, objective.metric) ? run.metrics[objective.metric] : null;
  const good = typeof value === 'number' && Number.isFinite(value) ? value * (objective?.direction === 'minimize' ? 1 : -1) : Infinity;
  if (run.state === 'finished') return [0, good];
  return hasEnded(run.state) ? [2, good] : [1, run.trial ?? 0];
}

/** The value of a metric; a sweep has the best of its trials. */
export function metricValue(run: Summary, metric: string | null): Num | undefined {
  if (metric === null) return undefined;
  if (Object.hasOwn(run.metrics, metric)) return run.metrics[metric];
  return metric === objectiveOf(run.sweep) ? run.sweep?.best?.[0] : undefined;
}

/** How many trials of a sweep have ended. */
export function endedTrials({ counts }: SweepSummary): number {
  return counts.finished + counts.terminated + counts.failed + counts.stopped;
}

/** How much of a run is done, from 0 to 1; null where nobody knows. */
export function fractionOf({ progress, sweep }: Summary): number | null {
  if (sweep?.planned) return endedTrials(sweep) / sweep.planned;
  return progress?.fraction ?? null;
}

/** What was chosen, without the trials of sweeps that were chosen too: what happens to a sweep happens to them. */
export function withoutTrialsOfChosen(runs: readonly Summary[]): Summary[] {
  const chosen = new Set(runs.map(keyOf));
  return runs.filter((run) => !chosen.has(sweepKey(run) ?? ''));
}
