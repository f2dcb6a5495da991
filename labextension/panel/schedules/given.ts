// The form's values: from a schedule, and to what is sent.
import { readCron, USUAL, writeCron, type Rhythm } from './cron.ts';
import type { Given, Kind, Schedule } from './model.ts';
import { readMatrix, readNotify, readParams, writeMatrix, writeNotify, writeParams, type Occasion } from './values.ts';

/** Texts as they stand in the fields. */
export interface Values {
  readonly kind: Kind;
  readonly notebook: string;
  readonly run: string;
  readonly name: string;
  readonly rhythm: Rhythm;
  readonly time: string;
  readonly weekday: string;
  readonly day: string;
  readonly cron: string;
  readonly timezone: string;
  readonly params: string;
  /** Null where the form cannot say it. */
  readonly matrix: string | null;
  readonly missed: string;
  readonly overlap: boolean;
  /** Minutes. */
  readonly jitter: string;
  /** A day, as date fields have it. */
  readonly until: string;
  readonly retries: string;
  /** Minutes. */
  readonly wait: string;
  readonly after: string;
  /** Separated by commas. */
  readonly changed: string;
  readonly source: string;
  readonly on: Occasion;
  readonly to: string;
}

/** What is wrong in a field. */
export interface Wrong {
  readonly field: string;
  readonly message: string;
}

export function isWrong(given: Given | Wrong): given is Wrong {
  return 'field' in given;
}

export function newValues(timezone: string, given: Partial<Values> = {}): Values {
  return {
    kind: 'report', notebook: '', run: '', name: '', rhythm: USUAL.rhythm, time: USUAL.time, weekday: '1', day: '1', cron: USUAL.cron, timezone,
    params: '', matrix: '', missed: 'once', overlap: false, jitter: '0', until: '', retries: '0', wait: '5', after: '', changed: '',
    source: 'current', on: 'failure', to: 'browser', ...given,
  };
}

export function valuesOf(schedule: Schedule): Values {
  const { cron, until } = schedule;
  const when = readCron(cron);
  return {
    kind: schedule.kind, notebook: schedule.notebook ?? '', run: schedule.run ?? '', name: schedule.name,
    rhythm: when.rhythm, time: when.time, weekday: String(when.weekday), day: String(when.day), cron: cron ?? USUAL.cron,
    timezone: schedule.timezone, params: writeParams(schedule.params), matrix: writeMatrix(schedule.matrix),
    missed: schedule.missed, overlap: schedule.overlap, jitter: String(schedule.jitter / 60),
    until: until === null ? '' : dateIn(until, schedule.timezone), retries: String(schedule.retries), wait: String(schedule.retry_wait / 60),
    after: schedule.after ?? '', changed: schedule.when_changed.join(', '), source: schedule.source, ...readNotify(schedule.notify),
  };
}

/** What is sent for a new schedule, or the first thing that is wrong. */
export function givenOf(values: Values): Given | Wrong {
  const { kind } = values;
  const params = readParams(values.params);
  if (!params) return { field: 'params', message: 'Names with values: region=EU lr=1e-3. A value with a space in it goes in quotes.' };
  const matrix = values.matrix === null ? undefined : readMatrix(values.matrix);
  if (matrix === null) return { field: 'matrix', message: 'Names with values, separated by commas: region=EU,US' };
  const numbers = { jitter: minutes(values.jitter), retries: minutes(values.retries), wait: minutes(values.wait) };
  for (const [field, number] of Object.entries(numbers)) {
    if (number === null) return { field, message: 'A number that is not below 0.' };
  }
  const when = { rhythm: values.rhythm, time: values.time, weekday: Number(values.weekday), day: Number(values.day), cron: values.cron };
  const timed = values.rhythm !== 'cron' && values.rhythm !== 'event';
  if (timed && !/^\d\d:\d\d/.test(values.time)) return { field: 'cron', message: 'A time, such as 07:00.' };
  if (values.rhythm === 'month' && !(when.day >= 1 && when.day <= 31)) return { field: 'cron', message: 'A day from 1 to 31.' };
  if (kind === 'report' && !values.notebook.trim()) return { field: 'notebook', message: 'Which notebook?' };
  if (kind !== 'report' && !values.run) return { field: 'run', message: 'Which run?' };
  const paths = values.changed.split(',').map((one) => one.trim()).filter(Boolean);
  const after = values.after.trim() || null;
  if (values.rhythm === 'event' && !after && !paths.length) return { field: 'after', message: 'After what? Or say below which files it waits for.' };
  const notify = writeNotify(values);
  return {
    kind,
    ...(kind === 'report' ? { notebook: values.notebook.trim() } : { run: values.run }),
    ...(values.name.trim() && { name: values.name.trim() }),
    cron: writeCron(when),
    timezone: values.timezone.trim(),
    params,
    ...(matrix && { matrix }),
    missed: values.missed === 'record' ? 'record' : 'once',
    overlap: values.overlap,
    jitter: 60 * (numbers.jitter ?? 0),
    until: values.until || null,
    retries: numbers.retries ?? 0,
    retry_wait: 60 * (numbers.wait ?? 0),
    after,
    when_changed: paths,
    source: values.source.trim() || 'current',
    ...(notify !== undefined && { notify }),
  };
}

/** Of what is sent, what is not as it was: what the form cannot say stays as it is. */
export function changesOf(before: Schedule, given: Given): Given {
  const old = givenOf(valuesOf(before));
  const was: Readonly<Record<string, unknown>> = isWrong(old) ? {} : { ...old };
  return Object.fromEntries(Object.entries(given).filter(([key, value]) => key !== 'kind' && JSON.stringify(value) !== JSON.stringify(was[key])));
}

/** The part of it that says when, for the preview. */
export function whenOf(given: Given): Given {
  const { cron = null, timezone = 'UTC', until = null, after = null, when_changed: paths = [] } = given;
  return { cron, timezone, until, after, when_changed: paths };
}

function minutes(text: string): number | null {
  const value = Number(text.trim() || '0');
  return Number.isFinite(value) && value >= 0 ? value : null;
}

/** A day in a zone, as date fields have it. */
function dateIn(at: number, zone: string): string {
  const options = { year: 'numeric', month: '2-digit', day: '2-digit' } as const;
  try {
    return new Intl.DateTimeFormat('en-CA', { ...options, timeZone: zone }).format(at * 1000);
  } catch {
    return new Intl.DateTimeFormat('en-CA', options).format(at * 1000);
  }
}
