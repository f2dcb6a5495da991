import { describe, expect, it } from 'vitest';

import type { RunData } from '../model.ts';
import { ofSweep } from './facts.ts';
import type { SweepStatus } from './model.ts';
import { about, dimension, sweepOf } from './testing.ts';

const COUNTS = { running: 0, waiting: 0, finished: 4, terminated: 2, failed: 0, stopped: 0, given_back: 0 };
const STATUS: SweepStatus = { paused: null, concurrent: 1, counts: COUNTS, planned: 20, best: null, front: [], remaining: null, at: 0, saved: null };

function header(planned: number | null): RunData['header'] {
  const run = {
    header: { id: 's', name: 's', state: 'finished', cause: 'no better acc in 4 trials', error: null, submitted: 0, started: 0, ended: 1, params: [['epochs', '3'], ['momentum', '0.9']], tags: [], note: '', stopping: false },
    progress: null,
  } as unknown as RunData;
  const sweep = sweepOf([], { about: about({ space: [dimension({ name: 'momentum', when: "net='a'" })] }), status: { ...STATUS, planned } });
  return ofSweep(run, sweep).header;
}

describe('the header of a sweep', () => {
  it('says which limit it came to, but not that all trials were had', () => {
    expect([header(20).cause, header(null).cause, header(6).cause]).toEqual(['no better acc in 4 trials', 'no better acc in 4 trials', null]);
  });

  it('leaves out what is searched: trials that have it have it from the search', () => {
    expect(header(20).params).toEqual([['epochs', '3']]);
  });
});
