import { button, element, icon, setText } from '../dom.ts';
import { hasEnded, type Header, type RunSource } from '../model.ts';
import { MINUS, PAUSE, PLUS, RESUME } from './icons.ts';
import type { SweepData } from './model.ts';

/** Milliseconds after which a wish that had no effect is given up, in words. */
const PATIENCE = 10_000;
const MOST = 512;

interface Wishes {
  paused: boolean | null;
  concurrent: number | null;
}

const NONE: Readonly<Wishes> = { paused: null, concurrent: null };

/** Pauses and resumes a sweep, and says how many of its trials run at once. Nothing where the source cannot ask. */
export class SweepControls {
  readonly node = element('span', 'mlw-sweep-controls');
  readonly resume = button('Resume', 'mlw-button', () => {
    this.toggle();
  }, RESUME);
  /** What was asked in vain. */
  readonly refused = element('div', 'mlw-hint mlw-sweep-refused', { role: 'status', hidden: '' });
  private readonly pause = button('Pause', 'mlw-button', () => {
    this.toggle();
  }, PAUSE);
  private readonly less = step('One trial fewer at a time', MINUS, () => {
    this.step(-1);
  });
  private readonly more = step('One trial more at a time', PLUS, () => {
    this.step(1);
  });
  private readonly number = element('output', 'mlw-sweep-concurrent');
  private readonly stepper: HTMLElement;
  private header: Header | null = null;
  private status: SweepData['status'] = null;
  private wishes: Wishes = { ...NONE };
  private vain: Wishes = { ...NONE };
  private timer = 0;

  constructor(
    private readonly source: RunSource,
    private readonly changed: () => void,
  ) {
    this.stepper = element('span', 'mlw-sweep-stepper', { role: 'group', 'aria-label': 'Trials at a time', title: 'Trials at a time' }, this.less, this.number, this.more);
    this.node.append(this.stepper, this.pause);
  }

  update(header: Header, { status }: SweepData): void {
    this.header = header;
    this.status = status;
    const { wishes, source } = this;
    if (status && wishes.paused === (status.paused !== null)) wishes.paused = null;
    if (wishes.concurrent === status?.concurrent) wishes.concurrent = null;
    if (status && (this.vain.paused === (status.paused !== null) || this.vain.concurrent === status.concurrent)) this.refuse(NONE);
    const able = 'steer' in source && status !== null && !hasEnded(header.state) && !header.stopping;
    this.node.hidden = this.resume.hidden = !able;
    if (!able) this.refuse(NONE);
    if (!status || !able) return;
    const { paused } = status;
    this.pause.hidden = paused !== null;
    const waits = wishes.paused !== null;
    this.pause.disabled = this.resume.disabled = waits;
    setText(label(this.pause), waits ? 'Pausing…' : 'Pause');
    setText(label(this.resume), waits ? 'Resuming…' : 'Resume');
    const concurrent = wishes.concurrent ?? status.concurrent;
    setText(this.number, `${concurrent} at a time`);
    this.number.classList.toggle('mlw-sweep-wish', wishes.concurrent !== null);
    this.less.disabled = concurrent <= 1;
    this.more.disabled = concurrent >= MOST;
  }

  destroy(): void {
    window.clearTimeout(this.timer);
  }

  private toggle(): void {
    const { header, status, source } = this;
    if (!header || !status) return;
    const pause = status.paused === null;
    this.wishes.paused = pause;
    source.steer?.(header.id, pause ? 'pause' : 'resume');
    this.later();
  }

  private step(by: number): void {
    const { header, status, source } = this;
    if (!header || !status) return;
    const wanted = Math.min(MOST, Math.max(1, (this.wishes.concurrent ?? status.concurrent) + by));
    this.wishes.concurrent = wanted;
    source.steer?.(header.id, 'concurrent', wanted);
    this.later();
  }

  /** Show the wish, and what is so if nothing comes of it. */
  private later(): void {
    window.clearTimeout(this.timer);
    this.refuse(NONE);
    this.timer = window.setTimeout(() => {
      this.refuse(this.wishes);
      this.wishes = { ...NONE };
      this.changed();
    }, PATIENCE);
    this.changed();
  }

  /** Say that a wish had no effect. */
  private refuse(wish: Wishes): void {
    this.vain = { ...wish };
    const { paused, concurrent } = wish;
    const what = paused === true ? 'It has not paused' : paused === false ? 'It has not resumed' : concurrent === null ? '' : `It has not gone to ${concurrent} at a time`;
    setText(this.refused, what && `${what}: nothing came of that within ${PATIENCE / 1000} s.`);
    this.refused.hidden = !what;
  }
}

function step(name: string, path: string, click: () => void): HTMLButtonElement {
  const node = element('button', 'mlw-step', { type: 'button', title: name, 'aria-label': name }, icon(path));
  node.addEventListener('click', click);
  return node;
}

function label(node: HTMLButtonElement): HTMLElement {
  return node.querySelector('span') ?? node;
}
