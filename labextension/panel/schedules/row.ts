import { element, icon, setText } from '../../views/dom.ts';
import { formatTook } from '../../views/format.ts';
import { CARET, MORE } from '../icons.ts';
import type { Words } from '../words.ts';
import { barsPicture, describeBars, drawBars } from './bars.ts';
import { PAUSE, PLAY } from './icons.ts';
import type { Firing, Kept } from './model.ts';
import { aboutOf, colourOf, nextOf, shownOf, signOf, wordOf, type Shown } from './states.ts';
import { exactly } from './times.ts';

let made = 0;

/** What a row asks for. */
export interface RowActions {
  run(schedule: Kept): void;
  pause(schedule: Kept): void;
  menu(schedule: Kept, at: { x: number; y: number }, back: HTMLElement): void;
  openPage(address: string): void;
  openRun(store: string, run: string): void;
  /** It was opened, and wants to know what it has started lately. */
  opened(row: ScheduleRow): void;
}

/** One schedule: what it is and when it starts next, when in words, what became of the last start; opened, its times and its history. */
export class ScheduleRow {
  readonly node = element('li', 'mlw-schedule');
  readonly head: HTMLButtonElement;
  readonly more = element('button', 'mlw-tool', { type: 'button', 'aria-haspopup': 'menu' }, icon(MORE));
  schedule: Kept | null = null;
  private readonly mark = element('span', 'mlw-row-mark');
  private readonly name = element('span', 'mlw-schedule-name');
  private readonly next = element('span', 'mlw-schedule-next');
  private readonly when = element('p', 'mlw-schedule-when');
  private readonly state = element('span', 'mlw-schedule-state');
  private readonly about = element('span');
  private readonly bars = barsPicture();
  private readonly run = element('button', 'mlw-tool mlw-changes', { type: 'button' }, icon(PLAY));
  private readonly pause = element('button', 'mlw-tool mlw-changes', { type: 'button' });
  private readonly details = element('div', 'mlw-schedule-details', { hidden: '' });
  private firings: readonly Firing[] | null = null;
  private sign: Shown | null = null;
  private paused: boolean | null = null;
  private shownDetails = '';
  private shownBars: string | null = null;

  constructor(
    private readonly words: Words,
    private readonly actions: RowActions,
  ) {
    this.details.id = `mlw-schedule-${(made += 1)}`;
    this.head = element('button', 'mlw-schedule-head', { type: 'button', 'aria-expanded': 'false', 'aria-controls': this.details.id }, this.name, icon(CARET));
    this.head.addEventListener('click', () => {
      this.expand(this.details.hidden);
    });
    const tools = element('span', 'mlw-schedule-tools', {}, this.run, this.pause, this.more);
    const last = element('p', 'mlw-schedule-last', {}, this.state, this.about, this.bars);
    this.node.append(this.mark, this.head, this.next, tools, this.when, last, this.details);
    this.on(this.run, (schedule) => {
      actions.run(schedule);
    });
    this.on(this.pause, (schedule) => {
      actions.pause(schedule);
    });
    this.on(this.more, (schedule) => {
      const { left, bottom } = this.more.getBoundingClientRect();
      actions.menu(schedule, { x: left, y: bottom }, this.more);
    });
    this.node.addEventListener('contextmenu', (event) => {
      if (!this.schedule) return;
      event.preventDefault();
      event.stopPropagation();
      actions.menu(this.schedule, { x: event.clientX, y: event.clientY }, this.head);
    });
  }

  get isOpen(): boolean {
    return !this.details.hidden;
  }

  expand(open: boolean): void {
    this.details.hidden = !open;
    this.head.setAttribute('aria-expanded', String(open));
    if (!open) return;
    this.showDetails();
    this.actions.opened(this);
  }

  /** Show what it has started lately. */
  show(firings: readonly Firing[]): void {
    this.firings = firings;
    this.showDetails();
  }

  update(schedule: Kept, now: number, canChange: boolean): void {
    const { words } = this;
    const before = this.schedule;
    this.schedule = schedule;
    const { shown, firing } = shownOf(schedule);
    if (shown !== this.sign) {
      this.sign = shown;
      this.mark.className = `mlw-row-mark ${colourOf(shown)}`;
      this.mark.replaceChildren(signOf(shown));
      this.state.className = `mlw-schedule-state ${colourOf(shown)}`;
      this.node.dataset.state = shown;
    }
    setText(this.state, wordOf(shown, words));
    setText(this.name, schedule.name);
    const next = nextOf(schedule, now, words);
    setText(this.next, next);
    setText(this.about, aboutOf(schedule, now, words));
    this.node.classList.toggle('mlw-paused', !schedule.enabled);
    this.head.setAttribute('aria-label', [schedule.name, next, schedule.words, `${wordOf(shown, words)} ${this.about.textContent}`].filter(Boolean).join(', '));
    if (schedule === before) return;
    setText(this.when, schedule.words);
    this.when.title = schedule.words;
    this.next.title = schedule.times.map(({ text }) => text).join('\n');
    this.about.title = firing?.reason ?? firing?.text ?? '';
    this.showTools(schedule, canChange);
    this.showBars(schedule);
    if (!this.isOpen) return;
    if (before?.last?.id !== schedule.last?.id || JSON.stringify(before?.running) !== JSON.stringify(schedule.running)) this.actions.opened(this);
    this.showDetails();
  }

