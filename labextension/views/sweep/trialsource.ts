// One trial of a sweep as a run of its own: what the sweep knows of it at once, and all of it where somebody answers.
import type { Answer, Question, RunData, RunSource, RunState, Series } from '../model.ts';
import type { Rerunner } from '../rerunmodel.ts';
import { Terminal } from '../terminal.ts';
import { hasEnded } from '../model.ts';
import { ENDED_EARLY, type SweepData, type Trial, type TrialState } from './model.ts';
import { wordOf } from './scale.ts';

/** Milliseconds between two questions while the trial goes on. */
const AGAIN = 2000;

export class TrialSource implements RunSource {
  runs: readonly RunData[];
  /** Whether somebody has told more than the sweep knows. */
  told = false;
  private readonly listeners = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private disposed = false;
  declare readonly ask?: (question: Question) => Promise<Answer>;
  declare readonly stop?: (run: string) => void;
  declare readonly rerun?: Rerunner;
  declare readonly open?: (run: string) => void;
  declare readonly teller?: 'server';

  constructor(
    private readonly source: RunSource,
    private readonly sweep: string,
    private data: SweepData,
    private trial: Trial,
    /** Whether somebody looks: nobody else needs an answer. */
    private readonly seen: () => boolean,
  ) {
    this.runs = [knownOf(data, trial)];
    if (source.teller) this.teller = source.teller;
    if (source.ask) this.ask = (question) => source.ask?.(question) ?? Promise.reject(new Error('Nobody answers.'));
    if (source.stop) {
      this.stop = (run) => {
        source.stop?.(run);
      };
    }
    if (source.rerun) {
      const { look, start } = source.rerun;
      this.rerun = { look, start };
    }
    if (source.open) {
      this.open = (run) => {
        source.open?.(run);
      };
    }
    void this.look();
  }

  get clock(): number {
    return this.source.clock ?? 0;
  }

  subscribe(changed: () => void): () => void {
    this.listeners.add(changed);
    return () => this.listeners.delete(changed);
  }

  /** Take what the sweep knows now. */
  update(data: SweepData, trial: Trial): void {
    const changed = trial !== this.trial || data.curves.get(trial.number) !== this.data.curves.get(trial.number);
    this.data = data;
    this.trial = trial;
    if (this.told || !changed) this.tell();
    else this.take(knownOf(data, trial));
  }

  dispose(): void {
    this.disposed = true;
    clearTimeout(this.timer);
    this.listeners.clear();
  }

  private async look(): Promise<void> {
    const { run } = this.trial;
    if (run !== null && this.source.ask && (!this.told || this.seen())) {
      try {
        const { run: told } = await this.source.ask({ type: 'trial', run: this.sweep, trial: run });
        if (told && !this.disposed) {
          this.told = true;
          this.take(told);
        }
      } catch {
        // What the sweep knows is still shown; somebody may answer the next time.
      }
    }
    if (this.disposed || (this.told && this.runs.every(({ header }) => hasEnded(header.state)))) return;
    this.timer = setTimeout(() => void this.look(), AGAIN);
  }

  private take(run: RunData): void {
    this.runs = [run];
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

const STATES: Readonly<Partial<Record<TrialState, RunState>>> = { waiting: 'submitted', terminated: 'stopped' };

function knownOf(data: SweepData, trial: Trial): RunData {
  const state = STATES[trial.state] ?? (trial.state as RunState);
  return {
    header: {
      id: trial.run ?? `trial ${trial.number}`,
      name: trial.name,
      state,
      cause: trial.state === 'terminated' && !trial.cause?.startsWith(ENDED_EARLY) ? ENDED_EARLY : trial.cause,
      error: null,
      submitted: trial.submitted ?? trial.started ?? 0,
      started: trial.started,
      ended: trial.ended,
      params: Object.entries(trial.params).map(([name, value]) => [name, wordOf(value)] as const),
      tags: [],
      note: '',
      stopping: false,
    },
    progress: null,
    series: seriesOf(data, trial),
    system: [],
    output: new Terminal({ text: '' }),
    displays: [],
    details: null,
    media: null,
    sweep: null,
  };
}

function seriesOf({ about, curves }: SweepData, { number }: Trial): Series[] {
  const [objective] = about?.objectives ?? [];
  const curve = curves.get(number);
  if (!objective || !curve?.values.length) return [];
  const { steps, values, n } = curve;
  const numbers = values.filter((value) => Number.isFinite(value));
  const last = values[values.length - 1] ?? NaN;
  return [
    {
      name: objective.metric,
      group: objective.metric,
      role: '',
      better: objective.direction === 'minimize' ? -1 : 1,
      n,
      last: Number.isFinite(last) ? last : null,
      lastStep: steps[steps.length - 1] ?? null,
      min: numbers.length ? Math.min(...numbers) : null,
      max: numbers.length ? Math.max(...numbers) : null,
      steps,
      times: new Float64Array(),
      values,
      means: values,
    },
  ];
}
