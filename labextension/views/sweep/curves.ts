import { formatNumber } from '../format.ts';
import { finite, signOf, type Curve, type Trial } from './model.ts';
import { fieldOf, paintBeyond, paintGrid, paintLabel, paintMark, paintRing, type Point } from './paint.ts';
import { NEAR, Plot, type Links } from './plot.ts';
import { isBeyond, numberScale, within, type Scale } from './scale.ts';
import { beyondText, type Scene } from './scene.ts';

const HEIGHT = 220;
const VERDICT_HEIGHT = 180;
/** Trials from which on lines are thin and marks small. */
const MANY = 60;

/** The first objective of all trials over their steps. Those that ended early are cut where they ended, with a mark. */
export class CurvesPlot extends Plot {
  private x: Scale = numberScale(0, 1);
  private y: Scale = numberScale(0, 1);

  constructor(
    links: Links,
    /** Whether it shows one trial, beside what that was held against. */
    private readonly verdictOf = false,
  ) {
    super('mlw-sweep-curves', links, verdictOf ? VERDICT_HEIGHT : HEIGHT);
  }

  protected title({ objectives }: Scene): string {
    const metric = objectives[0]?.metric ?? '';
    return this.verdictOf ? metric : `${metric} of each trial`;
  }

  protected describe({ sweep }: Scene): string {
    return `${sweep.curves.size} curves`;
  }

  protected override readonly note = (scene: Scene): string => {
    const { curves, trials, about } = scene.sweep;
    if (!curves.size) return scene.ended ? 'Nothing was logged.' : 'Nothing was logged yet.';
    this.scales(scene);
    // A line that begins beyond the field is seen to come from there, one that ends there is not.
    const beyond = trials.filter(({ number }) => scene.shown.has(number) && isBeyond(this.y.place(curves.get(number)?.values.at(-1))));
    return beyondText(beyond.length, signOf(about?.objectives[0]));
  };

  protected paint(context: CanvasRenderingContext2D, scene: Scene): void {
    const { sweep, colours, shown } = scene;
    this.scales(scene);
    const values = this.y.ticks(5);
    this.box = fieldOf(context, values.map(({ label }) => label), this.width, this.height);
    paintGrid(context, scene, this.box, values, this.x.ticks(Math.max(2, Math.floor(this.width / 90))), 'step');
    context.save();
    this.clip(context);
    const many = shown.size > MANY;
    const beyond: [edge: Point, down: boolean, colour: string][] = [];
    const order = [...sweep.trials].sort((a, b) => this.rank(scene, a) - this.rank(scene, b));
    for (const trial of order) {
      const curve = sweep.curves.get(trial.number);
      if (!curve) continue;
      const is = shown.has(trial.number);
      const best = trial === scene.best;
      context.strokeStyle = is ? scene.colour(trial) : colours.none;
      context.globalAlpha = is ? (best ? 1 : many ? Math.max(0.35, 40 / shown.size) : 0.85) : 0.14;
      context.lineWidth = best ? 2.25 : many ? 1 : 1.4;
      this.line(context, curve);
      const marked = trial.state !== 'waiting' && (trial.state !== 'finished' || curve.values.length < 2);
      const end = is ? this.end(curve) : null;
      const edge = end && this.edge(end);
      if (end && edge) beyond.push([edge, end.y > edge.y, scene.colour(trial)]);
      else if (end && marked) paintMark(context, trial, end, many ? 3 : 4, scene.colour(trial));
    }
    context.globalAlpha = 1;
    context.restore();
    for (const [edge, down, colour] of beyond) paintBeyond(context, edge, down ? 'down' : 'up', colour);
  }

