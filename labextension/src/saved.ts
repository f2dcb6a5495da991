// What notebooks keep of runs (mlwidgets/views/static.py writes it), turned back into what a view shows.
import { readBundle, RUN_MIME, type RunData, type SavedRun } from '../views/index.ts';

/** The newest format that this code can read. */
const FORMAT = 2;
/** The marks that mlwidgets/views/page.py puts around each display. */
const DISPLAY = /<!--mlw-display-->([\s\S]*?)<!--\/mlw-display-->/g;

type Data = Readonly<Record<string, unknown>>;
type KeptRun = Omit<SavedRun, 'displays'> & { readonly displays?: readonly KeptDisplay[] };

interface KeptDisplay {
  readonly data: Data;
  readonly metadata: Data;
  /** What of it is in the page alone. */
  readonly page: string | null;
}

export interface Saved {
  readonly runs: readonly RunData[];
  /** When this was so, Unix seconds. */
  readonly time: number;
}

/**
 * Read the runs in a MIME bundle; null if this code cannot.
 *
 * @param sanitize - What HTML has to go through, where the notebook is not trusted.
 */
export function readSaved(data: Data, sanitize: (html: string) => string): Saved | null {
  const saved = data[RUN_MIME] as { format?: number; time?: number; runs?: KeptRun[] } | undefined;
  if (!saved?.runs?.length || (saved.format ?? Infinity) > FORMAT) return null;
  const page = typeof data['text/html'] === 'string' ? data['text/html'] : '';
  const shown = Array.from(page.matchAll(DISPLAY), ([, content]) => content ?? '');
  const runs = saved.runs.map((run) => {
    const displays = (run.displays ?? []).map((kept) => restore(kept, shown.shift() ?? '', sanitize));
    return readBundle({ ...run, series: run.series?.map(sum), system: run.system?.map(sum), displays } as SavedRun);
  });
  return { runs, time: savedAt(data) };
}

/** When what a MIME bundle says was so, Unix seconds. */
export function savedAt(data: Data): number {
  return (data[RUN_MIME] as { time?: number } | undefined)?.time ?? 0;
}

type KeptSeries = NonNullable<SavedRun['series']>[number];

/** Steps and times are kept as differences, the times in milliseconds. */
function sum(series: KeptSeries): KeptSeries {
  return { ...series, steps: sums(series.steps), times: sums(series.times ?? []).map((time) => time / 1000) };
}

function sums(differences: readonly number[]): number[] {
  let total = 0;
  return differences.map((difference) => (total += difference));
}

function restore(kept: KeptDisplay, content: string, sanitize: (html: string) => string): KeptDisplay {
  const { page } = kept;
  if (page === null) return kept;
  return { ...kept, data: { ...kept.data, [page]: page === 'text/html' ? sanitize(content) : pictured(content) } };
}

/** The content of the picture that an `<img>` shows. */
function pictured(content: string): string {
  const [, encoding = '', data = ''] = /src="data:[^",;]+(;base64)?,([^"]*)"/.exec(content) ?? [];
  return encoding ? data : decodeURIComponent(data);
}
