import { element } from '../dom.ts';
import { paretoFront } from './insight.ts';
import type { Trial } from './model.ts';
import { fieldOf, paintBeyond, paintGrid, paintMark, paintRing, type Point } from './paint.ts';
import { NEAR, Plot, type Links } from './plot.ts';
import { isBeyond, within, type Tick } from './scale.ts';
import { beyondText, type Axis, type Scene } from './scene.ts';

const HEIGHT = 240;
/** Pixels of the row and of the column for trials that have no value on an axis. */
const ROW = 26;
const COLUMN = 52;

/** Two parameters or objectives against each other. For two objectives with the front that no trial is beyond. */
export class ScatterPlot extends Plot {
  private readonly chosen: { x: string; y: string } = { x: '', y: '' };
  private readonly selects = { x: this.select('x'), y: this.select('y') };
  private offered = '';

  constructor(links: Links) {
    super('mlw-sweep-scatter', links, HEIGHT);
    const choice = element('span', 'mlw-sweep-choice', {}, this.selects.y, element('span', 'mlw-sweep-muted', {}, 'over'), this.selects.x);
    this.head.append(choice);
  }

  /** Lay the trials along this parameter. */
  along(name: string): void {
    this.chosen.x = `param:${name}`;
    if (this.scene) this.update(this.scene);
  }

  override update(scene: Scene): void {
    this.offer(scene);
    super.update(scene);
  }

  protected title(): string {
    return 'Scatter';
  }

  protected describe(scene: Scene): string {
    const front = this.frontOf(scene);
    return `${this.chosen.y.replace(/^\w+:/, '')} over ${this.chosen.x.replace(/^\w+:/, '')}${front ? `, ${front.length} trials on the Pareto front` : ''}`;
  }

  protected override readonly note = (scene: Scene): string => {
    const front = this.frontOf(scene);
    const found = !front ? '' : front.length === 1 ? '1 trial on the Pareto front' : `${front.length} trials on the Pareto front`;
    const shown = this.axes(scene).filter((axis) => axis !== undefined);
    const beyond = scene.sweep.trials.filter((trial) => scene.shown.has(trial.number) && shown.some(({ scale, value }) => isBeyond(scale.place(value(trial)))));
    return [found, beyondText(beyond.length, scene.sign)].filter(Boolean).join(' · ');
  }

  protected paint(context: CanvasRenderingContext2D, scene: Scene): void {
    const [x, y] = this.axes(scene);
    if (!x || !y) return;
    const { sweep, shown, colours } = scene;
    const values = y.scale.ticks(5).map((tick) => ({ ...tick, place: inset(y, tick.place) }));
    const along = x.scale.ticks(Math.max(2, Math.floor(this.width / 90))).map((tick) => ({ ...tick, place: inset(x, tick.place) }));
    const { left, top, right, bottom } = fieldOf(context, [...values.map(({ label }) => label), y.missing ? without(y) : ''], this.width, this.height);
    this.box = {
      left: left + (x.missing ? COLUMN : 8),
      top,
      right: right - 6,
      bottom: bottom - (y.missing ? ROW : 8),
    };
    const [wide, tall] = [right - left, bottom - top];
    const moved = (ticks: readonly Tick[], from: number, length: number, whole: number): Tick[] =>
      ticks.map(({ place, label }) => ({ place: (from + place * length) / whole, label }));
    const field = { width: this.box.right - this.box.left, height: this.box.bottom - this.box.top };
    paintGrid(
      context,
      scene,
      { left, top, right, bottom },
      [...(y.missing ? [{ place: ROW / 3 / tall, label: without(y) }] : []), ...moved(values, bottom - this.box.bottom, field.height, tall)],
      [...(x.missing ? [{ place: COLUMN / 3 / wide, label: without(x) }] : []), ...moved(along, this.box.left - left, field.width, wide)],
      x.name,
    );
    const front = this.frontOf(scene);
    if (front) this.paintFront(context, scene, front, x, y);
    const size = sweep.trials.length > 200 ? 3 : 4;
    const rank = (trial: Trial): number => (shown.has(trial.number) ? 1 : 0);
    for (const trial of [...sweep.trials].sort((a, b) => rank(a) - rank(b))) {
      const point = this.pointOf(x, y, trial);
      if (!point) continue;
      context.globalAlpha = shown.has(trial.number) ? 0.92 : 0.12;
      const out = beyond(x, y, trial);
      if (out) paintBeyond(context, point, out, scene.colour(trial));
      else paintMark(context, trial, point, size, scene.colour(trial));
      if (front?.includes(trial.number)) {
        context.beginPath();
        context.arc(point.x, point.y, size + 2.5, 0, 2 * Math.PI);
        context.lineWidth = 1.5;
        context.strokeStyle = colours.text;
        context.stroke();
      }
    }
    context.globalAlpha = 1;
  }

  protected paintTrial(context: CanvasRenderingContext2D, scene: Scene, trial: Trial): Point | null {
    const [x, y] = this.axes(scene);
    const point = x && y ? this.pointOf(x, y, trial) : null;
    if (point) paintRing(context, scene, point);
    return point;
  }

  protected find(scene: Scene, left: number, top: number): Trial | null {
    const [x, y] = this.axes(scene);
    if (!x || !y) return null;
    let nearest: Trial | null = null;
    let least = NEAR * NEAR;
    for (const trial of scene.sweep.trials) {
      const point = scene.shown.has(trial.number) ? this.pointOf(x, y, trial) : null;
      if (!point) continue;
      const far = (point.x - left) ** 2 + (point.y - top) ** 2;
      if (far < least) [least, nearest] = [far, trial];
    }
    return nearest;
  }

