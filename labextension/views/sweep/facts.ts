import { button, element, setText } from '../dom.ts';
import { formatElapsed, formatNumber } from '../format.ts';
import { chip } from '../header.ts';
import type { Progress, RunData } from '../model.ts';
import { bestTrial, frontOf } from './insight.ts';
import { ALL_ENDED, finite, type SweepData, type Trial } from './model.ts';
import { wordOf } from './scale.ts';

/** What the header says of a sweep: how far it is, and what all of its trials were given. */
export function ofSweep(run: RunData, sweep: SweepData): RunData {
  const searched = new Set(sweep.about?.space.map(({ name }) => name));
  const params = run.header.params.filter(([name]) => !searched.has(name));
  const { cause } = run.header;
  // That all trials were had is said by their number.
  return { ...run, header: { ...run.header, params, cause: cause?.startsWith(ALL_ENDED) ? null : cause }, progress: progressOf(sweep) ?? run.progress };
}

function progressOf({ status }: SweepData): Progress | null {
  if (!status?.planned) return null;
  const ended = endedOf(status.counts);
  return { fraction: Math.min(1, ended / status.planned), label: `${ended} of ${status.planned} trials`, remaining: status.remaining, at: status.at };
}

function endedOf({ finished, terminated, failed, stopped }: NonNullable<SweepData['status']>['counts']): number {
  return finished + terminated + failed + stopped;
}

/** The best trial, how many there were, what was saved, and what was asked; above them why it is paused. */
export class SweepFacts {
  readonly node: HTMLElement;
  private readonly paused = element('div', 'mlw-sweep-paused', { role: 'status', hidden: '' });
  private readonly pausedText = element('span', 'mlw-sweep-paused-text');
  private readonly best = new Fact('Best');
  private readonly trials = new Fact('Trials');
  private readonly saved = new Fact('Saved by ending early');
  private readonly asked = element('div', 'mlw-sweep-asked mlw-hint');
  private readonly heard = element('div', 'mlw-hidden', { 'aria-live': 'polite' });
  private shownBest: Trial | null = null;

  constructor(
    resume: HTMLElement,
    refused: HTMLElement,
    private readonly open: (number: number) => void,
  ) {
    this.paused.append(this.pausedText, resume);
    const facts = element('div', 'mlw-sweep-facts', {}, this.best.node, this.trials.node, this.saved.node);
    this.node = element('div', 'mlw-sweep-head', {}, refused, this.paused, facts, this.asked, this.heard);
  }

  update(sweep: SweepData, ended: boolean): void {
    const { status, about } = sweep;
    this.paused.hidden = ended || status?.paused == null;
    setText(this.pausedText, status?.paused == null ? '' : `Paused: ${status.paused}`);
    this.showBest(sweep);
    this.showTrials(sweep);
    const saved = status?.saved ?? null;
    this.saved.node.hidden = !saved || saved.intervals <= 0;
    if (saved) {
      const intervals = saved.intervals.toLocaleString('en');
      // Short trials may have taken as long to end as to go on.
      if (saved.share < 0.005) this.saved.show(intervals, 'intervals not computed');
      else this.saved.show(`${Math.round(saved.share * 100)} %`, `of the computing${saved.seconds >= 1 ? `: about ${formatElapsed(saved.seconds)}` : ''}`);
      this.saved.node.title = `${intervals} intervals that poor trials did not compute`;
    }
    if (about) setText(this.asked, askedText(about));
    this.asked.hidden = !about;
  }

  private showBest(sweep: SweepData): void {
    const { status, about } = sweep;
    const objectives = about?.objectives ?? [];
    const several = objectives.length > 1;
    if (several) {
      const front = frontOf(sweep).length;
      this.best.name('Pareto front');
      this.best.show(front ? `${front} ${front === 1 ? 'trial' : 'trials'}` : '–', front ? 'no other is better in every objective' : 'no trial has finished yet');
      return;
    }
    const trial = bestTrial(sweep);
    const value = finite(status?.best?.values[0]) ?? finite(trial?.values?.[0]);
    this.best.name(objectives[0] ? `Best ${objectives[0].metric}` : 'Best');
    if (!trial) {
      this.best.show('–', value === null ? 'no trial has finished yet' : '');
      return;
    }
    if (trial === this.shownBest) return;
    if (this.shownBest && this.shownBest.number !== trial.number) setText(this.heard, `New best: ${formatNumber(value)}, trial ${trial.number}`);
    this.shownBest = trial;
    const opens = button(`trial ${trial.number}`, 'mlw-more', () => {
      this.open(trial.number);
    });
    this.best.show(formatNumber(value), opens, ...Object.entries(trial.params).map(([name, param]) => chip(name, wordOf(param), 'mlw-param')));
  }

  private showTrials({ status, trials, hidden }: SweepData): void {
    const counts = status?.counts;
    if (!counts) {
      this.trials.show(String(trials.length + hidden), '');
      return;
    }
    const ended = endedOf(counts);
    const parts = [
      [counts.running, 'running'],
      [counts.waiting, 'waiting'],
      [counts.terminated, 'ended early'],
      [counts.failed, 'failed'],
      [counts.stopped, 'stopped'],
      [counts.given_back, 'given back'],
    ] as const;
    const said = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
    this.trials.show(status.planned ? `${ended} of ${status.planned}` : String(ended), said.join(' · '));
  }
}

/** One number with its name and what belongs to it. */
class Fact {
  readonly node: HTMLElement;
  private readonly term = element('div', 'mlw-sweep-term');
  private readonly value = element('span', 'mlw-sweep-value');
  private readonly about = element('span', 'mlw-sweep-more');

  constructor(name: string) {
    this.term.textContent = name;
    this.node = element('div', 'mlw-sweep-fact', {}, this.term, element('div', 'mlw-sweep-said', {}, this.value, this.about));
  }

  name(name: string): void {
    setText(this.term, name);
  }

  show(value: string, ...about: (Node | string)[]): void {
    setText(this.value, value);
    const [first] = about;
    if (about.length === 1 && typeof first === 'string') setText(this.about, first);
    else this.about.replaceChildren(...about);
  }
}

/** What was asked, in one line. */
function askedText({ objectives, sampler, policy, limits, resources, value }: NonNullable<SweepData['about']>): string {
  const goals = objectives.map(({ metric, direction }) => `${direction} ${metric}`).join(', ');
  const { gpus, cpus } = resources;
  const named = (count: number | string, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`;
  const uses = [gpus ? named(gpus, 'GPU') : '', cpus ? named(cpus, 'CPU') : ''].filter(Boolean).join(', ');
  return [
    goals + (value === 'best' ? ' (the best value counts)' : ''),
    sampler,
    policy ? `ends early by ${policy}` : '',
    limits.trials ? `at most ${limits.trials} trials` : '',
    limits.time ? `at most ${formatElapsed(limits.time)}` : '',
    limits.gpu_hours ? `at most ${limits.gpu_hours} GPU hours` : '',
    finite(limits.target) === null ? '' : `until ${formatNumber(limits.target)}`,
    limits.patience ? `until ${limits.patience} trials bring no better` : '',
    uses ? `${uses} each` : '',
  ].filter(Boolean).join(' · ');
}
