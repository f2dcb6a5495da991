import { element, setText } from '../dom.ts';
import { formatNumber } from '../format.ts';
import type { Track } from './model.ts';
import { keepPlace } from './scale.ts';

type AnyTrack = Track<{ readonly step: number; readonly time: number }>;

/** A frame around what has one name: the name, what is drawn, and a slider over its steps. */
export abstract class Card<T extends AnyTrack> {
  readonly node: HTMLElement;
  protected readonly body = element('div', 'mlw-media-body');
  private readonly hint = element('span', 'mlw-media-hint');
  private readonly slider = element('input', 'mlw-media-slider', { type: 'range', min: '0', step: '1' });
  private readonly label = element('span', 'mlw-media-step');
  private readonly foot = element('div', 'mlw-media-foot', {}, this.slider, this.label);
  protected track: T;
  /** The step on show. */
  protected at: number;
  /** The step that the slider is at: what only the pointer passes over does not move it. */
  private home: number;
  private drawn = false;

  constructor(track: T, kind: string) {
    this.track = track;
    this.at = this.home = track.steps.length - 1;
    const name = element('span', 'mlw-media-name', { title: track.name }, track.name);
    const head = element('figcaption', 'mlw-media-head', {}, name, this.hint);
    this.node = element('figure', `mlw-media-card mlw-media-${kind}`, {}, head, this.body, this.foot);
    this.slider.setAttribute('aria-label', `Step of ${track.name}`);
    this.slider.addEventListener('input', () => {
      this.settle(Number(this.slider.value));
    });
  }

  update(track: T): void {
    const { steps, logged } = this.track;
    // Nothing is drawn again that looks the same.
    if (this.drawn && track.logged === logged && track.steps.length === steps.length) return;
    this.drawn = true;
    this.at = keepPlace(this.track.steps, this.at, track.steps);
    this.home = keepPlace(this.track.steps, this.home, track.steps);
    this.track = track;
    this.showPlace();
    this.draw();
  }

  /** Show the step at this place until told otherwise. */
  settle(at: number): void {
    this.home = at;
    this.peek(at);
  }

  /** Show the step at this place for a moment; without one, the step of the slider again. */
  peek(at = this.home): void {
    if (at === this.at) return;
    this.at = at;
    this.showPlace();
    this.draw();
  }

  /** Draw again with the page's present colours. */
  recolour(): void {
    this.draw();
  }

  destroy(): void {
    this.node.remove();
  }

  protected abstract draw(): void;

  protected get shown(): T['steps'][number] | undefined {
    return this.track.steps[this.at];
  }

  private showPlace(): void {
    const { steps, logged } = this.track;
    const last = steps.length - 1;
    this.slider.max = String(last);
    this.slider.value = String(this.at);
    const step = `step ${formatNumber(this.shown?.step ?? null)}`;
    this.slider.setAttribute('aria-valuetext', step);
    setText(this.label, this.at === last ? `${step}, the latest` : step);
    this.foot.hidden = last < 1;
    const some = logged > steps.length ? `${steps.length} of ${formatNumber(logged)} steps` : '';
    setText(this.hint, last < 1 ? step : some);
  }
}
