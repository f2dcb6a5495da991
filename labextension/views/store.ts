// What the kernel has told of its runs: the state first, then numbered frames with what is new.
import type { Answer, Details, Display, Header, Progress, Question, RunData, RunSource } from './model.ts';
import type { Rerunner } from './rerunmodel.ts';
import { mergeSeries, type PackedSeries } from './series.ts';
import { mergeSweep, type PackedSweep } from './sweep/merge.ts';
import { Terminal, type OutputChange } from './terminal.ts';

interface PackedRun {
  readonly id?: string;
  readonly header?: Header;
  readonly progress?: Progress | null;
  readonly series?: readonly PackedSeries[];
  readonly system?: readonly PackedSeries[];
  readonly output?: OutputChange;
  readonly displays?: readonly Display[];
  readonly details?: Details;
  readonly media?: unknown;
  readonly sweep?: PackedSweep | null;
}

export interface PackedState {
  readonly frame: number;
  readonly clock: number;
  readonly runs: readonly PackedRun[];
}

export type Message =
  | ({ readonly type: 'frame' } & PackedState)
  | { readonly type: 'state'; readonly state: PackedState }
  | { readonly type: 'answer'; readonly to: number; readonly answer: PackedAnswer };

interface PackedAnswer extends Omit<Answer, 'series' | 'run'> {
  readonly series?: readonly PackedSeries[];
  readonly state?: PackedRun;
}

/** Stands in a message for the buffer of that number. */
const BUFFER = 'mlwidgets:buffer';
/** Milliseconds after which a question counts as not heard: the kernel is busy or gone. */
const PATIENCE = 20_000;
/** The same for what a fresh process has to do. */
const LONG = 150_000;

export class RunStore implements RunSource {
  runs: readonly RunData[] = [];
  clock = 0;
  readonly rerun: Rerunner = {
    look: async (run) => {
      const { plan } = await this.ask({ type: 'rerun', run, asked: null }, LONG);
      if (!plan) throw new Error(this.silence);
      return plan;
    },
    start: async (run, asked) => {
      const { started, refused } = await this.ask({ type: 'rerun', run, asked }, LONG);
      return started ?? refused ?? Promise.reject(new Error(this.silence));
    },
    beside: (run) => this.ask({ type: 'compare', runs: [run] }),
  };
  private frame = -1;
  private asked = 0;
  private readonly listeners = new Set<() => void>();
  private readonly waiting = new Map<number, (answer: Answer) => void>();

  constructor(
    private readonly send: (content: object) => void,
    private readonly silence = 'The kernel does not answer.',
  ) {}

  subscribe(changed: () => void): () => void {
    this.listeners.add(changed);
    return () => this.listeners.delete(changed);
  }

  stop(run: string): void {
    this.send({ type: 'stop', run });
  }

  steer(run: string, ask: 'pause' | 'resume' | 'concurrent', n?: number): void {
    this.send({ type: 'sweep', run, ask, ...(n === undefined ? {} : { n }) });
  }

  ask(question: Question, patience = PATIENCE): Promise<Answer> {
    const to = (this.asked += 1);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(to);
        reject(new Error(this.silence));
      }, patience);
      this.waiting.set(to, (answer) => {
        clearTimeout(timer);
        if (answer.error === undefined) resolve(answer);
        else reject(new Error(answer.error));
      });
      this.send({ ...question, to });
    });
  }

  /** Say that somebody looks on, and up to which frame. */
  hello(): void {
    this.send({ type: 'hello', frame: this.frame });
  }

  /** Take everything anew. */
  restore(state: PackedState): void {
    this.frame = state.frame;
    this.clock = state.clock;
    this.runs = state.runs.map((run) => apply(blank(), run));
    this.changed();
  }

  receive(message: Message, buffers: readonly DataView[]): void {
    const content = withBuffers(message, buffers) as Message;
    if (content.type === 'answer') {
      const { series, state, ...rest } = content.answer;
      this.waiting.get(content.to)?.({
        ...rest,
        ...(series && { series: mergeSeries([], series) }),
        ...(state && { run: apply(blank(), state) }),
      });
      this.waiting.delete(content.to);
    } else if (content.type === 'state') this.restore(content.state);
    else if (content.frame === this.frame + 1) {
      this.frame = content.frame;
      this.clock = content.clock;
      this.runs = this.runs.map((run) => {
        const change = content.runs.find((one) => one.id === run.header.id);
        return change ? apply(run, change) : run;
      });
      this.changed();
    } else if (content.frame > this.frame) this.hello(); // A frame was lost on the way.
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }
}

/** A run of which nothing is known yet but that it is there. */
function blank(): RunData {
  const empty = { progress: null, series: [], system: [], displays: [], details: null, media: null, sweep: null };
  return { ...empty, output: new Terminal({ text: '' }) } as unknown as RunData;
}

function apply(run: RunData, { series, system, output, sweep, ...rest }: PackedRun): RunData {
  if (output) run.output.apply(output);
  return {
    ...run,
    ...rest,
    series: series ? mergeSeries(run.series, series) : run.series,
    system: system ? mergeSeries(run.system, system) : run.system,
    sweep: sweep ? mergeSweep(run.sweep, sweep) : run.sweep,
  };
}

/** Put each buffer where the message names it. */
function withBuffers(value: unknown, buffers: readonly DataView[]): unknown {
  if (Array.isArray(value)) return value.map((one) => withBuffers(one, buffers));
  if (typeof value !== 'object' || value === null || value instanceof DataView) return value;
  if (BUFFER in value) return buffers[(value as Record<typeof BUFFER, number>)[BUFFER]];
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withBuffers(one, buffers)]));
}