  protected paintTrial(context: CanvasRenderingContext2D, scene: Scene, trial: Trial): Point | null {
    const curve = scene.sweep.curves.get(trial.number);
    if (!curve) return null;
    const { colours } = scene;
    context.save();
    this.clip(context);
    for (const [width, colour] of [[5, colours.ground], [2.25, colours.mark]] as const) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      this.line(context, curve);
    }
    const end = this.end(curve);
    const edge = end && this.edge(end);
    if (end && !edge && trial.state !== 'finished') paintMark(context, trial, end, 4.5, colours.mark);
    context.restore();
    if (end && edge) paintBeyond(context, edge, end.y > edge.y ? 'down' : 'up', colours.mark);
    this.verdict(context, scene, trial);
    return edge ?? end;
  }

  protected find(scene: Scene, x: number, y: number): Trial | null {
    let nearest: Trial | null = null;
    let least = NEAR * NEAR;
    for (const trial of scene.sweep.trials) {
      const curve = scene.shown.has(trial.number) ? scene.sweep.curves.get(trial.number) : undefined;
      if (!curve) continue;
      const far = this.distance(curve, x, y);
      // The better of two that lie over each other is drawn on top.
      if (far < least || (far === least && far < NEAR * NEAR)) [least, nearest] = [far, trial];
    }
    return nearest;
  }

  /** What a policy found: the threshold at that step, the value that did not reach it, and the best. */
  private verdict(context: CanvasRenderingContext2D, scene: Scene, { why }: Trial): void {
    if (!why) return;
    const at = (value: Trial['best']): Point | null => {
      const number = finite(value);
      return number === null ? null : this.pointOf(why.step, number);
    };
    const [value, threshold, best] = [at(why.value), at(why.threshold), at(why.best)];
    const { colours } = scene;
    const { left, right, top, bottom } = this.box;
    const inside = (point: Point | null): point is Point => point !== null && point.y >= top - 1 && point.y <= bottom + 1;
    context.lineWidth = 1.25;
    context.strokeStyle = colours.text;
    if (threshold) {
      const y = Math.min(bottom, Math.max(top, threshold.y));
      context.setLineDash([4, 3]);
      context.beginPath();
      context.moveTo(Math.max(left, threshold.x - 60), y);
      context.lineTo(Math.min(right, threshold.x + 60), y);
      context.stroke();
      context.setLineDash([]);
      if (value) {
        context.beginPath();
        context.moveTo(value.x, Math.min(bottom, Math.max(top, value.y)));
        context.lineTo(threshold.x, y);
        context.stroke();
      }
      // Away from the best, whose label is beside it.
      const away = inside(best) && best.y < y ? 1 : -1;
      paintLabel(context, scene, `threshold ${formatNumber(why.threshold)}`, { x: threshold.x, y: y + 9 * away }, this.width);
    }
    if (inside(best)) {
      context.fillStyle = colours.ground;
      context.strokeStyle = colours.text;
      context.lineWidth = 1.5;
      context.beginPath();
      context.arc(best.x, best.y, 3.5, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
      const whose = why.best_trial === null ? '' : ` (trial ${why.best_trial})`;
      paintLabel(context, scene, `best ${formatNumber(why.best)}${whose}`, { x: best.x, y: best.y + (threshold && threshold.y < best.y ? 9 : -9) }, this.width);
    }
    if (inside(value)) paintRing(context, scene, value, 5);
  }

  private scales(scene: Scene): void {
    const { sweep, logs, curves: range } = scene;
    let [from, until] = [Infinity, -Infinity];
    for (const { steps } of sweep.curves.values()) {
      from = Math.min(from, steps[0] ?? Infinity);
      until = Math.max(until, steps[steps.length - 1] ?? -Infinity);
    }
    this.x = from <= until ? numberScale(from, until, false, true) : numberScale(0, 1, false, true);
    const log = logs[0] ?? false;
    const { low, high } = range ?? { low: 0, high: 1 };
    const room = log || !range ? 0 : (high - low) * 0.03;
    this.y = numberScale(low - room, high + room, log);
  }

  /** Where a curve that goes on beyond the field leaves it; null for what is inside. */
  private edge({ x, y }: Point): Point | null {
    const { top, bottom } = this.box;
    return isBeyond((bottom - y) / (bottom - top)) ? { x, y: bottom - within((bottom - y) / (bottom - top)) * (bottom - top) } : null;
  }

  /** Later is on top: what passes the filter over what does not, finished ones over others, better over worse. */
  private rank(scene: Scene, trial: Trial): number {
    const { shown, scale, sign } = scene;
    if (trial === scene.best) return 10;
    const value = finite(trial.values?.[scene.objective]);
    const place = value === null ? null : scale.place(value);
    const good = place === null ? 0 : Math.min(1, Math.max(0, sign > 0 ? place : 1 - place));
    return (shown.has(trial.number) ? 4 : 0) + (trial.state === 'finished' || trial.state === 'running' ? 2 : 0) + good;
  }

  private clip(context: CanvasRenderingContext2D): void {
    const { left, top, right, bottom } = this.box;
    context.beginPath();
    context.rect(left - 2, top - 6, right - left + 8, bottom - top + 7);
    context.clip();
  }

  private pointOf(step: number, value: number): Point | null {
    const { left, top, right, bottom } = this.box;
    const [x, y] = [this.x.place(step), this.y.place(value)];
    return x === null || y === null ? null : { x: left + x * (right - left), y: bottom - y * (bottom - top) };
  }

  private line(context: CanvasRenderingContext2D, { steps, values }: Curve): void {
    context.beginPath();
    let drawing = false;
    for (let i = 0; i < values.length; i++) {
      const value = values[i] ?? NaN;
      const point = Number.isFinite(value) ? this.pointOf(steps[i] ?? 0, value) : null;
      // What begins again goes not back: it is another line.
      if (point && drawing && (steps[i] ?? 0) >= (steps[i - 1] ?? 0)) context.lineTo(point.x, point.y);
      else if (point) {
        context.moveTo(point.x, point.y);
        // A single value is seen as well.
        context.lineTo(point.x + 0.01, point.y);
      }
      drawing = point !== null;
    }
    context.stroke();
  }

  private end({ steps, values }: Curve): Point | null {
    for (let i = values.length - 1; i >= 0; i--) {
      const value = values[i] ?? NaN;
      if (Number.isFinite(value)) return this.pointOf(steps[i] ?? 0, value);
    }
    return null;
  }

  /** The square of the pixels between a place and a curve. */
  private distance({ steps, values }: Curve, x: number, y: number): number {
    let least = Infinity;
    let before: Point | null = null;
    for (let i = 0; i < values.length; i++) {
      const value = values[i] ?? NaN;
      const point = Number.isFinite(value) ? this.pointOf(steps[i] ?? 0, value) : null;
      if (point) least = Math.min(least, before ? toSegment(before, point, x, y) : (point.x - x) ** 2 + (point.y - y) ** 2);
      before = point;
    }
    return least;
  }
}

function toSegment(a: Point, b: Point, x: number, y: number): number {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length = dx * dx + dy * dy;
  const t = length ? Math.min(1, Math.max(0, ((x - a.x) * dx + (y - a.y) * dy) / length)) : 0;
  return (a.x + t * dx - x) ** 2 + (a.y + t * dy - y) ** 2;
}