  /** Numbers of the trials of the front, where two objectives are shown. */
  private frontOf(scene: Scene): readonly number[] | null {
    const [x, y] = this.axes(scene);
    if (x?.objective == null || y?.objective == null || x.objective === y.objective) return null;
    if (scene.objectives.length === 2) return [...scene.front];
    const pair = [scene.objectives[x.objective], scene.objectives[y.objective]].filter((one) => one !== undefined);
    const trials = scene.sweep.trials.map((trial) => ({ ...trial, values: [trial.values?.[x.objective ?? 0] ?? null, trial.values?.[y.objective ?? 0] ?? null] }));
    return paretoFront(trials, pair);
  }

  private paintFront(context: CanvasRenderingContext2D, scene: Scene, front: readonly number[], x: Axis, y: Axis): void {
    const points = scene.sweep.trials
      .filter(({ number }) => front.includes(number))
      .flatMap((trial) => this.pointOf(x, y, trial) ?? [])
      .sort((a, b) => a.x - b.x || a.y - b.y);
    const [first] = points;
    if (!first) return;
    // From one trial of the front to the next: where one objective gets better, the other gets worse at once.
    const upFirst = scene.objectives[x.objective ?? 0]?.direction === 'minimize';
    context.beginPath();
    context.moveTo(first.x, first.y);
    points.forEach((point, i) => {
      const before = points[i - 1];
      if (before) context.lineTo(upFirst ? point.x : before.x, upFirst ? before.y : point.y);
      context.lineTo(point.x, point.y);
    });
    context.strokeStyle = scene.colours.text;
    context.lineWidth = 1.5;
    context.stroke();
  }

  private pointOf(x: Axis, y: Axis, trial: Trial): Point | null {
    const [across, up] = [x.scale.place(x.value(trial)), y.scale.place(y.value(trial))];
    if (across === null && up === null) return null;
    const { left, right, top, bottom } = this.box;
    // Many trials may share a word: they lie beside each other.
    const spread = (axis: Axis, by: number): number =>
      axis.scale.words ? (((trial.number * by) % 1) - 0.5) * Math.min(22, 0.6 * ((right - left) / Math.max(1, axis.scale.words.length))) : 0;
    return {
      x: across === null ? left - (2 * COLUMN) / 3 : left + inset(x, within(across)) * (right - left) + spread(x, 0.618),
      y: up === null ? bottom + (2 * ROW) / 3 : bottom - inset(y, within(up)) * (bottom - top) + spread(y, 0.755),
    };
  }

  private axes({ axes }: Scene): [Axis | undefined, Axis | undefined] {
    const of = (key: string): Axis | undefined => axes.find((axis) => axis.key === key);
    return [of(this.chosen.x), of(this.chosen.y)];
  }

  private select(which: 'x' | 'y'): HTMLSelectElement {
    const node = element('select', 'mlw-sweep-select', { 'aria-label': which === 'x' ? 'Across' : 'Upwards' });
    node.addEventListener('change', () => {
      this.chosen[which] = node.value;
      if (this.scene) this.update(this.scene);
    });
    return node;
  }

  private offer({ axes, objectives, sweep }: Scene): void {
    const keys = axes.map(({ key }) => key);
    const objective = (i: number): string | undefined => axes.find((axis) => axis.objective === i)?.key;
    const { importance } = sweep;
    const ranked = axes
      .filter((axis) => axis.objective === null)
      // Between words there is little to see.
      .sort((a, b) => Number(a.scale.words !== null) - Number(b.scale.words !== null) || (importance?.[b.name] ?? 0) - (importance?.[a.name] ?? 0))
      .map(({ key }) => key);
    const several = objectives.length > 1;
    const { chosen, selects } = this;
    // What was chosen for the reader follows what is known to matter until the reader chooses.
    if (!keys.includes(chosen.x)) chosen.x = (several ? objective(0) : ranked[0]) ?? keys[0] ?? '';
    if (!keys.includes(chosen.y)) chosen.y = (several ? objective(1) : (ranked[1] ?? objective(0))) ?? keys[0] ?? '';
    const offered = keys.join('\n');
    if (offered !== this.offered) {
      this.offered = offered;
      for (const node of [selects.x, selects.y]) node.replaceChildren(...axes.map(({ key, name }) => new Option(name, key)));
    }
    selects.x.value = chosen.x;
    selects.y.value = chosen.y;
  }
}

/** What is said of trials that have no value on an axis. */
function without({ objective }: Axis): string {
  return objective === null ? 'not set' : 'none';
}

/** Where a trial lies beyond the axes. */
function beyond(x: Axis, y: Axis, trial: Trial): 'left' | 'right' | 'up' | 'down' | null {
  const [across, up] = [x.scale.place(x.value(trial)), y.scale.place(y.value(trial))];
  if (up !== null && isBeyond(up)) return up < 0 ? 'down' : 'up';
  return across !== null && isBeyond(across) ? (across < 0 ? 'left' : 'right') : null;
}

/** Words have room around them, for the trials that share one. */
function inset({ scale: { words } }: Axis, place: number): number {
  return words ? (0.5 + place * Math.max(0, words.length - 1)) / Math.max(1, words.length) : place;
}
