// How a schedule stands: a sign, a word and a colour for each state.
import { icon } from '../../views/dom.ts';
import { formatElapsed, formatTook } from '../../views/format.ts';
import { stateIcon } from '../../views/states.ts';
import type { Words } from '../words.ts';
import type { Firing, FiringState, Kept } from './model.ts';
import { moment } from './times.ts';

export type Shown = FiringState | 'paused' | 'new';

const OWN = {
  skipped: 'M3 4l5 4-5 4zM9 4h1.400v8H9z',
  missed: 'M8 2.500a5.500 5.500 0 1 1-4.200 1.950l1.150 1.050A3.900 3.900 0 1 0 8 4.100zM2.700 2.300l11 11-1 1-11-11z',
  paused: 'M4.500 3.500h2.500v9H4.500zm4.500 0h2.500v9H9z',
  new: 'M8 3.500a4.500 4.500 0 1 1 0 9a4.500 4.500 0 0 1 0-9m0 1.300a3.200 3.200 0 1 0 0 6.400a3.200 3.200 0 0 0 0-6.400',
} as const;
const LIKE = { claimed: 'submitted', started: 'running', waiting: 'submitted', finished: 'finished', failed: 'failed' } as const;

/** The sign of a state. */
export function signOf(shown: Shown): SVGSVGElement {
  return shown in LIKE ? stateIcon(LIKE[shown as keyof typeof LIKE]) : icon(OWN[shown as keyof typeof OWN]);
}

/** The class that colours it, as runs of that state are. */
export function colourOf(shown: Shown): string {
  if (shown in LIKE) return `mlw-state-${LIKE[shown as keyof typeof LIKE]}`;
  return shown === 'missed' ? 'mlw-state-late' : 'mlw-state-none';
}

export function wordOf(shown: Shown, words: Words): string {
  const said: Record<Shown, string> = {
    claimed: words.__('starting'),
    started: words.__('running'),
    waiting: words.__('tries again'),
    finished: words.__('finished'),
    failed: words.__('failed'),
    skipped: words.__('skipped'),
    missed: words.__('missed'),
    paused: words.__('paused'),
    new: words.__('never ran'),
  };
  return said[shown];
}

/** What there is to say first: what goes on, else how the last one ended. */
export function shownOf({ running, last }: Kept): { shown: Shown; firing: Firing | null } {
  const going = running.find(({ state }) => state === 'started') ?? running.find(({ state }) => state === 'claimed') ?? running[0];
  const firing = going ?? last;
  return { shown: firing?.state ?? 'new', firing: firing ?? null };
}

/** After its word: since when, how long it took, when it is tried again. */
export function aboutOf(schedule: Kept, now: number, words: Words): string {
  const { shown, firing } = shownOf(schedule);
  if (!firing) return '';
  const { timezone } = schedule;
  if (shown === 'started') {
    const many = schedule.running.length;
    return [formatElapsed(now - (firing.started ?? firing.claimed)), many > 1 ? words._n('%1 start', '%1 starts', many) : ''].filter(Boolean).join(' · ');
  }
  if (shown === 'waiting') return firing.retry_at === null ? '' : moment(firing.retry_at, now, timezone, words);
  if (shown === 'claimed') return '';
  if (shown === 'missed' || shown === 'skipped') return moment(firing.due, now, timezone, words);
  const took = firing.seconds === null ? '' : formatTook(firing.seconds);
  return [moment(firing.ended ?? firing.due, now, timezone, words), took].filter(Boolean).join(' · ');
}

/** When it starts next, or why it does not. */
export function nextOf(schedule: Kept, now: number, words: Words): string {
  const { enabled, next, cron, until, timezone } = schedule;
  if (!enabled) return words.__('paused');
  if (next !== null) return moment(next, now, timezone, words);
  if (cron === null) return words.__('when it may');
  return until !== null && until < now ? words.__('ended') : '';
}
