import { increments } from '../axis.ts';
import { element } from '../dom.ts';
import { formatElapsed, formatNumber } from '../format.ts';
import { bestSoFar, valueOf } from './insight.ts';
import { finite, type Trial } from './model.ts';
import { fieldOf, paintBeyond, paintGrid, paintLabel, paintMark, paintRing, type Point } from './paint.ts';
import { NEAR, Plot, type Links } from './plot.ts';
import { isBeyond, numberScale, within, type Scale, type Tick } from './scale.ts';
import { beyondText, type Scene } from './scene.ts';

const HEIGHT = 220;
let made = 0;

/** The best so far, trial by trial or over time, and the values of all trials. */
export class HistoryPlot extends Plot {
  private x: Scale = numberScale(0, 1);
  private y: Scale = numberScale(0, 1);
  private along: 'trial' | 'time' = 'trial';

  constructor(links: Links) {
    super('mlw-sweep-history', links, HEIGHT);
    const name = `mlw-history-${(made += 1)}`;
    const choices = (['trial', 'time'] as const).map((along) => {
      const input = element('input', '', { type: 'radio', name, value: along });
      input.checked = along === this.along;
      input.addEventListener('change', () => {
        this.along = along;
        this.draw();
      });
      return element('label', 'mlw-segment', {}, input, element('span', '', {}, along === 'trial' ? 'Trial' : 'Time'));
    });
    this.head.append(element('div', 'mlw-segments mlw-sweep-choice', { role: 'radiogroup', 'aria-label': 'X axis of the best so far' }, ...choices));
  }

  protected title({ metric }: Scene): string {
    return `Best ${metric} so far`;
  }

  protected describe(scene: Scene): string {
    const best = this.steps(scene).pop();
    return best ? `best ${formatNumber(best.value)}, trial ${best.trial.number}` : 'no trial has finished yet';
  }

  protected override readonly note = (scene: Scene): string => {
    this.scales(scene);
    const beyond = scene.sweep.trials.filter((trial) => scene.shown.has(trial.number) && this.isBeyond(scene, trial));
    return beyondText(beyond.length, scene.sign);
  };

  protected paint(context: CanvasRenderingContext2D, scene: Scene): void {
    const { sweep, colours, shown } = scene;
    this.scales(scene);
    const values = this.y.ticks(5);
    this.box = fieldOf(context, values.map(({ label }) => label), this.width, this.height);
    paintGrid(context, scene, this.box, values, this.marks(Math.max(2, Math.floor(this.width / 80))), this.along);
    const { left, right, top, bottom } = this.box;
    const target = finite(sweep.about?.limits.target);
    const aim = target !== null && scene.objective === 0 ? this.y.place(target) : null;
    if (aim !== null && aim >= 0 && aim <= 1) {
      const y = bottom - aim * (bottom - top);
      context.strokeStyle = colours.text;
      context.setLineDash([5, 4]);
      context.beginPath();
      context.moveTo(left, y);
      context.lineTo(right, y);
      context.stroke();
      context.setLineDash([]);
      paintLabel(context, scene, 'target', { x: right, y: y < 16 ? y + 9 : y - 8 }, this.width);
    }
    const steps = this.steps(scene);
    context.strokeStyle = colours.text;
    context.lineWidth = 1.5;
    context.beginPath();
    steps.forEach(({ trial }, i) => {
      const point = this.pointOf(scene, trial);
      const next = steps[i + 1];
      const until = next ? this.pointOf(scene, next.trial)?.x : right;
      if (!point) return;
      if (i === 0) context.moveTo(point.x, point.y);
      else context.lineTo(point.x, point.y);
      context.lineTo(until ?? right, point.y);
    });
    context.stroke();
    const size = sweep.trials.length > 200 ? 2.5 : 3.5;
    for (const trial of sweep.trials) {
      const point = this.pointOf(scene, trial);
      if (!point) continue;
      context.globalAlpha = shown.has(trial.number) ? 1 : 0.15;
      if (this.isBeyond(scene, trial)) paintBeyond(context, point, scene.sign > 0 ? 'down' : 'up', scene.colour(trial));
      else paintMark(context, trial, point, size, scene.colour(trial));
    }
    context.globalAlpha = 1;
    const last = steps[steps.length - 1];
    const best = last && this.pointOf(scene, last.trial);
    if (best) {
      context.beginPath();
      context.arc(best.x, best.y, size + 3, 0, 2 * Math.PI);
      context.strokeStyle = colours.text;
      context.lineWidth = 1.5;
      context.stroke();
    }
  }

  protected paintTrial(context: CanvasRenderingContext2D, scene: Scene, trial: Trial): Point | null {
    const point = this.pointOf(scene, trial);
    if (point) paintRing(context, scene, point);
    return point;
  }

  protected find(scene: Scene, x: number, y: number): Trial | null {
    let nearest: Trial | null = null;
    let least = NEAR * NEAR;
    for (const trial of scene.sweep.trials) {
      const point = scene.shown.has(trial.number) ? this.pointOf(scene, trial) : null;
      if (!point) continue;
      const far = (point.x - x) ** 2 + (point.y - y) ** 2;
      if (far < least) [least, nearest] = [far, trial];
    }
    return nearest;
  }

  /** Marks of whole trials, or of round times. */
  private marks(count: number): readonly Tick[] {
    if (this.along === 'trial') return this.x.ticks(count);
    const until = this.x.at(1);
    const by = increments('time').find((increment) => increment * count >= until) ?? until;
    return Array.from({ length: Math.floor(until / by) + 1 }, (_, i) => ({ place: (i * by) / until, label: formatElapsed(i * by) }));
  }

  private steps({ sweep, objective, sign }: Scene): ReturnType<typeof bestSoFar> {
    return bestSoFar(sweep.trials, (trial) => this.xOf(sweep.trials, trial), sign, objective);
  }

  private xOf(trials: readonly Trial[], trial: Trial): number | null {
    if (this.along === 'trial') return trial.number;
    const at = trial.ended ?? trial.started;
    return at === null ? null : at - beginOf(trials);
  }

  private pointOf({ sweep, objective }: Scene, trial: Trial): Point | null {
    const value = valueOf(trial, objective);
    const along = this.xOf(sweep.trials, trial);
    const [x, y] = [along === null ? null : this.x.place(along), value === null ? null : this.y.place(value)];
    if (x === null || y === null) return null;
    const { left, right, top, bottom } = this.box;
    return { x: left + within(x) * (right - left), y: bottom - within(y) * (bottom - top) };
  }

  private isBeyond({ objective }: Scene, trial: Trial): boolean {
    const value = valueOf(trial, objective);
    return value !== null && isBeyond(this.y.place(value));
  }

  private scales({ sweep, range, scale, ended }: Scene): void {
    const places = sweep.trials.map((trial) => this.xOf(sweep.trials, trial)).filter((x) => x !== null);
    const last = Math.max(1, ...places, this.along === 'trial' && !ended ? (sweep.status?.planned ?? 1) - 1 : 1);
    this.x = numberScale(this.along === 'trial' ? Math.min(0, ...places) - last * 0.01 : 0, last * 1.01, false, this.along === 'trial');
    const { low, high } = range ?? { low: 0, high: 1 };
    const room = scale.log || !range ? 0 : (high - low) * 0.06;
    this.y = numberScale(low - room, high + room, scale.log);
  }
}

function beginOf(trials: readonly Trial[]): number {
  return Math.min(...trials.map(({ submitted, started }) => submitted ?? started ?? Infinity));
}
