// What stands in the fields of the form, to and from what the server takes.
import type { Notify, Targets } from './model.ts';

/** A name with a value, which is quoted where it has a space or a comma. */
const VALUE = String.raw`(?:"(?:\\.|[^"\\])*"|'[^']*'|[^\s,"'][^\s,]*)`;
const PAIR = new RegExp(String.raw`\s*([\p{L}_][\p{L}\p{N}_]*)=((?:${VALUE}(?:,${VALUE})*)?)(?=\s|$)`, 'uy');
const ONE = new RegExp(VALUE, 'g');

/** `region=EU,US lr=1e-3` as names, each with its values; null where it is something else. */
export function readPairs(text: string): Record<string, string[]> | null {
  const found: Record<string, string[]> = {};
  const rest = text.trim();
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < rest.length) {
    const [, name = '', values = ''] = PAIR.exec(rest) ?? [];
    if (!name || Object.hasOwn(found, name)) return null;
    found[name] = values ? (values.match(ONE) ?? []).map(bare) : [''];
  }
  return found;
}

/** `region=EU lr=1e-3`, each with one value, which may have commas. */
export function readParams(text: string): Record<string, string> | null {
  const pairs = readPairs(text);
  return pairs && Object.fromEntries(Object.entries(pairs).map(([name, values]) => [name, values.join(',')]));
}

export function writeParams(params: Readonly<Record<string, string>>): string {
  return Object.entries(params).map(([name, value]) => `${name}=${quoted(value)}`).join(' ');
}

/** Each combination of the values. */
export function readMatrix(text: string): Record<string, string>[] | null {
  const pairs = readPairs(text);
  if (!pairs) return null;
  if (!Object.keys(pairs).length) return [];
  return Object.entries(pairs).reduce<Record<string, string>[]>(
    (all, [name, values]) => all.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
    [{}],
  );
}

/** What `readMatrix` reads as these; null where they are not all combinations of anything. */
export function writeMatrix(matrix: readonly Readonly<Record<string, string>>[]): string | null {
  const names = Object.keys(matrix[0] ?? {});
  const text = names.map((name) => `${name}=${[...new Set(matrix.map((one) => one[name] ?? ''))].map(quoted).join(',')}`).join(' ');
  return JSON.stringify(readMatrix(text)) === JSON.stringify(matrix) ? text : null;
}

function bare(text: string): string {
  if (text.startsWith("'")) return text.slice(1, -1);
  if (!text.startsWith('"')) return text;
  try {
    return String(JSON.parse(text));
  } catch {
    return text.slice(1, -1);
  }
}

function quoted(value: string): string {
  return !value || /[\s,"'\\]/.test(value) ? JSON.stringify(value) : value;
}

/** When somebody hears of it: never, of failures, of these and of what works again, always, or as nobody can choose here. */
export type Occasion = 'never' | 'failure' | 'recovery' | 'always' | 'own';

export interface Told {
  readonly on: Occasion;
  /** Separated by commas. */
  readonly to: string;
}

export function readNotify(notify: Notify): Told {
  if (notify === null) return { on: 'never', to: '' };
  if (typeof notify === 'string' || Array.isArray(notify)) return told('always', notify as Targets);
  const { failure, recovery, always, ...others } = notify as Readonly<Record<string, Targets>>;
  const same = JSON.stringify(listOf(failure)) === JSON.stringify(listOf(recovery));
  if (Object.keys(others).length || (always !== undefined && (failure ?? recovery) !== undefined)) return { on: 'own', to: '' };
  if (always !== undefined) return told('always', always);
  if (failure !== undefined && recovery === undefined) return told('failure', failure);
  return failure !== undefined && same ? told('recovery', failure) : { on: 'own', to: '' };
}

/** Undefined leaves it as it is. */
export function writeNotify({ on, to }: Told): Notify | undefined {
  if (on === 'own') return undefined;
  const targets = to.split(/[,\n]/).map((one) => one.trim()).filter(Boolean);
  if (on === 'never' || !targets.length) return null;
  if (on === 'failure') return { failure: targets };
  return on === 'recovery' ? { failure: targets, recovery: targets } : { always: targets };
}

function told(on: Occasion, targets: Targets): Told {
  const list = listOf(targets);
  return list.length && !list.some((one) => one.includes(',')) ? { on, to: list.join(', ') } : { on: 'own', to: '' };
}

function listOf(targets: Targets | undefined): readonly string[] {
  return typeof targets === 'string' ? [targets] : (targets ?? []);
}

/** Which field a refusal is about, by what it says; none where that is not plain. */
export function fieldOf(message: string): string | null {
  const rules: readonly (readonly [RegExp, string])[] = [
    [/time zone/, 'timezone'],
    [/no cron expression|never due: (say|no year)/, 'cron'],
    [/before its end|the end |'until'|^until/, 'until'],
    [/come after|after the other/, 'after'],
    [/watch for changes|change is waited for/, 'when_changed'],
    [/matrix/, 'matrix'],
    [/parameter/, 'params'],
    [/commit|source is/, 'source'],
    [/schedule's name|there is a (schedule|report) |another name/, 'name'],
    [/told so|\bnotify\b|mailto|webhook|smtp|target|command/i, 'notify'],
    [/notebook/, 'notebook'],
    [/\bruns?\b|\bsweep\b/, 'run'],
  ];
  return rules.find(([pattern]) => pattern.test(message))?.[1] ?? null;
}
