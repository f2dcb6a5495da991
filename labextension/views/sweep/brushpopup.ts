import { button, element } from '../dom.ts';
import type { Axis, Brush, Scene } from './scene.ts';

/** Asks which values of one axis are wanted: a stretch of numbers or some words, and trials that have none. */
export class BrushPopup {
  readonly node = element('div', 'mlw-popup mlw-sweep-brush', { role: 'dialog', hidden: '' });
  private back: HTMLElement | null = null;
  private key = '';

  constructor(private readonly brush: (key: string, brush: Brush | null) => void) {
    this.node.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      this.close(true);
    });
    this.node.addEventListener('focusout', (event) => {
      if (event.relatedTarget instanceof Node && !this.node.contains(event.relatedTarget)) this.close(false);
    });
  }

  open(scene: Scene, key: string, back: HTMLElement): void {
    const axis = scene.axes.find((one) => one.key === key);
    if (!axis) return;
    const again = !this.node.hidden && this.key === key;
    this.close(again);
    if (again) return;
    this.key = key;
    this.back = back;
    this.node.setAttribute('aria-label', `Filter by ${axis.name}`);
    this.node.replaceChildren(...this.fields(axis, scene.settings.brushes.get(key) ?? null));
    this.node.hidden = false;
    const parent = this.node.offsetParent?.getBoundingClientRect();
    const at = back.getBoundingClientRect();
    if (parent) {
      this.node.style.top = `${at.bottom - parent.top + 4}px`;
      this.node.style.left = `${Math.max(0, Math.min(at.left - parent.left, parent.width - this.node.offsetWidth))}px`;
    }
    this.node.querySelector<HTMLElement>('input')?.focus();
  }

  private close(focus: boolean): void {
    if (this.node.hidden) return;
    this.node.hidden = true;
    // The names of the axes may have been made anew meanwhile.
    const name = this.back?.isConnected ? this.back : this.node.parentElement?.querySelector<HTMLElement>(`.mlw-sweep-axis[aria-label^="${CSS.escape(this.key.replace(/^\w+:/, ''))}:"]`);
    if (focus) name?.focus();
  }

  private fields(axis: Axis, brush: Brush | null): Node[] {
    const missing = element('input', '', { type: 'checkbox' });
    missing.checked = brush?.missing ?? true;
    const apply = (change: Partial<Brush>): void => {
      const whole: Brush = { low: -Infinity, high: Infinity, words: null, missing: missing.checked, ...change };
      this.brush(axis.key, isAll(axis, whole) ? null : whole);
    };
    const inputs = axis.scale.words ? this.words(axis.scale.words, brush, apply, missing) : this.numbers(axis, brush, apply, missing);
    const without = element('label', 'mlw-popup-item', {}, missing, axis.objective === null ? 'not set' : 'none');
    const clear = button('All values', 'mlw-button', () => {
      this.brush(axis.key, null);
      this.close(true);
    });
    const done = button('Done', 'mlw-button', () => {
      this.close(true);
    });
    const about = element('div', 'mlw-hint', {}, axis.about);
    return [about, ...inputs, ...(axis.missing ? [without] : []), element('div', 'mlw-sweep-brush-end', {}, clear, done)];
  }

  private words(words: readonly string[], brush: Brush | null, apply: (change: Partial<Brush>) => void, missing: HTMLInputElement): Node[] {
    const boxes = words.map((word) => {
      const box = element('input', '', { type: 'checkbox', value: word });
      box.checked = brush?.words?.has(word) ?? true;
      return box;
    });
    const change = (): void => {
      apply({ words: new Set(boxes.filter(({ checked }) => checked).map(({ value }) => value)) });
    };
    for (const box of [...boxes, missing]) box.addEventListener('change', change);
    return [element('div', 'mlw-popup-items', {}, ...boxes.map((box) => element('label', 'mlw-popup-item', {}, box, box.value)))];
  }

  private numbers(axis: Axis, brush: Brush | null, apply: (change: Partial<Brush>) => void, missing: HTMLInputElement): Node[] {
    const field = (label: string, value: number | undefined): HTMLInputElement => {
      const input = element('input', 'mlw-field', { type: 'number', step: 'any', 'aria-label': `${axis.name} ${label}`, placeholder: label });
      if (value !== undefined && Number.isFinite(value)) input.value = String(Number(value.toPrecision(4)));
      return input;
    };
    const [low, high] = [field('from', brush?.low), field('to', brush?.high)];
    const change = (): void => {
      const number = (input: HTMLInputElement, open: number): number => (input.value.trim() && !Number.isNaN(input.valueAsNumber) ? input.valueAsNumber : open);
      apply({ low: number(low, -Infinity), high: number(high, Infinity) });
    };
    for (const input of [low, high, missing]) input.addEventListener(input === missing ? 'change' : 'input', change);
    return [element('div', 'mlw-sweep-brush-range', {}, low, element('span', '', {}, 'to'), high)];
  }
}

/** Whether a brush leaves nothing out. */
function isAll({ scale, missing }: Axis, brush: Brush): boolean {
  if (missing && !brush.missing) return false;
  return brush.words ? (scale.words ?? []).every((word) => brush.words?.has(word)) : brush.low === -Infinity && brush.high === Infinity;
}
