// The times that people mean most often, to and from the five fields of cron.

export type Rhythm = 'hour' | 'day' | 'weekday' | 'week' | 'month' | 'cron' | 'event';

/** When a schedule is due, as the form asks for it. */
export interface When {
  readonly rhythm: Rhythm;
  /** "07:00"; of each hour only the minutes count. */
  readonly time: string;
  /** 0 is Sunday, as in cron. */
  readonly weekday: number;
  readonly day: number;
  /** The five fields, where no other rhythm says it. */
  readonly cron: string;
}

export const USUAL: When = { rhythm: 'weekday', time: '07:00', weekday: 1, day: 1, cron: '0 7 * * 1-5' };

const WEEKDAYS = new Set(['1-5', 'mon-fri', '1,2,3,4,5']);

/** Read five fields; what is no usual rhythm stays as it is. None at all means that something else says when. */
export function readCron(cron: string | null): When {
  if (cron === null) return { ...USUAL, rhythm: 'event' };
  const [minutes = '', hours = '', day = '', month = '', weekday = '', ...more] = cron.trim().toLowerCase().split(/\s+/);
  const other: When = { ...USUAL, rhythm: 'cron', cron: cron.trim() };
  const minute = whole(minutes, 0, 59);
  if (minute === null || month !== '*' || more.length) return other;
  if (hours === '*' && day === '*' && weekday === '*') return { ...other, rhythm: 'hour', time: `00:${two(minute)}` };
  const hour = whole(hours, 0, 23);
  if (hour === null) return other;
  const at: When = { ...other, time: `${two(hour)}:${two(minute)}` };
  if (day === '*' && weekday === '*') return { ...at, rhythm: 'day' };
  if (day === '*' && WEEKDAYS.has(weekday)) return { ...at, rhythm: 'weekday' };
  const ofWeek = whole(weekday, 0, 7);
  if (day === '*' && ofWeek !== null) return { ...at, rhythm: 'week', weekday: ofWeek % 7 };
  const ofMonth = whole(day, 1, 31);
  if (weekday === '*' && ofMonth !== null) return { ...at, rhythm: 'month', day: ofMonth };
  return other;
}

/** The five fields of what was chosen; null where only an event says when. */
export function writeCron({ rhythm, time, weekday, day, cron }: When): string | null {
  const [hour = 0, minute = 0] = time.split(':').map(Number);
  switch (rhythm) {
    case 'hour':
      return `${minute} * * * *`;
    case 'day':
      return `${minute} ${hour} * * *`;
    case 'weekday':
      return `${minute} ${hour} * * 1-5`;
    case 'week':
      return `${minute} ${hour} * * ${weekday}`;
    case 'month':
      return `${minute} ${hour} ${day} * *`;
    case 'cron':
      return cron.trim();
    case 'event':
      return null;
  }
}

function whole(text: string, least: number, most: number): number | null {
  if (!/^\d{1,2}$/.test(text)) return null;
  const value = Number(text);
  return value >= least && value <= most ? value : null;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
