import { button, element, setText } from '../dom.ts';
import { stateColour } from './colour.ts';
import { GROUPS, type Scene, type Settings } from './scene.ts';

let made = 0;

/** What all parts of the view have in common: colours, scale, objective, and which trials are shown. */
export class SweepToolbar {
  readonly node = element('div', 'mlw-toolbar mlw-sweep-toolbar', { role: 'toolbar', 'aria-label': 'Trials on show' });
  private readonly objective = element('select', 'mlw-sweep-select', { 'aria-label': 'Objective' });
  private readonly log: HTMLButtonElement;
  private readonly whole: HTMLButtonElement;
  private readonly states = element('span', 'mlw-sweep-states', { role: 'group', 'aria-label': 'States' });
  private readonly chips = new Map<string, { readonly node: HTMLButtonElement; readonly count: HTMLElement }>();
  private readonly count = element('span', 'mlw-sweep-count', { role: 'status' });
  private readonly clear: HTMLButtonElement;
  private settings: Settings | null = null;
  private isLog = false;
  private offered = '';

  constructor(set: (change: Partial<Settings>) => void) {
    const name = `mlw-colour-${(made += 1)}`;
    const colours = (['value', 'state'] as const).map((colourBy) => {
      const input = element('input', '', { type: 'radio', name, value: colourBy });
      input.checked = colourBy === 'value';
      input.addEventListener('change', () => {
        set({ colourBy });
      });
      return element('label', 'mlw-segment', {}, input, element('span', '', {}, colourBy === 'value' ? 'Value' : 'State'));
    });
    const colour = element('span', 'mlw-sweep-colour', {}, 'Colour', element('div', 'mlw-segments', { role: 'radiogroup', 'aria-label': 'Colour by' }, ...colours));
    this.log = button('Log', 'mlw-toggle', () => {
      set({ log: !this.isLog });
    });
    this.whole = button('All values', 'mlw-toggle', () => {
      set({ whole: !this.settings?.whole });
    });
    this.whole.title = 'Show what lies beyond the axes, though that flattens the rest';
    this.objective.addEventListener('change', () => {
      set({ objective: Number(this.objective.value) });
    });
    for (const { key, label } of GROUPS) {
      const count = element('span', 'mlw-sweep-chip-count');
      const dot = element('span', 'mlw-sweep-dot');
      dot.style.background = stateColour(GROUPS.find((one) => one.key === key)?.states[0] ?? 'waiting');
      const node = element('button', 'mlw-sweep-chip', { type: 'button' }, dot, element('span', '', {}, label), count);
      node.addEventListener('click', () => {
        const without = new Set(this.settings?.without);
        if (!without.delete(key)) without.add(key);
        set({ without });
      });
      this.chips.set(key, { node, count });
      this.states.append(node);
    }
    this.clear = button('Show all', 'mlw-toggle', () => {
      set({ brushes: new Map(), without: new Set() });
    });
    this.node.append(colour, this.objective, this.log, this.whole, this.states, this.count, this.clear);
  }

  update({ settings, scale, objectives, shown, sweep, objective, canLog, cut }: Scene, counts: ReadonlyMap<string, number>): void {
    this.settings = settings;
    this.isLog = scale.log;
    this.log.setAttribute('aria-pressed', String(scale.log));
    this.log.disabled = !canLog;
    this.log.title = canLog ? 'Logarithmic values' : 'Logarithmic values: for those above 0 alone';
    this.whole.hidden = !cut && !settings.whole;
    this.whole.setAttribute('aria-pressed', String(settings.whole));
    const offered = JSON.stringify(objectives);
    if (offered !== this.offered) {
      this.offered = offered;
      this.objective.replaceChildren(...objectives.map(({ metric }, i) => new Option(metric, String(i))));
    }
    this.objective.value = String(objective);
    this.objective.hidden = objectives.length < 2;
    for (const [key, { node, count }] of this.chips) {
      const there = counts.get(key) ?? 0;
      const on = !settings.without.has(key);
      node.hidden = !there && on;
      node.setAttribute('aria-pressed', String(on));
      setText(count, String(there));
    }
    const filtered = settings.brushes.size > 0 || settings.without.size > 0;
    setText(this.count, filtered ? `${shown.size.toLocaleString('en')} of ${sweep.trials.length.toLocaleString('en')} trials` : '');
    this.clear.hidden = !filtered;
  }
}
