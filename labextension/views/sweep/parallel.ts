import { element } from '../dom.ts';
import { BrushPopup } from './brushpopup.ts';
import { finite, type Trial } from './model.ts';
import { paintBeyond, type Point } from './paint.ts';
import { NEAR, Plot, type Links } from './plot.ts';
import { isBeyond, within } from './scale.ts';
import { beyondText, brushOver, type Axis, type Brush, type Scene } from './scene.ts';

const HEIGHT = 260;
const TOP = 16;
/** Pixels below an axis for trials that have no value there. */
const MISSING = 36;
/** Pixels beyond the end of an axis for trials that have a value there. */
const BEYOND = 8;
/** Pixels between two axes at least: what does not fit is scrolled to. */
const SPACING = 92;
const LEFT = 14;
const RIGHT = 58;
/** Pixels beside an axis in which a brush begins. */
const GRIP = 12;
/** Pixels of a drag that is no click. */
const DRAG = 4;

export interface BrushEvents {
  /** Trials are wanted that lie there; null: all of them again. */
  brush(key: string, brush: Brush | null): void;
}

/** Each trial as a line over all parameters to its result. A drag along an axis keeps those that pass there. */
export class ParallelPlot extends Plot {
  private readonly names = element('div', 'mlw-sweep-axes');
  private readonly popup: BrushPopup;
  private named = '';
  private drag: { axis: Axis; from: number } | null = null;
  private dragged = false;

  constructor(
    links: Links,
    private readonly events: BrushEvents,
  ) {
    super('mlw-sweep-parallel', links, HEIGHT);
    this.popup = new BrushPopup((key, brush) => {
      events.brush(key, brush);
    });
    this.frame.append(this.names);
    this.frame.classList.add('mlw-sweep-scroll');
    this.frame.style.height = `${HEIGHT + 22}px`;
    this.head.append(element('span', 'mlw-hint mlw-sweep-how', {}, 'drag along an axis, or click its name'));
    this.node.append(this.popup.node);
    // Before the plot's own: the end of a drag opens no trial.
    this.frame.addEventListener('click', (event) => {
      if (this.dragged) event.stopPropagation();
      this.dragged = false;
    }, true);
    this.frame.addEventListener('pointerdown', (event) => {
      this.begin(event);
    });
    this.frame.addEventListener('pointermove', (event) => {
      if (this.drag) this.move(event);
    }, true);
    this.frame.addEventListener('pointerup', (event) => {
      this.end(event);
    });
    this.frame.addEventListener('pointercancel', () => {
      this.drag = null;
    });
  }

  protected override readonly note = ({ sweep: { hidden_params: hidden, trials }, axes, shown, sign }: Scene): string => {
    const astray = trials.filter((trial) => shown.has(trial.number) && axes.some(({ scale, value }) => isBeyond(scale.place(value(trial)))));
    return [beyondText(astray.length, sign), hidden ? `${hidden} more parameters are not kept here` : ''].filter(Boolean).join(' · ');
  };

  protected title(): string {
    return 'Parameters';
  }

  protected describe({ axes, settings }: Scene): string {
    const brushed = axes.filter(({ key }) => settings.brushes.has(key)).map(({ name }) => name);
    return [axes.map(({ name }) => name).join(', '), brushed.length ? `filtered by ${brushed.join(', ')}` : ''].filter(Boolean).join('; ');
  }

  protected override fit(width: number): number {
    const axes = this.scene?.axes.length ?? 2;
    return Math.max(width, LEFT + RIGHT + SPACING * (axes - 1));
  }

  protected paint(context: CanvasRenderingContext2D, scene: Scene): void {
    this.box = { left: LEFT, top: TOP, right: this.width - RIGHT, bottom: HEIGHT - MISSING };
    this.showNames(scene);
    const { sweep, shown, colours } = scene;
    const many = shown.size > 120;
    const rank = (trial: Trial): number => {
      const value = finite(trial.values?.[scene.objective]);
      const place = value === null ? null : scene.scale.place(value);
      return (shown.has(trial.number) ? 4 : 0) + (place === null ? 0 : 1 + within(scene.sign > 0 ? place : 1 - place));
    };
    for (const trial of [...sweep.trials].sort((a, b) => rank(a) - rank(b))) {
      const is = shown.has(trial.number);
      context.strokeStyle = is ? scene.colour(trial) : colours.none;
      context.globalAlpha = is ? (trial === scene.best ? 1 : many ? Math.max(0.28, 60 / shown.size) : 0.75) : 0.1;
      context.lineWidth = trial === scene.best ? 2.25 : many ? 1 : 1.4;
      this.line(context, scene.axes, trial);
    }
    context.globalAlpha = 1;
    scene.axes.forEach((axis, i) => {
      this.paintAxis(context, scene, axis, i);
    });
  }

