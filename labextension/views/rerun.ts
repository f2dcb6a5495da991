// Doing a run again, or the rest of it: who can start it, what that takes, and what came of it.
import { sinceOf } from './changes/since.ts';
import { button, element, icon, setText } from './dom.ts';
import { hasEnded, type Header, type RunData, type RunSource } from './model.ts';
import { askForRerun, type RerunWish } from './rerundialog.ts';
import type { RerunOf, Verdict } from './rerunmodel.ts';

export const RERUN_ICON = 'M8 2.300a5.700 5.700 0 0 1 4.600 2.330V2.500H14v4.700H9.300V5.800h2.380A4.250 4.250 0 1 0 12.250 8.500h1.450A5.700 5.700 0 1 1 8 2.300';
const RESUME_ICON = 'M2.500 3h2v10h-2zM6 3l8 5-8 5z';

/** Open the dialog for a run that has ended, to do it again or to let it go on; say below the head what was started. */
export class RerunButtons {
  readonly rerun = this.make('rerun', 'Rerun', RERUN_ICON);
  /** Of what was cut short and can go on. */
  readonly resume = this.make('resume', 'Resume', RESUME_ICON);
  /** What was started, and a way to see it. */
  readonly started = element('div', 'mlw-rerun-started', { role: 'status', hidden: '' });
  private header: Header | null = null;
  private shownOf = '';

  constructor(
    private readonly source: RunSource,
    /** Whether it searches: the curves of two searches are not laid beside each other. */
    private readonly isSweep: () => boolean,
  ) {}

  private make(wish: RerunWish, label: string, path: string): HTMLButtonElement {
    const node = element('button', `mlw-button mlw-${wish}`, { type: 'button', hidden: '' }, icon(path), element('span', '', {}, label));
    node.addEventListener('click', () => {
      void this.ask(wish);
    });
    return node;
  }

  update(header: Header): void {
    this.header = header;
    this.rerun.hidden = !hasEnded(header.state) || !this.source.rerun;
    this.rerun.title = `Run ${header.name} again`;
    this.resume.hidden = this.rerun.hidden || !header.resumes;
    this.resume.title = `Go on after ${header.resumes ?? ''}, its last checkpoint`;
    if (header.id !== this.shownOf) this.started.hidden = true;
  }

  private async ask(wish: RerunWish): Promise<void> {
    const { header } = this;
    const { rerun } = this.source;
    if (!header || !rerun) return;
    const started = await askForRerun(wish, header.name, () => rerun.look(header.id), (asked) => rerun.start(header.id, asked));
    this[wish].focus({ preventScroll: true });
    if (!started) return;
    const { run, resumes } = started;
    this.shownOf = header.id;
    const parts: (Node | string)[] = [element('span', '', {}, resumes ? 'Goes on as ' : 'Runs again as '), element('code', '', {}, run)];
    const canOpen = typeof this.source.open === 'function';
    if (canOpen) {
      parts.push(button('Open', 'mlw-button', () => {
        this.source.open?.(run);
      }));
    }
    if (rerun.beside && !this.isSweep()) {
      try {
        await rerun.beside(run);
      } catch {
        // It runs all the same, and the line says as what.
      }
    } else if (!canOpen) parts.push(element('span', 'mlw-hint', {}, `%runs show ${run}`));
    this.started.replaceChildren(...parts);
    this.started.hidden = false;
  }
}

/** Of which run one is a rerun, what was changed, and what came of it; until that is known, how it compares so far. */
export class RerunLine {
  readonly node = element('div', 'mlw-rerun-of', { hidden: '' });
  private readonly of = element('span', 'mlw-rerun-name');
  private readonly chip = element('span', 'mlw-verdict', { role: 'status' });
  private readonly summary = element('span', 'mlw-rerun-summary');
  private readonly details = element('ul', 'mlw-rerun-details');
  private readonly more = button('Details', 'mlw-more', () => {
    this.fold(this.details.hidden);
  });
  private shown: RerunOf | null | undefined = null;

  constructor() {
    const label = element('span', 'mlw-rerun-label', {}, icon(RERUN_ICON), this.of);
    this.node.append(element('div', 'mlw-rerun-line', {}, label, this.chip, this.summary, this.more), this.details);
    this.fold(false);
  }

  update(run: RunData): void {
    const { rerun } = run.header;
    this.node.hidden = !rerun;
    if (!rerun) return;
    setText(this.summary, rerunWords(rerun, run));
    if (rerun === this.shown) return;
    this.shown = rerun;
    setText(this.of, `Rerun of ${rerun.name}`);
    this.of.title = rerun.of;
    showVerdict(this.chip, rerun.verdict);
    const details = rerun.verdict?.details ?? [];
    this.more.hidden = !details.length;
    this.details.replaceChildren(...details.map((line) => element('li', '', {}, called(line, rerun))));
    if (!details.length) this.fold(false);
  }

  private fold(open: boolean): void {
    this.details.hidden = !open;
    this.more.setAttribute('aria-expanded', String(open));
    setText(this.more, open ? 'Less' : 'Details');
  }
}

/** What came of it, or what was changed and how it compares so far. */
export function rerunWords(rerun: RerunOf, run: RunData): string {
  if (rerun.verdict) return called(rerun.verdict.summary, rerun);
  const { changes } = run.details ?? {};
  return changes?.since.id === rerun.of ? sinceOf(changes, run) : rerun.changed.map(changeText).join(', ');
}

/** The first run's name stands for its id: the whole line is about that one. */
function called(text: string, { of, name }: RerunOf): string {
  return text.replaceAll(of, name);
}

/** Put a verdict into a chip; without one it is not there. */
export function showVerdict(chip: HTMLElement, verdict: Verdict | null): void {
  chip.hidden = !verdict;
  if (!verdict) return;
  setText(chip, verdict.chip);
  chip.title = verdict.summary;
  chip.dataset.equal = verdict.equal === null ? 'other' : String(verdict.equal);
}

export function changeText([name, old, now]: RerunOf['changed'][number]): string {
  return `${name} ${old ?? '–'} → ${now ?? '–'}`;
}
