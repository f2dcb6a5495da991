// Cells that a merge by git left in conflict: what both sides say there, and what stays of it.

/** What a merge says of a cell: `edited` on both sides, `deleted` on one, or an `attachment` of which there are two. */
export interface Marked {
  readonly kind: string;
  readonly note: string;
}

export type Take = 'ours' | 'theirs' | 'both';

export interface Versions {
  readonly ours: string;
  readonly theirs: string;
}

const BEGIN = /^<{7,} /;
const END = /^>{7,} /;
const ANYWHERE = /^<{7,} /m;

/** What a cell is in conflict about; null where it is not, or is settled: no marker is in it any more. */
export function markedIn(said: unknown, source: string): Marked | null {
  const conflict = isObject(said) ? said.conflict : null;
  if (!isObject(conflict) || !ANYWHERE.test(source)) return null;
  const { kind, note } = conflict;
  return { kind: typeof kind === 'string' ? kind : '', note: typeof note === 'string' ? note : '' };
}

/** A cell's metadata once nothing is to be decided in it. */
export function settledMetadata(metadata: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { mlwidgets, ...others } = metadata;
  if (!isObject(mlwidgets)) return { ...metadata };
  const left = Object.entries(mlwidgets).filter(([key]) => key !== 'conflict');
  return left.length > 0 ? { ...others, mlwidgets: Object.fromEntries(left) } : others;
}

/** What a cell is on either side; null where that cannot be told for sure: lines like markers are in the text, say. */
export function versionsOf(source: string): Versions | null {
  const ours: string[] = [];
  const theirs: string[] = [];
  let size = 0;
  let side: 'ours' | 'theirs' | null = null;
  for (const line of source.split('\n')) {
    if (BEGIN.test(line)) {
      if (side) return null;
      size = line.indexOf(' ');
      side = 'ours';
    } else if (side && line === '='.repeat(size)) {
      if (side === 'theirs') return null;
      side = 'theirs';
    } else if (side === 'theirs' && line.startsWith(`${'>'.repeat(size)} `)) side = null;
    else if (!side && END.test(line)) return null;
    else {
      if (side !== 'theirs') ours.push(line);
      if (side !== 'ours') theirs.push(line);
    }
  }
  return side === null && size > 0 ? { ours: ours.join('\n'), theirs: theirs.join('\n') } : null;
}

/** A cell without the line that says what is to be decided; null where it does not begin with one. */
export function withoutNote(source: string): string | null {
  const [first = '', ...rest] = source.split('\n');
  const text = rest.join('\n');
  return BEGIN.test(first) && !ANYWHERE.test(text) ? text : null;
}

const THEIRS = 'theirs-';

/** A cell's attachments with those of one side alone; of both nothing is changed. What the text names is what it says. */
export function attachmentsOf(all: Readonly<Record<string, unknown>>, take: Take, text: string): Record<string, unknown> {
  if (take === 'both') return { ...all };
  const beside = (name: string): boolean =>
    name.startsWith(THEIRS) && Object.hasOwn(all, name) && Object.hasOwn(all, name.slice(THEIRS.length)) && !text.includes(`attachment:${name}`);
  const found: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(all)) {
    if (!beside(name)) found[name] = take === 'theirs' && beside(THEIRS + name) ? all[THEIRS + name] : value;
  }
  return found;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
