import { element } from '../../views/dom.ts';
import type { Words } from '../words.ts';
import { writeCron, type Rhythm } from './cron.ts';
import { choice, Line, textInput } from './fields.ts';
import type { Values } from './given.ts';

/** How often, and at what time: the usual rhythms by name, any other as cron writes it. */
export class WhenFields {
  readonly line: Line<HTMLSelectElement>;
  readonly rhythm: HTMLSelectElement;
  private readonly time: HTMLInputElement;
  private readonly minute: HTMLInputElement;
  private readonly weekday: HTMLSelectElement;
  private readonly day: HTMLInputElement;
  private readonly cron: HTMLInputElement;
  private before: Rhythm;

  constructor(start: Values, words: Words) {
    this.rhythm = choice('rhythm', start.rhythm, [
      ['hour', words.__('Every hour')],
      ['day', words.__('Every day')],
      ['weekday', words.__('Monday to Friday')],
      ['week', words.__('Every week')],
      ['month', words.__('Every month')],
      ['cron', words.__('By cron')],
      ['event', words.__('On an event')],
    ]);
    this.before = start.rhythm;
    this.time = textInput('time', start.time, { type: 'time', 'aria-label': words.__('At') });
    this.minute = textInput('minute', start.time.slice(3), { type: 'number', min: '0', max: '59', 'aria-label': words.__('Minutes past the hour') });
    this.weekday = choice('weekday', start.weekday, weekdays().map((name, i) => [String(i), name] as const));
    this.weekday.setAttribute('aria-label', words.__('On'));
    this.day = textInput('day', start.day, { type: 'number', min: '1', max: '31', 'aria-label': words.__('Day of the month') });
    this.cron = textInput('cron', start.cron, { placeholder: '0 7 * * 1-5', 'aria-label': words.__('Minute, hour, day, month, day of the week') });
    this.cron.classList.add('mlw-form-code');
    this.line = new Line(words.__('How often'), this.rhythm);
    const fields = element('div', 'mlw-form-fields', {}, this.weekday, this.day, this.time, this.minute, this.cron);
    const box = element('div', 'mlw-form-choice');
    this.rhythm.before(box);
    box.append(this.rhythm, fields);
    this.line.node.addEventListener('input', () => {
      this.show();
    });
    this.show();
  }

  values(): Pick<Values, 'rhythm' | 'time' | 'weekday' | 'day' | 'cron'> {
    const rhythm = this.rhythm.value as Rhythm;
    const minute = Math.min(59, Math.max(0, Math.round(Number(this.minute.value) || 0)));
    const time = rhythm === 'hour' ? `00:${String(minute).padStart(2, '0')}` : this.time.value;
    return { rhythm, time, weekday: this.weekday.value, day: this.day.value, cron: this.cron.value };
  }

  /** Go where it can be mended. */
  focus(): void {
    (this.cron.hidden ? this.rhythm : this.cron).focus();
  }

  private show(): void {
    const { rhythm, time, weekday, day, cron } = this.values();
    // Who goes on by hand goes on from what was chosen.
    if (rhythm === 'cron' && this.before !== 'cron' && this.before !== 'event') {
      this.cron.value = writeCron({ rhythm: this.before, time: this.before === 'hour' ? `00:${this.minute.value.padStart(2, '0')}` : time, weekday: Number(weekday), day: Number(day), cron }) ?? cron;
    }
    this.before = rhythm;
    this.time.hidden = rhythm === 'hour' || rhythm === 'cron' || rhythm === 'event';
    this.minute.hidden = rhythm !== 'hour';
    this.weekday.hidden = rhythm !== 'week';
    this.day.hidden = rhythm !== 'month';
    this.cron.hidden = rhythm !== 'cron';
  }
}

/** Sunday first, as cron counts them. */
function weekdays(): string[] {
  const format = new Intl.DateTimeFormat(undefined, { weekday: 'long', timeZone: 'UTC' });
  return Array.from({ length: 7 }, (_, i) => format.format(Date.UTC(2026, 10, 22 + i)));
}
