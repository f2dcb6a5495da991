import { expect, test } from 'vitest';

import type { RunChanges } from './changes/model.ts';
import type { RunData } from './model.ts';
import { rerunWords } from './rerun.ts';
import type { RerunOf } from './rerunmodel.ts';

const ID = '20261120-093015-lenet-k3f9';
const CHANGES = {
  since: { id: ID, name: 'lenet', state: 'finished', submitted: 0 },
  params: [['lr', '0.1', '0.2']],
  cell: null,
  notebook: null,
  modules: [],
  environment: [],
  metrics: [['val_loss', -1, 0.5, 0.4]],
  left_out: 0,
} as unknown as RunChanges;

function again(changes: RunChanges | null): RunData {
  const series = [{ name: 'val_loss', min: 0.3, max: 1, last: 0.3 }];
  return { header: { state: 'running' }, series, details: { changes } } as unknown as RunData;
}

function rerun(summary: string | null): RerunOf {
  const verdict = summary === null ? null : { equal: true, chip: 'same bits', summary };
  return { of: ID, name: 'lenet', changed: [['lr', '0.1', '0.2']], verdict };
}

test('until there is a verdict a rerun is compared as far as it is', () => {
  expect(rerunWords(rerun(null), again(CHANGES))).toBe('lr 0.1 → 0.2 · val_loss 0.4 → 0.3 (better so far)');
});

test('without what is known of the first run it says what was changed', () => {
  expect(rerunWords(rerun(null), again(null))).toBe('lr 0.1 → 0.2');
  const other = { ...CHANGES, since: { ...CHANGES.since, id: 'another' } };
  expect(rerunWords(rerun(null), again(other))).toBe('lr 0.1 → 0.2');
});

test('a verdict calls the first run by its name', () => {
  expect(rerunWords(rerun(`the same to the bit as ${ID}: loss (24 values)`), again(CHANGES))).toBe('the same to the bit as lenet: loss (24 values)');
});
