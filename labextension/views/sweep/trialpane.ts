import { button, element, setText } from '../dom.ts';
import type { RunSource } from '../model.ts';
import { CurvesPlot } from './curves.ts';
import { BACK, NEXT, TAB, trialIcon } from './icons.ts';
import { curvesRange } from './insight.ts';
import { signOf, stateWord, type Trial } from './model.ts';
import type { Links } from './plot.ts';
import { whyText, type Scene } from './scene.ts';
import { TrialSource } from './trialsource.ts';

/** Draws a source and returns what ends that. */
export type Mount = (node: HTMLElement, source: RunSource) => () => void;

export interface TrialEvents {
  back(): void;
  /** To the trial before or after in the order of their numbers. */
  step(by: 1 | -1): void;
}

/** The run of one trial in place of its sweep, with a way back. */
export class TrialPane {
  readonly node = element('section', 'mlw-section mlw-sweep-trial', { hidden: '', 'aria-label': 'Trial' });
  private readonly name = element('span', 'mlw-sweep-trial-name', { role: 'status' });
  private readonly state = element('span');
  private readonly back: HTMLButtonElement;
  private readonly elsewhere: HTMLButtonElement;
  private readonly steps: readonly [HTMLButtonElement, HTMLButtonElement];
  private readonly why = element('div', 'mlw-sweep-verdict', { hidden: '' });
  private readonly rule = element('p', 'mlw-sweep-rule');
  private readonly curve: CurvesPlot;
  private readonly hint = element('div', 'mlw-hint', { hidden: '' });
  private readonly run = element('div');
  private source: TrialSource | null = null;
  private unmount: (() => void) | null = null;
  private trial: Trial | null = null;

  constructor(
    private readonly of: RunSource,
    private readonly mount: Mount,
    events: TrialEvents,
  ) {
    this.back = button('All trials', 'mlw-button', () => {
      events.back();
    }, BACK);
    const [before, after] = ([-1, 1] as const).map((by) => {
      const what = by < 0 ? 'Trial before' : 'Trial after';
      const node = button('', 'mlw-tool', () => {
        events.step(by);
      }, by < 0 ? BACK : NEXT);
      node.title = what;
      node.setAttribute('aria-label', what);
      return node;
    });
    this.steps = [before ?? this.back, after ?? this.back];
    this.elsewhere = button('Open on its own', 'mlw-button', () => {
      if (this.trial?.run) of.open?.(this.trial.run);
    }, TAB);
    // It shows one trial, and the one that it was measured against.
    const still: Links = { get hovered() { return null; }, hover: () => undefined, open: () => undefined };
    let shown: number | null = null;
    this.curve = new CurvesPlot({ ...still, get hovered() { return shown; } }, true);
    this.curve.node.removeAttribute('tabindex');
    this.show = (number) => {
      shown = number;
    };
    this.why.append(this.rule, this.curve.node);
    const line = element('div', 'mlw-sweep-trial-head', {}, this.back, ...this.steps, this.name, this.state, this.elsewhere);
    this.node.append(line, this.why, this.hint, this.run);
    this.node.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || event.defaultPrevented) return;
      event.stopPropagation();
      events.back();
    });
  }

  open(scene: Scene, trial: Trial, sweep: string): void {
    this.close();
    this.trial = trial;
    this.source = new TrialSource(this.of, sweep, scene.sweep, trial, () => this.node.isConnected && !document.hidden);
    this.unmount = this.mount(this.run, this.source);
    this.node.hidden = false;
    this.update(scene, trial);
    this.back.focus({ preventScroll: true });
    this.node.scrollIntoView({ block: 'nearest' });
  }

  close(): void {
    this.unmount?.();
    this.unmount = null;
    this.source?.dispose();
    this.source = null;
    this.trial = null;
    this.node.hidden = true;
  }

  update(scene: Scene, trial: Trial): void {
    if (!this.source) return;
    this.trial = trial;
    this.source.update(scene.sweep, trial);
    const { trials } = scene.sweep;
    const at = trials.indexOf(trial);
    setText(this.name, `Trial ${trial.number}${trial === scene.best ? ', the best' : ''}${trial.by === 'hand' ? ', added by hand' : trial.by === 'warm-start' ? ', of an earlier run' : ''}${trial.attempts > 1 ? `, attempt ${trial.attempts}` : ''}`);
    if (this.state.textContent !== stateWord(trial.state)) {
      this.state.className = `mlw-sweep-state mlw-state-${trial.state}`;
      this.state.replaceChildren(trialIcon(trial.state), stateWord(trial.state));
    }
    this.steps[0].disabled = at <= 0;
    this.steps[1].disabled = at >= trials.length - 1;
    this.elsewhere.hidden = !this.of.open || trial.run === null;
    const { why } = trial;
    this.why.hidden = !why;
    if (why) {
      setText(this.rule, `Ended early: ${whyText(trial)}`);
      this.show(trial.number);
      const others = new Set([trial.number, ...(why.best_trial === null ? [] : [why.best_trial])]);
      const curves = new Map([...scene.sweep.curves].filter(([number]) => others.has(number)));
      const sweep = { ...scene.sweep, trials: trials.filter(({ number }) => others.has(number)), curves };
      const range = curvesRange(sweep, signOf(scene.objectives[0]), scene.logs[0] ?? false, scene.settings.whole);
      this.curve.update({ ...scene, sweep, curves: range, shown: others });
    }
    this.hint.hidden = this.source.told || !trialGone(this.of, trial);
    setText(this.hint, trial.run === null ? 'It belongs to an earlier run: this is what the sweep knows of it.' : 'Only what the sweep knows of it is kept here.');
  }

  destroy(): void {
    this.close();
    this.curve.destroy();
  }

  private readonly show: (number: number | null) => void;
}

/** Whether nobody can be asked for more. */
function trialGone(source: RunSource, { run }: Trial): boolean {
  return !source.ask || run === null;
}
