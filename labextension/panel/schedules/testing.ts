// For tests alone.
import type { Firing, Kept } from './model.ts';

export function schedule(given: Partial<Kept> = {}): Kept {
  return {
    id: 'k3hw8', store: '', name: 'sales', kind: 'report', notebook: 'sub/sales.ipynb', run: null, words: 'at 07:00 from Monday to Friday, Europe/Berlin',
    next: 1000, times: [], enabled: true, last: null, running: [], durations: [], reports: [], cron: '0 7 * * 1-5', timezone: 'Europe/Berlin',
    params: {}, matrix: [], missed: 'once', overlap: false, jitter: 0, until: null, retries: 0, retry_wait: 300, after: null, when_changed: [],
    source: 'current', notify: null, ...given,
  };
}

export function firing(given: Partial<Firing> = {}): Firing {
  return {
    id: 1, schedule: 'k3hw8', name: 'sales', due: 900, text: 'Mon 23 Nov 2026 07:00 CET', state: 'finished', trigger: 'time', params: {}, element: 0,
    attempt: 1, run: 'r1', claimed: 900, started: 900, ended: 912, seconds: 12, reason: null, retry_at: null, missed: 0, address: null, ...given,
  };
}
