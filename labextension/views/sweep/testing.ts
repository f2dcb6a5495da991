// For tests alone.
import type { Colours } from './colour.ts';
import type { Dimension, SweepAbout, SweepData, Trial } from './model.ts';

export function trial(given: Partial<Trial> = {}): Trial {
  return {
    number: 0, run: 'r0', name: 's-0', state: 'finished', params: {}, values: [1], best: 1, reports: 1, submitted: 100, started: 101,
    ended: 110, cause: null, why: null, attempts: 1, by: 'sampler', ...given,
  };
}

export function dimension(given: Partial<Dimension> = {}): Dimension {
  return { name: 'lr', kind: 'uniform', text: 'uniform(0, 1)', low: 0, high: 1, log: false, integer: false, choices: null, when: null, ...given };
}

export function about(given: Partial<SweepAbout> = {}): SweepAbout {
  return {
    objectives: [{ metric: 'accuracy', direction: 'maximize' }], value: 'last', space: [dimension()], sampler: 'tpe', policy: null,
    limits: { trials: 20, concurrent: 2, time: null, gpu_hours: null, target: null, patience: null, failures: 3 }, resources: {}, ...given,
  };
}

export function sweepOf(trials: readonly Trial[], given: Partial<SweepData> = {}): SweepData {
  return { about: about(), status: null, trials, curves: new Map(), importance: null, hidden: 0, hidden_params: 0, ...given };
}

export const COLOURS: Colours = {
  dark: false, text: '#000', rule: '#eee', ground: '#fff', font: '11px x', mark: '#f80', none: '#ccc', ramp: (share) => `ramp ${share}`,
};
