// The last stretch of a metric for each row that is on show: asked for in batches, and again while the run goes on.
import { hasEnded } from '../views/model.ts';
import type { Api } from './api.ts';
import { keyOf, type Sparkline, type Summary } from './model.ts';

/** Milliseconds within which rows are asked for together, and after which one that goes on is asked for again. */
const TOGETHER = 60;
const STALE = 4000;
/** Ids of one request. */
const BATCH = 100;
const KEPT = 2000;

interface Kept {
  line: Sparkline | null;
  at: number;
  /** Whether the run had ended when it was asked for. */
  final: boolean;
}

export class Sparklines {
  private readonly kept = new Map<string, Kept>();
  private wanted = new Map<string, { run: Summary; metric: string }>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly api: Api,
    private readonly came: () => void,
  ) {}

  dispose(): void {
    clearTimeout(this.timer);
    this.wanted.clear();
  }

  /** The rows are drawn anew: those that are gone again need no line. */
  begin(): void {
    this.wanted.clear();
  }

  /** What is known, and ask for what is not. */
  get(run: Summary, metric: string): Sparkline | null {
    const key = `${keyOf(run)}\n${metric}`;
    const kept = this.kept.get(key);
    const final = hasEnded(run.state);
    if (!kept || (!(final && kept.final) && Date.now() - kept.at > STALE)) {
      this.wanted.set(key, { run, metric });
      this.timer ??= setTimeout(() => {
        this.timer = undefined;
        void this.ask();
      }, TOGETHER);
    }
    return kept?.line ?? null;
  }

  private async ask(): Promise<void> {
    const batches = new Map<string, { store: string; metric: string; runs: Summary[] }>();
    for (const [key, { run, metric }] of this.wanted) {
      const batch = `${run.store}\n${metric}`;
      const { runs } = batches.get(batch) ?? { runs: [] };
      batches.set(batch, { store: run.store, metric, runs: [...runs, run] });
      this.kept.set(key, { line: this.kept.get(key)?.line ?? null, at: Date.now(), final: hasEnded(run.state) });
    }
    this.wanted = new Map();
    for (const key of this.kept.keys()) if (this.kept.size > KEPT) this.kept.delete(key);
    for (const { store, metric, runs } of batches.values()) {
      for (let first = 0; first < runs.length; first += BATCH) {
        const part = runs.slice(first, first + BATCH);
        try {
          const lines = await this.api.sparklines(store, metric, part.map(({ id }) => id));
          for (const run of part) {
            const kept = this.kept.get(`${keyOf(run)}\n${metric}`);
            if (kept && Object.hasOwn(lines, run.id)) kept.line = lines[run.id] ?? null;
          }
        } catch {
          // A row without its line is a row still; it is asked for again when it is drawn later.
          for (const run of part) {
            const kept = this.kept.get(`${keyOf(run)}\n${metric}`);
            if (kept) kept.final = false;
          }
        }
      }
    }
    this.came();
  }
}

/** The points of a line within a box of `width` by `height`: an SVG path, with gaps where a value is not finite. */
export function sparkPath(points: Sparkline['points'], width: number, height: number): string {
  const values = points.map((value) => (typeof value === 'number' ? value : NaN));
  const finite = values.filter((value) => Number.isFinite(value));
  if (!finite.length) return '';
  const low = Math.min(...finite);
  const high = Math.max(...finite);
  const x = (i: number): number => (values.length < 2 ? width : (i / (values.length - 1)) * width);
  const y = (value: number): number => (high > low ? (1 - (value - low) / (high - low)) * height : height / 2);
  let path = '';
  let drawing = false;
  values.forEach((value, i) => {
    if (Number.isFinite(value)) path += `${drawing ? 'L' : 'M'}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
    drawing = Number.isFinite(value);
  });
  return path;
}
