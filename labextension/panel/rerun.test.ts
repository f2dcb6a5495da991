import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Refused, type Api } from './api.ts';
import type { Summary } from './model.ts';
import { AwaitedVerdicts, rerunner } from './rerun.ts';
import { summary } from './testing.ts';

const PLAN = { kind: 'run', params: { lr: '0.1' }, problems: [], forcible: true, differences: [] } as const;

function project(answer: () => Promise<Summary>): { api: Pick<Api, 'rerun' | 'rerunPlan'>; add(run: Summary): void; added: Summary[] } {
  const added: Summary[] = [];
  return { api: { rerunPlan: () => Promise.resolve(PLAN), rerun: answer }, add: (run) => added.push(run), added };
}

describe('doing a run again', () => {
  it('adds the new run to the list and tells its id', async () => {
    const made = summary({ id: 'r2' });
    const asked = project(() => Promise.resolve(made));
    await expect(rerunner(asked, '').start('r1', {})).resolves.toBe('r2');
    expect(asked.added).toEqual([made]);
  });

  it('tells what is in the way from any other refusal', async () => {
    const way = { message: 'it cannot', problems: ['no data.csv'], forcible: true };
    const refused = project(() => Promise.reject(new Refused('it cannot', 409, way)));
    await expect(rerunner(refused, '').start('r1', {})).resolves.toEqual({ problems: ['no data.csv'], forcible: true });
    const forbidden = project(() => Promise.reject(new Refused('you may not', 403, { message: 'you may not' })));
    await expect(rerunner(forbidden, '').start('r1', {})).rejects.toThrow('you may not');
    expect(refused.added).toEqual([]);
  });
});

describe('a verdict that nobody has told of yet', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('is asked for, less and less often, and not for ever', async () => {
    const ended = summary({ rerun: { of: 'r0', name: 'lenet', changed: [], verdict: null } });
    let looks = 0;
    const verdicts = new AwaitedVerdicts(() => {
      looks += 1;
      verdicts.await(ended);
      return Promise.resolve();
    });
    verdicts.await(ended);
    verdicts.await(ended);
    await vi.advanceTimersByTimeAsync(1000);
    expect(looks).toBe(1);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(looks).toBe(9);
    verdicts.dispose();
  });
});
