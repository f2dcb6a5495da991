import { describe, expect, it } from 'vitest';

import type { RunData } from '../model.ts';
import { ofSweep } from './facts.ts';
import { about, dimension, sweepOf } from './testing.ts';

function header(cause: string): RunData['header'] {
  const run = {
    header: { id: 's', name: 's', state: 'finished', cause, error: null, submitted: 0, started: 0, ended: 1, params: [['epochs', '3'], ['momentum', '0.9']], tags: [], note: '', stopping: false },
    progress: null,
  } as unknown as RunData;
  const sweep = sweepOf([], { about: about({ space: [dimension({ name: 'momentum', when: "net='a'" })] }) });
  return ofSweep(run, sweep).header;
}

describe('the header of a sweep', () => {
  it('says which limit it came to, but not that all trials were had', () => {
    expect(['no better acc in 4 trials', 'all trials have ended: 14'].map((cause) => header(cause).cause)).toEqual(['no better acc in 4 trials', null]);
  });

  it('leaves out what is searched: trials that have it have it from the search', () => {
    expect(header('').params).toEqual([['epochs', '3']]);
  });
});