  private on(button: HTMLButtonElement, act: (schedule: Kept) => void): void {
    button.addEventListener('click', () => {
      if (this.schedule) act(this.schedule);
    });
  }

  private showTools({ name, enabled }: Kept, canChange: boolean): void {
    const { words } = this;
    this.run.hidden = this.pause.hidden = !canChange;
    label(this.run, words.__('Run %1 now', name));
    label(this.pause, enabled ? words.__('Pause %1', name) : words.__('Resume %1', name));
    label(this.more, words.__('More for %1', name));
    if (this.paused === !enabled) return;
    this.paused = !enabled;
    this.pause.replaceChildren(icon(enabled ? PAUSE : PLAY));
    this.run.classList.toggle('mlw-away', !enabled);
  }

  private showBars({ durations }: Kept): void {
    const key = durations.map(({ id, seconds }) => `${id}:${seconds}`).join();
    if (key === this.shownBars) return;
    this.shownBars = key;
    const said = describeBars(durations, this.words);
    this.bars.classList.toggle('mlw-none', !said);
    this.bars.setAttribute('aria-label', said);
    if (!said) return;
    drawBars(this.bars, durations);
    const title = document.createElementNS('http://www.w3.org/2000/svg', 'title');
    title.textContent = said;
    this.bars.prepend(title);
  }

  private showDetails(): void {
    const { schedule, words, firings } = this;
    if (!schedule || !this.isOpen) return;
    const key = JSON.stringify([schedule, firings]);
    // A click in the middle of an exchange would be lost.
    if (key === this.shownDetails || (this.shownDetails && this.details.contains(document.activeElement))) return;
    this.shownDetails = key;
    const parts: Node[] = [this.whatOf(schedule)];
    if (schedule.times.length) parts.push(heading(words.__('Next')), element('ul', 'mlw-schedule-times', {}, ...schedule.times.map(({ text }) => element('li', '', {}, text))));
    if (firings?.length) parts.push(heading(words.__('Last')), element('ul', 'mlw-schedule-firings', {}, ...firings.map((one) => this.firing(one, schedule))));
    this.details.replaceChildren(...parts);
  }

  /** What it starts, with the way to what came of it. */
  private whatOf(schedule: Kept): HTMLElement {
    const { words, actions } = this;
    const { kind, reports, store, run } = schedule;
    const published = reports.filter((report) => report.published);
    const links = published.map((report) => this.link(reports.length > 1 ? report.name : words.__('Report'), () => { actions.openPage(report.address); }));
    const [first] = published;
    if (first && reports.length === 1) links.push(this.link(words.__('All editions'), () => { actions.openPage(first.editions); }));
    if (kind !== 'report' && run) links.push(this.link(kind === 'sweep' ? words.__('The sweep') : words.__('The run'), () => { actions.openRun(store, run); }));
    const what = kind === 'report' ? (schedule.notebook ?? words.__('a notebook outside of this server')) : kind === 'sweep' ? words.__('starts a sweep again') : words.__('starts a run again');
    return element('p', 'mlw-schedule-what', {}, element('span', '', {}, what), ...links);
  }

  private firing(one: Firing, { store, timezone }: Kept): HTMLElement {
    const { words, actions } = this;
    const state = one.state;
    const given = Object.entries(one.params).map(([name, value]) => `${name}=${value}`).join(' ');
    const when = exactly(one.due, Date.now() / 1000, timezone, words);
    const many = one.state === 'missed' && one.missed > 1 ? words.__('%1 times', one.missed) : '';
    const about = [when, one.seconds === null || state === 'skipped' || state === 'missed' ? '' : formatTook(one.seconds), many].filter(Boolean).join(' · ');
    const { address, run } = one;
    const text = `${wordOf(state, words)} ${about}`;
    const open = address ? (): void => { actions.openPage(address); } : run && state !== 'skipped' ? (): void => { actions.openRun(store, run); } : null;
    const node = open ? this.link(text, open) : element('span', '', {}, text);
    node.title = [one.reason, given].filter(Boolean).join('\n');
    const mark = element('span', `mlw-firing-mark ${colourOf(state)}`, {}, signOf(state));
    const why = state !== 'finished' && one.reason ? [element('span', 'mlw-firing-why', { title: one.reason }, one.reason)] : [];
    return element('li', '', {}, mark, node, ...why);
  }

  private link(text: string, open: () => void): HTMLButtonElement {
    const node = element('button', 'mlw-link', { type: 'button' }, text);
    node.addEventListener('click', open);
    return node;
  }
}

function heading(text: string): HTMLElement {
  return element('h3', 'mlw-schedule-heading', {}, text);
}

function label(button: HTMLElement, text: string): void {
  button.title = text;
  button.setAttribute('aria-label', text);
}
