import { element, setText } from '../dom.ts';
import type { Trial } from './model.ts';
import type { Box, Point } from './paint.ts';
import { trialText, walk, type Scene } from './scene.ts';

/** What the parts of the view tell each other. */
export interface Links {
  readonly hovered: number | null;
  /** The reader looks at this trial; `at` is where, in the coordinates of the page. */
  hover(number: number | null, at?: Point): void;
  open(number: number, elsewhere: boolean): void;
}

/** Pixels within which a trial is found. */
export const NEAR = 14;

/**
 * A drawing of all trials on a canvas, and over it what the reader looks at: that changes without drawing all anew.
 * Nothing is drawn that nobody sees.
 */
export abstract class Plot {
  readonly node: HTMLElement;
  protected readonly head: HTMLElement;
  protected readonly notes = element('div', 'mlw-chart-notes');
  protected readonly frame = element('div', 'mlw-sweep-frame');
  protected scene: Scene | null = null;
  protected width = 0;
  protected box: Box = { left: 0, top: 0, right: 0, bottom: 0 };
  private readonly under = element('canvas', 'mlw-sweep-canvas', { 'aria-hidden': 'true' });
  private readonly over = element('canvas', 'mlw-sweep-canvas mlw-sweep-over', { 'aria-hidden': 'true' });
  private readonly spoken = element('div', 'mlw-hidden', { 'aria-live': 'polite' });
  private readonly name = element('span', 'mlw-chart-name');
  private readonly resize = new ResizeObserver(() => {
    if (this.frame.clientWidth === this.fitted) return;
    if (this.inSight) this.draw();
    else this.stale = true;
  });
  private readonly sight: IntersectionObserver;
  private inSight = true;
  private stale = false;
  private fitted = -1;

  constructor(
    className: string,
    protected readonly links: Links,
    protected readonly height: number,
  ) {
    this.head = element('figcaption', 'mlw-chart-head', {}, this.name);
    this.frame.append(this.under, this.over);
    this.frame.style.height = `${height}px`;
    this.node = element(
      'figure',
      `mlw-chart mlw-sweep-plot ${className}`,
      { tabindex: '0', role: 'group', 'aria-roledescription': 'chart' },
      this.head,
      this.frame,
      this.notes,
      this.spoken,
    );
    this.over.addEventListener('pointermove', (event) => {
      if (event.pointerType !== 'touch') this.point(event);
    });
    this.over.addEventListener('pointerleave', (event) => {
      if (event.pointerType !== 'touch') this.links.hover(null);
    });
    this.over.addEventListener('click', (event) => {
      const number = this.at(event);
      // A finger points first and opens with the second touch.
      const first = event.pointerType === 'touch' && number !== this.links.hovered;
      if (first) this.point(event);
      else if (number !== null) this.links.open(number, event.ctrlKey || event.metaKey);
    });
    this.node.addEventListener('keydown', (event) => {
      this.key(event);
    });
    this.resize.observe(this.frame);
    this.sight = new IntersectionObserver(
      ([entry]) => {
        this.inSight = entry?.isIntersecting ?? true;
        if (!this.inSight) return;
        if (this.stale) this.draw();
        else this.highlight();
      },
      { rootMargin: '200px' },
    );
    this.sight.observe(this.node);
  }

  update(scene: Scene): void {
    this.scene = scene;
    setText(this.name, this.title(scene));
    const notes = this.note(scene);
    setText(this.notes, notes);
    this.notes.hidden = !notes;
    this.node.setAttribute('aria-label', [this.title(scene), this.describe(scene), notes].filter(Boolean).join('; '));
    if (this.inSight) this.draw();
    else this.stale = true;
  }

  /** Show what the reader looks at now. */
  highlight(): void {
    const { scene } = this;
    const context = this.over.getContext('2d');
    if (!scene || !context || !this.width || !this.inSight) return;
    context.clearRect(0, 0, this.width, this.height);
    const trial = scene.sweep.trials.find(({ number }) => number === this.links.hovered);
    if (trial) this.paintTrial(context, scene, trial);
    this.over.style.cursor = trial ? 'pointer' : '';
  }

  destroy(): void {
    this.resize.disconnect();
    this.sight.disconnect();
  }

  protected abstract title(scene: Scene): string;
  protected abstract describe(scene: Scene): string;
  protected abstract paint(context: CanvasRenderingContext2D, scene: Scene): void;
  /** Draw one trial so that it stands out; returns where it is, if it is here at all. */
  protected abstract paintTrial(context: CanvasRenderingContext2D, scene: Scene, trial: Trial): Point | null;
  /** The trial at a place. */
  protected abstract find(scene: Scene, x: number, y: number): Trial | null;

  /** What is to be said below it. */
  protected note: (scene: Scene) => string = () => '';

  /** Pixels that it takes, where so many are there. */
  protected fit(width: number): number {
    return width;
  }

  protected draw(): void {
    this.fitted = this.frame.clientWidth;
    const { scene } = this;
    if (!scene || this.fitted < 40) {
      this.stale = true;
      return;
    }
    this.stale = false;
    this.width = this.fit(this.fitted);
    const ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.under, this.over]) {
      const [wide, tall] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
      if (canvas.width !== wide || canvas.height !== tall) {
        canvas.width = wide;
        canvas.height = tall;
        canvas.style.width = `${this.width}px`;
        canvas.style.height = `${this.height}px`;
      }
      canvas.getContext('2d')?.setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    const context = this.under.getContext('2d');
    if (!context) return;
    context.clearRect(0, 0, this.width, this.height);
    context.font = scene.colours.font;
    context.lineJoin = 'round';
    const over = this.over.getContext('2d');
    if (over) {
      over.font = scene.colours.font;
      over.lineJoin = 'round';
    }
    this.paint(context, scene);
    this.highlight();
  }

  private at(event: MouseEvent): number | null {
    const { scene } = this;
    return (scene && this.find(scene, event.offsetX, event.offsetY)?.number) ?? null;
  }

  private point(event: MouseEvent): void {
    this.links.hover(this.at(event), { x: event.clientX, y: event.clientY });
  }

  private key(event: KeyboardEvent): void {
    const { scene, links } = this;
    if (!scene || event.target !== this.node || event.altKey) return;
    if (event.key === 'Enter' && links.hovered !== null) links.open(links.hovered, event.ctrlKey || event.metaKey);
    else if (event.ctrlKey || event.metaKey) return;
    else if (event.key === 'Escape' && links.hovered !== null) links.hover(null);
    else {
      const to = walk(scene, links.hovered, event.key);
      if (to === undefined) return;
      const trial = scene.sweep.trials.find(({ number }) => number === to);
      setText(this.spoken, trial ? trialText(trial, scene) : 'no trial');
      links.hover(to, trial && this.whereIs(scene, trial));
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private whereIs(scene: Scene, trial: Trial): Point {
    const context = this.over.getContext('2d');
    const { left, top } = this.over.getBoundingClientRect();
    const there = (context && this.paintTrial(context, scene, trial)) ?? { x: this.width / 2, y: this.height / 2 };
    return { x: left + there.x, y: top + there.y };
  }
}
