// For tests alone.
import type { Summary } from './model.ts';

export function summary(given: Partial<Summary> = {}): Summary {
  return {
    id: 'r1', store: '', name: 'lenet', state: 'finished', cause: null, waiting: null, attempt: null, stopping: false,
    submitted: 100, started: 101, ended: 110, params: {}, tags: {}, note: '', pinned: false, notebook: null, cell: null,
    metrics: {}, progress: null, trial_of: null, trial: null, sweep: null, ...given,
  };
}
