// Which series share a chart, and what each looks like in it.
import { isClock } from './axis.ts';
import type { RunData, Series } from './model.ts';
import { lineColour } from './palette.ts';

/** One line of a chart. */
export interface Member {
  readonly run: number;
  readonly series: Series;
  /** What tells it from the others of its chart. */
  readonly label: string;
  readonly colour: string;
  readonly dash: readonly number[];
}

export interface Group {
  readonly key: string;
  readonly title: string;
  readonly members: readonly Member[];
}

const ROLES = ['train', 'validation', 'test'];
const DASHES: readonly (readonly number[])[] = [[], [5, 4], [2, 3]];

/** Charts in the order in which their first series came, training before validation in each. */
export function groupSeries(runs: readonly RunData[], of: (run: RunData) => readonly Series[]): Group[] {
  const groups = new Map<string, { run: number; series: Series }[]>();
  runs.forEach((run, index) => {
    for (const series of of(run)) {
      if (isClock(series)) continue;
      const key = series.group.toLowerCase();
      const found = groups.get(key) ?? [];
      found.push({ run: index, series });
      groups.set(key, found);
    }
  });
  return [...groups].map(([key, found]) => {
    const rank = ({ role }: Series): number => (role === '' ? 0 : ROLES.indexOf(role));
    found.sort((a, b) => a.run - b.run || rank(a.series) - rank(b.series));
    const names = new Set(found.map(({ series }) => series.name));
    const title = names.size === 1 ? (found[0]?.series.name ?? key) : (found[0]?.series.group ?? key);
    return { key, title, members: found.map(({ run, series }) => member(run, series, runs, [...names])) };
  });
}

function member(run: number, series: Series, runs: readonly RunData[], names: readonly string[]): Member {
  const several = runs.length > 1;
  const role = ROLES.indexOf(series.role);
  // System metrics say best by their role what they are: "GPU 1", "read".
  const own = names.length === 1 ? '' : role < 0 && series.role ? series.role : series.name;
  return {
    run,
    series,
    label: [several ? (runs[run]?.header.name ?? '') : '', own].filter(Boolean).join(' '),
    colour: lineColour(several ? run : role > 0 ? role : names.indexOf(series.name)),
    dash: several ? (DASHES[Math.max(0, role)] ?? []) : [],
  };
}
