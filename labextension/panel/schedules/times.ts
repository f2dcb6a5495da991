// Times as one says them: "tomorrow at 07:00", in the zone that the schedule is read in.
import type { Words } from '../words.ts';

const DAY = 86_400_000;

interface Parts {
  /** Days since the beginning of 1970, on that zone's calendar. */
  readonly day: number;
  readonly year: number;
  readonly clock: string;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${zone}\n${JSON.stringify(options)}`;
  let found = formats.get(key);
  if (!found) {
    try {
      found = new Intl.DateTimeFormat(options.hour ? 'en-GB' : undefined, { ...options, ...(zone && { timeZone: zone }) });
    } catch {
      // A zone that this browser does not know: its own, rather than none.
      found = new Intl.DateTimeFormat(options.hour ? 'en-GB' : undefined, options);
    }
    formats.set(key, found);
  }
  return found;
}

function partsOf(at: number, zone: string): Parts {
  const options = { year: 'numeric', month: 'numeric', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
  const parts = Object.fromEntries(format(zone, options).formatToParts(at * 1000).map(({ type, value }) => [type, value]));
  const [year, month, day] = [Number(parts.year), Number(parts.month), Number(parts.day)];
  return { day: Date.UTC(year, month - 1, day) / DAY, year, clock: `${parts.hour ?? ''}:${parts.minute ?? ''}` };
}

/** The zone that this browser is in. */
export function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
}

/** What to say after a time of a zone whose clock shows another time than this browser's: "CET", "GMT+9". */
export function zoneMark(at: number, zone: string, own = ownZone()): string {
  const [there, here] = [partsOf(at, zone), partsOf(at, own)];
  if (there.clock === here.clock && there.day === here.day) return '';
  const parts = format(zone, { hour: '2-digit', timeZoneName: 'short' }).formatToParts(at * 1000);
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? zone;
}

/** A day as one says it from another: today, tomorrow, Monday, 24 Nov, 24 Nov 2027. */
export function dayOf(at: number, now: number, zone: string, words: Words): string {
  const [there, today] = [partsOf(at, zone), partsOf(now, zone)];
  const away = there.day - today.day;
  if (away === 0) return words.__('today');
  if (away === 1) return words.__('tomorrow');
  if (away === -1) return words.__('yesterday');
  if (Math.abs(away) < 7) return format(zone, { weekday: 'long' }).format(at * 1000);
  const year = there.year === today.year ? {} : ({ year: 'numeric' } as const);
  return format(zone, { day: 'numeric', month: 'short', ...year }).format(at * 1000);
}

/** A time to come or past, as one says it: "in 12 min", "tomorrow at 07:00", "Monday at 07:00 CET". */
export function moment(at: number, now: number, zone: string, words: Words, own = ownZone()): string {
  const minutes = (at - now) / 60;
  if (Math.abs(minutes) < 1) return minutes < 0 ? words.__('just now') : words.__('in a moment');
  if (minutes > 0 && minutes < 60) return words.__('in %1 min', Math.round(minutes));
  if (minutes < 0 && minutes > -60) return words.__('%1 min ago', Math.round(-minutes));
  return exactly(at, now, zone, words, own);
}

/** The same without how far away it is. */
export function exactly(at: number, now: number, zone: string, words: Words, own = ownZone()): string {
  const mark = zoneMark(at, zone, own);
  const said = words.__('%1 at %2', dayOf(at, now, zone, words), partsOf(at, zone).clock);
  return mark ? `${said} ${mark}` : said;
}

/** Day and time in full, for a list of them: "Mon 23 Nov 2026, 07:00". */
export function inFull(at: number, zone: string, own = ownZone()): string {
  const mark = zoneMark(at, zone, own);
  const day = format(zone, { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' }).format(at * 1000);
  return `${day}, ${partsOf(at, zone).clock}${mark ? ` ${mark}` : ''}`;
}