  protected paintTrial(context: CanvasRenderingContext2D, scene: Scene, trial: Trial): Point | null {
    const { colours, axes } = scene;
    for (const [width, colour] of [[5, colours.ground], [2.25, colours.mark]] as const) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      this.line(context, axes, trial);
    }
    const last = axes[axes.length - 1];
    return last ? { x: this.xOf(axes.length - 1), y: this.yOf(last, trial) } : null;
  }

  protected find(scene: Scene, x: number, y: number): Trial | null {
    if (this.drag) return null;
    const { axes } = scene;
    const gap = axes.length > 1 ? this.xOf(1) - this.xOf(0) : 1;
    const at = Math.min(axes.length - 2, Math.max(0, Math.floor((x - LEFT) / gap)));
    const [left, right] = [axes[at], axes[at + 1]];
    if (!left || !right) return null;
    const share = within((x - this.xOf(at)) / gap);
    let nearest: Trial | null = null;
    let least = NEAR;
    for (const trial of scene.sweep.trials) {
      if (!scene.shown.has(trial.number)) continue;
      const [from, until] = [this.yOf(left, trial), this.yOf(right, trial)];
      // As far as the line is steep, what counts is how far it is, not how far below.
      const slope = (until - from) / gap;
      const far = Math.abs(from + share * (until - from) - y) / Math.sqrt(1 + slope * slope);
      if (far < least) [least, nearest] = [far, trial];
    }
    return nearest;
  }

  private xOf(index: number): number {
    const count = this.scene?.axes.length ?? 1;
    const { left, right } = this.box;
    return count < 2 ? left : left + (index / (count - 1)) * (right - left);
  }

  private yOf({ scale, value }: Axis, trial: Trial): number {
    const place = scale.place(value(trial));
    const { top, bottom } = this.box;
    // Many trials share a word, or have none: they pass beside each other.
    const many = Math.min(1, (this.scene?.sweep.trials.length ?? 0) / 25);
    const beside = (((trial.number * 0.618) % 1) - 0.5) * many;
    if (place === null) return HEIGHT - 9 + beside * 8;
    const spread = scale.words ? beside * Math.min(20, (0.6 * (bottom - top)) / Math.max(1, scale.words.length)) : 0;
    if (isBeyond(place)) return place < 0 ? bottom + BEYOND : top - BEYOND;
    return bottom - within(place) * (bottom - top) + spread;
  }

  private line(context: CanvasRenderingContext2D, axes: readonly Axis[], trial: Trial): void {
    context.beginPath();
    axes.forEach((axis, i) => {
      if (i === 0) context.moveTo(this.xOf(i), this.yOf(axis, trial));
      else context.lineTo(this.xOf(i), this.yOf(axis, trial));
    });
    context.stroke();
  }

  private paintAxis(context: CanvasRenderingContext2D, scene: Scene, axis: Axis, index: number): void {
    const { colours, settings, sign } = scene;
    const { top, bottom } = this.box;
    const x = Math.round(this.xOf(index)) + 0.5;
    context.lineWidth = 1;
    context.strokeStyle = colours.text;
    context.beginPath();
    context.moveTo(x, top);
    context.lineTo(x, bottom);
    context.stroke();
    if (axis.objective === scene.objective && settings.colourBy === 'value') {
      for (let y = top; y < bottom; y++) {
        const place = (bottom - y) / (bottom - top);
        context.fillStyle = colours.ramp(sign > 0 ? place : 1 - place);
        context.fillRect(x - 3.5, y, 7, 1.5);
      }
    }
    const brush = settings.brushes.get(axis.key);
    if (brush) this.paintBrush(context, scene, axis, brush, x);
    context.textAlign = 'left';
    context.textBaseline = 'middle';
    const label = (text: string, y: number): void => {
      const shown = shorten(context, text, SPACING - 18);
      context.fillStyle = colours.ground;
      context.globalAlpha = 0.85;
      context.fillRect(x + 5, y - 7, context.measureText(shown).width + 4, 13);
      context.globalAlpha = 1;
      context.fillStyle = colours.text;
      context.fillText(shown, x + 7, y);
    };
    const ticks = axis.scale.ticks(5);
    const every = Math.max(1, Math.ceil((ticks.length * 13) / (bottom - top)));
    ticks.forEach(({ place, label: text }, i) => {
      if (i % every || place < -1e-6 || place > 1 + 1e-6) return;
      const y = bottom - place * (bottom - top);
      context.strokeStyle = colours.text;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(x - 4, Math.round(y) + 0.5);
      context.lineTo(x, Math.round(y) + 0.5);
      context.stroke();
      label(text, y);
    });
    const ends = scene.sweep.trials.filter(({ number }) => scene.shown.has(number)).map((trial) => axis.scale.place(axis.value(trial)));
    if (ends.some((place) => place !== null && place > 1 && isBeyond(place))) paintBeyond(context, { x, y: top - BEYOND }, 'up', colours.text);
    if (ends.some((place) => place !== null && place < 0 && isBeyond(place))) paintBeyond(context, { x, y: bottom + BEYOND }, 'down', colours.text);
    if (!axis.missing) return;
    context.strokeStyle = colours.text;
    context.lineWidth = 1.25;
    context.beginPath();
    context.arc(x, HEIGHT - 9, 2.5, 0, 2 * Math.PI);
    context.stroke();
    label(axis.objective === null ? 'not set' : 'none', HEIGHT - 9);
  }

  private paintBrush(context: CanvasRenderingContext2D, scene: Scene, axis: Axis, brush: Brush, x: number): void {
    const { top, bottom } = this.box;
    const { colours } = scene;
    context.fillStyle = colours.mark;
    context.strokeStyle = colours.mark;
    context.lineWidth = 1.5;
    const bar = (from: number, until: number): void => {
      context.globalAlpha = 0.3;
      context.fillRect(x - 6, from, 12, until - from);
      context.globalAlpha = 1;
      context.strokeRect(x - 6, from, 12, until - from);
    };
    if (brush.words) {
      const words = axis.scale.words ?? [];
      const half = words.length < 2 ? 10 : Math.min(10, (bottom - top) / (words.length - 1) / 2 - 1);
      for (const word of words) {
        const place = axis.scale.place(word);
        if (place !== null && brush.words.has(word)) bar(bottom - place * (bottom - top) - half, bottom - place * (bottom - top) + half);
      }
    } else {
      const end = (value: number): number => (value === -Infinity ? 0 : value === Infinity ? 1 : within(axis.scale.place(value) ?? 0));
      const [low, high] = [end(brush.low), end(brush.high)];
      if (brush.low <= brush.high) bar(bottom - high * (bottom - top), Math.max(bottom - high * (bottom - top) + 2, bottom - low * (bottom - top)));
    }
    if (brush.missing && axis.missing) bar(HEIGHT - 17, HEIGHT - 1);
  }

  /** The names of the axes are buttons: what a drag does, they do for keys and fingers. */
  private showNames({ axes, settings }: Scene): void {
    const key = JSON.stringify([this.width, axes.map(({ key: one, about }) => [one, about, settings.brushes.has(one)])]);
    if (key === this.named) return;
    this.named = key;
    const focused = axes.findIndex((_, i) => this.names.children[i] === document.activeElement);
    const gap = axes.length > 1 ? this.xOf(1) - this.xOf(0) : this.width - LEFT;
    this.names.style.width = `${this.width}px`;
    this.names.replaceChildren(
      ...axes.map((axis, i) => {
        const brushed = settings.brushes.has(axis.key);
        const name = element(
          'button',
          brushed ? 'mlw-sweep-axis mlw-on' : 'mlw-sweep-axis',
          { type: 'button', title: axis.about, 'aria-haspopup': 'dialog', 'aria-label': `${axis.name}: ${brushed ? 'change the filter' : 'filter'}` },
          axis.name,
        );
        const last = i === axes.length - 1;
        if (last) name.style.right = '0';
        else name.style.left = `${this.xOf(i) - LEFT + 2}px`;
        // The last one reaches back over the gap before it, where it is long.
        const back = Math.max(0, Math.min(0.4 * gap, (axes[axes.length - 1]?.name.length ?? 0) * 7 + 8 - RIGHT));
        name.style.maxWidth = `${last ? RIGHT + back : (i === axes.length - 2 ? gap - back : gap) - 2}px`;
        name.addEventListener('click', () => {
          if (this.scene) this.popup.open(this.scene, axis.key, name);
        });
        return name;
      }),
    );
    if (focused >= 0) (this.names.children[focused] as HTMLElement | undefined)?.focus();
  }

  private begin(event: PointerEvent): void {
    const { scene } = this;
    if (!scene || event.button !== 0 || event.pointerType === 'touch' || !(event.target instanceof HTMLCanvasElement)) return;
    const index = scene.axes.findIndex((_, i) => Math.abs(this.xOf(i) - event.offsetX) <= GRIP);
    const axis = scene.axes[index];
    if (!axis) return;
    this.drag = { axis, from: event.offsetY };
    this.dragged = false;
    event.target.setPointerCapture(event.pointerId);
  }

  private move(event: PointerEvent): void {
    const { drag } = this;
    if (!drag || (!this.dragged && Math.abs(event.offsetY - drag.from) < DRAG)) return;
    this.dragged = true;
    const { top, bottom } = this.box;
    const place = (y: number): number => (bottom - y) / (bottom - top);
    const [from, until] = [place(drag.from), place(event.offsetY)];
    const missing = drag.axis.missing && Math.min(from, until) < place(HEIGHT - 18);
    this.events.brush(drag.axis.key, brushOver(drag.axis.scale, from, until, missing));
    event.stopPropagation();
  }

  private end(event: PointerEvent): void {
    const { drag } = this;
    this.drag = null;
    if (!drag || this.dragged) return;
    // A click on an axis that is brushed lets go of it, elsewhere it is one on the trial below it.
    if (this.scene?.settings.brushes.has(drag.axis.key)) {
      this.dragged = true;
      this.events.brush(drag.axis.key, null);
      event.stopPropagation();
    }
  }
}

function shorten(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  let length = text.length - 1;
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > width) length -= 1;
  return `${text.slice(0, length)}…`;
}
