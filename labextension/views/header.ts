import { element, icon, setText } from './dom.ts';
import { formatElapsed, formatTook } from './format.ts';
import { hasEnded, type Header, type RunState } from './model.ts';

/** Each state has a shape and a word of its own besides its colour. */
const ICONS: Record<RunState, string> = {
  submitted: 'M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 0 0 0-11m0 1.6a3.9 3.9 0 1 1 0 7.8a3.9 3.9 0 0 1 0-7.8M7.3 5h1.4v2.7l1.9 1.1-.7 1.2-2.6-1.5z',
  running: 'M8 4a4 4 0 1 0 0 8a4 4 0 0 0 0-8',
  finished: 'M6.4 12.2 2.6 8.4l1.2-1.2 2.6 2.6 5.8-5.8 1.2 1.2z',
  failed: 'M4.3 3.1 8 6.8l3.7-3.7 1.2 1.2L9.2 8l3.7 3.7-1.2 1.2L8 9.2l-3.7 3.7-1.2-1.2L6.8 8 3.1 4.3z',
  stopped: 'M4 4h8v8H4z',
  killed: 'M9.5 1.5 3.5 9h3.6l-.9 5.5 6.3-8H8.7z',
  timeout: 'M4 2h8v1.5L9 8l3 4.5V14H4v-1.5L7 8 4 3.5zm2 1.8L8 7l2-3.2z',
};

const STOP = 'M4 4h8v8H4z';
const SHOWN_CHIPS = 12;
/** Seconds after which a request to stop that had no effect is explained. */
const PATIENCE = 8;
/** Seconds without a word from the kernel after which it counts as gone. */
const SILENCE = 12;
/** Seconds after which a run that has not started is waiting rather than starting. */
const QUEUED = 3;

/** Name, state, elapsed time and Stop; below them parameters, tags, note and cause. */
export class HeaderBar {
  readonly node = element('header', 'mlw-header');
  private readonly name = element('span', 'mlw-name');
  private readonly badge = element('span', 'mlw-badge', { role: 'status' });
  private readonly elapsed = element('span', 'mlw-elapsed', { role: 'timer', 'aria-label': 'Elapsed time' });
  private readonly stop = element('button', 'mlw-stop', { type: 'button' });
  private readonly stopLabel = element('span', '', {}, 'Stop');
  private readonly chips = element('div', 'mlw-chips');
  private readonly note = element('div', 'mlw-note');
  private readonly cause = element('div', 'mlw-cause');
  private readonly hint = element('div', 'mlw-hint', { role: 'status' });
  private header: Header | null = null;
  private askedAt: number | null = null;
  private chipsKey = '';
  private allChips = false;
  /** Seconds that the kernel's clock is ahead of this one. */
  private skew = 0;
  private heardAt: number | null = null;

  constructor(onStop: () => void) {
    this.stop.append(icon(STOP), this.stopLabel);
    this.stop.addEventListener('click', () => {
      this.askedAt = Date.now();
      onStop();
      this.tick();
    });
    const line = element('div', 'mlw-title', {}, this.name, this.badge, this.elapsed, this.stop);
    this.node.append(line, this.cause, this.hint, this.chips, this.note);
  }

  update(header: Header): void {
    const before = this.header;
    this.header = header;
    setText(this.name, header.name);
    this.name.title = header.id;
    if (before?.state !== header.state) {
      this.badge.className = `mlw-badge mlw-state-${header.state}`;
      this.badge.replaceChildren(icon(ICONS[header.state]), header.state);
    }
    setText(this.cause, header.cause ?? '');
    this.cause.hidden = !header.cause || header.state === 'finished';
    setText(this.note, header.note);
    this.note.hidden = !header.note;
    this.showChips();
    this.tick();
  }

  /** The kernel was heard at its time `clock` (Unix seconds). */
  heard(clock: number): void {
    this.skew = clock - Date.now() / 1000;
    this.heardAt = Date.now();
    this.tick();
  }

  /** Bring everything up to date that changes by time alone. */
  tick(): void {
    const header = this.header;
    if (!header) return;
    const ended = hasEnded(header.state);
    const silent = !ended && this.heardAt !== null && Date.now() - this.heardAt > SILENCE * 1000;
    const now = (silent && this.heardAt !== null ? this.heardAt : Date.now()) / 1000 + this.skew;
    const from = header.started ?? header.submitted;
    setText(this.elapsed, ended ? formatTook((header.ended ?? now) - from) : formatElapsed(now - from));
    const asked = this.askedAt !== null && !header.stopping;
    const stopping = !ended && (header.stopping || (asked && !silent));
    this.stop.hidden = ended;
    this.stop.disabled = stopping || silent;
    this.stop.title = `Stop ${header.name}`;
    this.node.classList.toggle('mlw-silent', silent);
    setText(this.stopLabel, stopping ? 'Stopping…' : 'Stop');
    setText(this.hint, ended ? '' : silent ? standsStill(header, asked) : this.explain(header, now));
    this.hint.hidden = !this.hint.textContent;
  }

  private explain(header: Header, now: number): string {
    const waited = this.askedAt === null || header.stopping ? 0 : (Date.now() - this.askedAt) / 1000;
    if (waited > PATIENCE) {
      return `The kernel is busy and has not passed this on yet. In a terminal: mlwidgets stop ${header.name}`;
    }
    const queued = header.state === 'submitted' && now - header.submitted > QUEUED;
    return queued ? 'Waiting for its turn on this machine.' : '';
  }

  private showChips(): void {
    const { params = [], tags = [] } = this.header ?? {};
    const key = JSON.stringify([params, tags, this.allChips]);
    if (key === this.chipsKey) return;
    this.chipsKey = key;
    const all = [...params.map(([k, v]) => chip(k, v, 'mlw-param')), ...tags.map(([k, v]) => chip(k, v, 'mlw-tag'))];
    const shown = this.allChips || all.length <= SHOWN_CHIPS + 2 ? all : all.slice(0, SHOWN_CHIPS);
    this.chips.replaceChildren(...shown);
    this.chips.hidden = !all.length;
    if (shown.length < all.length) {
      const more = element('button', 'mlw-more', { type: 'button' }, `${all.length - shown.length} more`);
      more.addEventListener('click', () => {
        this.allChips = true;
        this.showChips();
      });
      this.chips.append(more);
    }
  }
}

function standsStill(header: Header, asked: boolean): string {
  if (asked) {
    return `The kernel is gone and the stop has not reached the run: %runs stop ${header.name} stops it.`;
  }
  return `No news from the kernel: this view stands still, the run need not. %runs show ${header.name} opens it again.`;
}

function chip(key: string, value: string, kind: string): HTMLElement {
  const label = kind === 'mlw-tag' ? `tag ${key}: ${value}` : `${key} = ${value}`;
  const node = element('span', `mlw-chip ${kind}`, { title: label }, element('span', 'mlw-key', {}, key));
  if (value) node.append(element('span', 'mlw-value', {}, value));
  return node;
}
