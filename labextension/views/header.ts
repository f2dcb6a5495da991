import type { Clock } from './clock.ts';
import { button, element, icon, setText } from './dom.ts';
import { hasEnded, type Header, type Progress, type RunData, type RunSource } from './model.ts';
import { RerunButtons, RerunLine } from './rerun.ts';
import { Badge, STOP_ICON } from './states.ts';

const COPY = 'M5 2h7a1 1 0 0 1 1 1v8h-1.500V3.500H5zM3.500 5h6a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1h-6a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1m.5 1.500v6h5v-6z';
const SHOWN_CHIPS = 12;
/** Seconds after which a request to stop that had no effect is explained. */
const PATIENCE = 8;
/** Seconds after which a run that has not started is waiting rather than starting. */
const QUEUED = 3;
/** Milliseconds for which a button says that it has done its work. */
const SAID = 1500;

/** Asks for a run's end and says what became of it. */
export class StopButton {
  readonly node: HTMLButtonElement;
  private readonly label = element('span', '', {}, 'Stop');
  private header: Header | null = null;
  private askedAt: number | null = null;

  constructor(
    private readonly source: RunSource,
    private readonly clock: Clock,
  ) {
    this.node = element('button', 'mlw-button mlw-stop', { type: 'button' }, icon(STOP_ICON), this.label);
    this.node.addEventListener('click', () => {
      this.askedAt = Date.now();
      if (this.header) this.source.stop?.(this.header.id);
      this.tick();
    });
  }

  /** Seconds since somebody pressed it, where nothing has come of it yet. */
  get waited(): number {
    return this.askedAt === null || this.header?.stopping ? 0 : (Date.now() - this.askedAt) / 1000;
  }

  update(header: Header): void {
    this.header = header;
    this.node.title = `Stop ${header.name}`;
    this.tick();
  }

  tick(): void {
    const { header } = this;
    if (!header) return;
    const { silent } = this.clock;
    const asked = this.askedAt !== null && !header.stopping;
    const stopping = header.stopping || (asked && !silent);
    this.node.hidden = hasEnded(header.state) || !this.source.stop;
    this.node.disabled = stopping || silent;
    setText(this.label, stopping ? 'Stopping…' : 'Stop');
  }
}

/** Name, state, times and buttons; below them progress, what to know, parameters, tags, note. */
export class HeaderBar {
  readonly node = element('header', 'mlw-header');
  private readonly name = element('span', 'mlw-name');
  private readonly badge = new Badge();
  private readonly attempt = element('span', 'mlw-attempt');
  private readonly elapsed = element('span', 'mlw-elapsed', { role: 'timer', 'aria-label': 'Elapsed time' });
  private readonly progress = new ProgressBar();
  private readonly stop: StopButton;
  private readonly rerun: RerunButtons;
  private readonly rerunOf = new RerunLine();
  private readonly chips = element('div', 'mlw-chips');
  private readonly note = element('div', 'mlw-note');
  private readonly cause = element('div', 'mlw-cause');
  private readonly hint = element('div', 'mlw-hint', { role: 'status' });
  /** For what belongs to some runs alone. */
  readonly tools = element('span', 'mlw-tools');
  private run: RunData | null = null;
  private chipsKey = '';
  private allChips = false;

  constructor(
    private readonly source: RunSource,
    private readonly clock: Clock,
    compare: Node,
  ) {
    this.stop = new StopButton(source, clock);
    this.rerun = new RerunButtons(source, () => Boolean(this.run?.sweep));
    const copy = button('', 'mlw-tool', () => void this.copyName(copy), COPY);
    copy.title = 'Copy name';
    copy.setAttribute('aria-label', 'Copy name');
    const buttons = element('span', 'mlw-buttons', {}, compare, this.tools, this.rerun.resume, this.rerun.rerun, this.stop.node);
    const line = element('div', 'mlw-title', {}, this.name, copy, this.badge.node, this.attempt, this.elapsed, buttons);
    this.node.append(line, this.progress.node, this.cause, this.hint, this.rerun.started, this.chips, this.rerunOf.node, this.note);
  }

  update(run: RunData): void {
    const { header } = run;
    this.run = run;
    setText(this.name, header.name);
    this.name.title = header.id;
    this.badge.update(header);
    this.stop.update(header);
    this.rerun.update(header);
    this.rerunOf.update(run);
    setText(this.attempt, header.attempt ?? '');
    // Of a sweep that has finished, the cause is the limit that it came to.
    const finished = header.state === 'finished';
    setText(this.cause, finished ? `Finished: ${header.cause ?? ''}` : (header.cause ?? ''));
    this.cause.hidden = !header.cause || (finished && !run.sweep);
    setText(this.note, header.note);
    this.note.hidden = !header.note;
    this.showChips(header);
    this.tick();
  }

