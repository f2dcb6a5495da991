// Runs as a saved notebook keeps them, under the project's own MIME type.
import type { Details, Display, Header, Num, RunData, Series } from './model.ts';
import { readSweep, type SavedSweep } from './sweep/merge.ts';
import { Terminal, type OutputChange } from './terminal.ts';

export const RUN_MIME = 'application/vnd.mlwidgets.run+json';

type Column = readonly (Num | undefined)[];

interface SavedSeries extends Partial<Omit<Series, 'steps' | 'times' | 'values' | 'means'>> {
  readonly name: string;
  readonly steps: readonly number[];
  /** Seconds after `begin`, which is Unix time. */
  readonly times?: readonly number[];
  readonly begin?: number;
  readonly values: Column;
  readonly means?: Column;
}

export interface SavedRun {
  readonly header: Header;
  readonly series?: readonly SavedSeries[];
  readonly system?: readonly SavedSeries[];
  readonly output?: OutputChange;
  readonly displays?: readonly Display[];
  readonly details?: Details | null;
  readonly media?: unknown;
  readonly sweep?: SavedSweep | null;
}

/** Read what `mlwidgets.views.static` wrote; what an older version left out is empty. */
export function readBundle(saved: SavedRun): RunData {
  return {
    header: saved.header,
    progress: null,
    series: (saved.series ?? []).map(readSeries),
    system: (saved.system ?? []).map(readSeries),
    output: new Terminal(saved.output ?? { text: '' }),
    displays: saved.displays ?? [],
    details: saved.details ?? null,
    media: saved.media ?? null,
    sweep: saved.sweep ? readSweep(saved.sweep, saved.header.name) : null,
  };
}

function readSeries({ begin = 0, ...one }: SavedSeries): Series {
  const values = numbers(one.values);
  return {
    group: one.name,
    role: '',
    better: 0,
    n: values.length,
    last: null,
    lastStep: null,
    min: null,
    max: null,
    ...one,
    steps: Float64Array.from(one.steps),
    times: Float64Array.from(one.times ?? [], (time) => begin + time),
    values,
    means: one.means ? numbers(one.means) : values,
  };
}

function numbers(column: Column): Float64Array {
  return Float64Array.from(column, (value) => (typeof value === 'number' ? value : NaN));
}
