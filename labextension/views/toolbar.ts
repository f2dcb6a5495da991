import type { Axis } from './axis.ts';
import { button, element } from './dom.ts';

export interface Settings {
  axis: Axis;
  /** Weight of what came before, from 0 to below 1. */
  smoothing: number;
  log: boolean;
  filter: string;
}

const LABELS: Record<Axis, string> = { step: 'Step', epoch: 'Epoch', time: 'Time' };
const RESET = 'M8 3a5 5 0 1 1-4.8 6.4l1.2-.4A3.8 3.8 0 1 0 5 5.6L6.6 7.2H2.5V3.1L4.1 4.7A5 5 0 0 1 8 3';
/** Charts from which on a reader may want to look for one. */
const MANY = 9;

/** What all charts of a view have in common: the x axis, smoothing, a logarithmic scale, the zoom. */
export class Toolbar {
  readonly node = element('div', 'mlw-toolbar', { role: 'toolbar', 'aria-label': 'Charts' });
  readonly settings: Settings = { axis: 'step', smoothing: 0, log: false, filter: '' };
  private readonly axes = element('div', 'mlw-segments', { role: 'radiogroup', 'aria-label': 'X axis' });
  private readonly log = button('Log', 'mlw-toggle', () => {
    this.settings.log = !this.settings.log;
    this.log.setAttribute('aria-pressed', String(this.settings.log));
    this.changed();
  });
  private readonly slider = element('input', 'mlw-slider', {
    type: 'range',
    min: '0',
    max: '0.99',
    step: '0.01',
    value: '0',
    'aria-label': 'Smoothing',
  });
  private readonly weight = element('output', 'mlw-weight');
  private readonly filter = element('input', 'mlw-field', { type: 'search', placeholder: 'Filter charts', 'aria-label': 'Filter charts' });
  private readonly reset: HTMLButtonElement;
  /** Whether the reader has chosen an axis. */
  chosen = false;
  private shown = '';

  constructor(
    private readonly changed: () => void,
    unzoom: () => void,
  ) {
    this.log.setAttribute('aria-pressed', 'false');
    this.log.title = 'Logarithmic y axis';
    this.reset = button('Reset zoom', 'mlw-toggle', unzoom, RESET);
    this.reset.hidden = true;
    this.slider.addEventListener('input', () => {
      this.settings.smoothing = Number(this.slider.value);
      this.weight.textContent = this.settings.smoothing ? this.settings.smoothing.toFixed(2) : 'off';
      this.changed();
    });
    this.weight.textContent = 'off';
    this.filter.addEventListener('input', () => {
      this.settings.filter = this.filter.value.trim().toLowerCase();
      this.changed();
    });
    const smoothing = element('label', 'mlw-smoothing', {}, 'Smoothing', this.slider, this.weight);
    this.node.append(this.axes, smoothing, this.log, this.filter, this.reset);
  }

  /** Choose an axis in the reader's stead. */
  propose(axis: Axis): void {
    this.settings.axis = axis;
    for (const input of this.axes.querySelectorAll('input')) input.checked = input.value === axis;
  }

  /** Offer what there is to choose from. */
  offer(axes: readonly Axis[], charts: number, zoomed: boolean): void {
    this.reset.hidden = !zoomed;
    this.filter.hidden = charts < MANY && !this.settings.filter;
    this.axes.hidden = axes.length < 2;
    const { settings } = this;
    if (!axes.includes(settings.axis)) settings.axis = 'step';
    const key = axes.join(' ');
    if (key === this.shown) return;
    this.shown = key;
    const name = `mlw-axis-${Math.random().toString(36).slice(2)}`;
    this.axes.replaceChildren(
      ...axes.map((axis) => {
        const input = element('input', '', { type: 'radio', name, value: axis });
        input.checked = axis === settings.axis;
        input.addEventListener('change', () => {
          settings.axis = axis;
          this.chosen = true;
          this.changed();
        });
        return element('label', 'mlw-segment', {}, input, element('span', '', {}, LABELS[axis]));
      }),
    );
  }
}