  /** Bring everything up to date that changes by time alone. */
  tick(): void {
    if (!this.run) return;
    const { header, progress } = this.run;
    const ended = hasEnded(header.state);
    const silent = !ended && this.clock.silent;
    this.stop.tick();
    setText(this.elapsed, this.clock.elapsed(header));
    this.progress.update(ended ? null : progress, this.clock.remaining(header, progress));
    this.node.classList.toggle('mlw-silent', silent);
    setText(this.hint, ended ? '' : silent ? standsStill(header, this.stop.waited > 0, this.source.teller) : this.explain(header));
    this.hint.hidden = !this.hint.textContent;
  }

  private explain(header: Header): string {
    if (this.stop.waited > PATIENCE) {
      const why = this.source.teller === 'server' ? 'This has not reached the run yet.' : 'The kernel is busy and has not passed this on yet.';
      return `${why} In a terminal: mlwidgets stop ${header.name}`;
    }
    if (header.state !== 'submitted') return '';
    if (header.waiting) return header.waiting.charAt(0).toUpperCase() + header.waiting.slice(1);
    return this.clock.now - header.submitted > QUEUED ? 'Waiting for its turn on this machine.' : '';
  }

  private async copyName(copy: HTMLElement): Promise<void> {
    const name = this.run?.header.name ?? '';
    try {
      await navigator.clipboard.writeText(name);
    } catch {
      // Pages without a certificate have no clipboard of that kind: select the name, so that Ctrl+C takes it.
      getSelection()?.selectAllChildren(this.name);
      return;
    }
    copy.classList.add('mlw-done');
    copy.title = 'Copied';
    window.setTimeout(() => {
      copy.classList.remove('mlw-done');
      copy.title = 'Copy name';
    }, SAID);
  }

  private showChips({ params, tags }: Header): void {
    const key = JSON.stringify([params, tags, this.allChips]);
    if (key === this.chipsKey) return;
    this.chipsKey = key;
    const all = [...params.map(([k, v]) => chip(k, v, 'mlw-param')), ...tags.map(([k, v]) => chip(k, v, 'mlw-tag'))];
    const shown = this.allChips || all.length <= SHOWN_CHIPS + 2 ? all : all.slice(0, SHOWN_CHIPS);
    this.chips.replaceChildren(...shown);
    this.chips.hidden = !all.length;
    if (shown.length < all.length) {
      this.chips.append(
        button(`${all.length - shown.length} more`, 'mlw-more', () => {
          this.allChips = true;
          if (this.run) this.showChips(this.run.header);
        }),
      );
    }
  }
}

/** How far a run is. */
export class ProgressBar {
  readonly node: HTMLElement;
  private readonly bar = element('div', 'mlw-bar', { role: 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100' });
  private readonly fill = element('div', 'mlw-bar-fill');
  private readonly label = element('span', 'mlw-bar-label');
  private readonly left = element('span', 'mlw-bar-left');

  constructor() {
    this.bar.append(this.fill);
    this.node = element('div', 'mlw-progress', { hidden: '' }, this.bar, this.label, this.left);
  }

  update(progress: Progress | null, remaining: string): void {
    this.node.hidden = !progress;
    if (!progress) return;
    const percent = Math.floor(progress.fraction * 100);
    this.fill.style.transform = `scaleX(${progress.fraction})`;
    this.bar.setAttribute('aria-valuenow', String(percent));
    this.bar.setAttribute('aria-label', progress.label || 'Progress');
    setText(this.label, [progress.label, `${percent} %`].filter(Boolean).join(' · '));
    setText(this.left, remaining);
  }
}

function standsStill(header: Header, asked: boolean, teller: RunSource['teller']): string {
  if (teller === 'server') {
    return asked
      ? `The server does not answer and the stop has not reached the run. In a terminal: mlwidgets stop ${header.name}`
      : 'No news from the server: this view stands still until it answers again, the run need not.';
  }
  if (asked) {
    return `The kernel is gone and the stop has not reached the run: %runs stop ${header.name} stops it.`;
  }
  return `No news from the kernel: this view stands still, the run need not. %runs show ${header.name} opens it again.`;
}

export function chip(key: string, value: string, kind: string): HTMLElement {
  const label = kind === 'mlw-tag' ? `tag ${key}: ${value}` : `${key} = ${value}`;
  const node = element('span', `mlw-chip ${kind}`, { title: label }, element('span', 'mlw-key', {}, key));
  if (value) node.append(element('span', 'mlw-value', {}, value));
  return node;
}
