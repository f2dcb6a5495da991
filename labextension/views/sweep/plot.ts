import { element, setText } from '../dom.ts';
import type { Trial } from './model.ts';
import { trialText, walk, type Scene } from './scene.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** What the parts of the view tell each other. */
export interface Links {
  readonly hovered: number | null;
  /** The reader looks at this trial; `at` is where, in the coordinates of the page. */
  hover(number: number | null, at?: Point): void;
  open(number: number, elsewhere: boolean): void;
}

/** Pixels around a plot's field. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
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

/** The field that is left beside labels of an axis of values and above those of the other. */
export function fieldOf(context: CanvasRenderingContext2D, labels: readonly string[], width: number, height: number): Box {
  const widest = Math.max(22, ...labels.map((label) => context.measureText(label).width));
  return { left: Math.ceil(widest) + 10, top: 8, right: width - 10, bottom: height - 20 };
}

/** Marks along the values, with a rule at each, and along what they lie over. */
export function paintGrid(
  context: CanvasRenderingContext2D,
  { colours }: Scene,
  { left, top, right, bottom }: Box,
  values: readonly { readonly place: number; readonly label: string }[],
  along: readonly { readonly place: number; readonly label: string }[],
  name: string,
): void {
  context.strokeStyle = colours.rule;
  context.fillStyle = colours.text;
  context.lineWidth = 1;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  context.beginPath();
  for (const { place, label } of values) {
    if (place < -1e-6 || place > 1 + 1e-6) continue;
    const y = bottom - place * (bottom - top);
    context.fillText(label, left - 6, y);
    context.moveTo(left, Math.round(y) + 0.5);
    context.lineTo(right, Math.round(y) + 0.5);
  }
  context.moveTo(left, Math.round(bottom) + 0.5);
  context.lineTo(right, Math.round(bottom) + 0.5);
  context.stroke();
  context.textBaseline = 'alphabetic';
  context.textAlign = 'right';
  context.fillText(name, right, bottom + 14);
  const free = right - context.measureText(name).width - 8;
  let taken = -Infinity;
  for (const { place, label } of along) {
    if (place < -1e-6 || place > 1 + 1e-6) continue;
    const half = context.measureText(label).width / 2;
    const x = Math.max(left + half - 4, left + place * (right - left));
    if (x - half < taken + 8 || x + half > free) continue;
    context.textAlign = 'center';
    context.fillText(label, x, bottom + 14);
    taken = x + half;
  }
}

/** What stands for a trial at a point, by its state: shapes, so that nobody needs a colour to tell them apart. */
export function paintMark(context: CanvasRenderingContext2D, { state }: Trial, { x, y }: Point, size: number, colour: string): void {
  context.strokeStyle = context.fillStyle = colour;
  context.beginPath();
  if (state === 'terminated') {
    context.lineWidth = 1.75;
    context.moveTo(x, y - size - 0.5);
    context.lineTo(x, y + size + 0.5);
    context.stroke();
  } else if (state === 'failed' || state === 'killed' || state === 'stopped' || state === 'timeout') {
    context.lineWidth = 1.5;
    const arm = size * 0.8;
    context.moveTo(x - arm, y - arm);
    context.lineTo(x + arm, y + arm);
    context.moveTo(x + arm, y - arm);
    context.lineTo(x - arm, y + arm);
    context.stroke();
  } else if (state === 'finished') {
    context.arc(x, y, size, 0, 2 * Math.PI);
    context.fill();
  } else {
    context.lineWidth = 1.5;
    context.arc(x, y, size - 0.5, 0, 2 * Math.PI);
    context.stroke();
  }
}

/** A ring around what is looked at. */
export function paintRing(context: CanvasRenderingContext2D, { colours }: Scene, { x, y }: Point, size = 7): void {
  context.beginPath();
  context.arc(x, y, size, 0, 2 * Math.PI);
  context.lineWidth = 4;
  context.strokeStyle = colours.ground;
  context.stroke();
  context.lineWidth = 2;
  context.strokeStyle = colours.mark;
  context.stroke();
}

/** A short text beside a point, on the side that has room; it stays legible over lines. */
export function paintLabel(context: CanvasRenderingContext2D, { colours }: Scene, text: string, { x, y }: Point, width: number): void {
  const wide = context.measureText(text).width;
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  const top = Math.max(8, y);
  const left = x + 10 + wide < width ? x + 8 : Math.max(2, x - 8 - wide);
  context.lineWidth = 4;
  context.strokeStyle = colours.ground;
  context.strokeText(text, left, top);
  context.fillStyle = colours.text;
  context.fillText(text, left, top);
}
