import { describe, expect, it } from 'vitest';

import { RUN_MIME } from '../views/bundle.ts';
import { readSaved } from './saved.ts';

const header = { id: 'a', name: 'lenet', state: 'finished' };
const loss = { name: 'loss', n: 3, steps: [5, 1, 1], times: [1_700_000_000_000, 500, 250], values: [3, null, 1] };

function bundle(displays: unknown[], html = '', format = 2): Record<string, unknown> {
  const run = { header, series: [loss], system: [], output: { text: 'done\n', cut: false }, displays, details: null };
  return { [RUN_MIME]: { format, time: 7, runs: [run] }, 'text/html': html };
}

const same = (html: string): string => html;
const mark = (content: string): string => `<div><!--mlw-display-->${content}<!--/mlw-display--></div>`;

describe('what a notebook keeps', () => {
  it('comes back as columns', () => {
    const saved = readSaved(bundle([]), same);
    expect(saved?.time).toBe(7);
    const [series] = saved?.runs[0]?.series ?? [];
    expect(Array.from(series?.steps ?? [])).toEqual([5, 6, 7]);
    expect(Array.from(series?.times ?? [])).toEqual([1_700_000_000, 1_700_000_000.5, 1_700_000_000.75]);
    expect(Array.from(series?.values ?? [])).toEqual([3, NaN, 1]);
  });

  it('takes HTML and pictures from the page, in order', () => {
    const kept = (page: string | null): unknown => ({ data: { 'text/plain': 'x' }, metadata: {}, page });
    const html = [
      mark('<b>1</b>'),
      mark('<pre>x</pre>'),
      mark('<img alt="x" src="data:image/png;base64,QUJD">'),
      mark('<img alt="x" src="data:image/svg+xml,%3Csvg%2F%3E">'),
    ].join('');
    const saved = readSaved(bundle(['text/html', null, 'image/png', 'image/svg+xml'].map(kept), html), same);
    const displays = saved?.runs[0]?.displays.map(({ data }) => data);
    expect(displays).toEqual([
      { 'text/plain': 'x', 'text/html': '<b>1</b>' },
      { 'text/plain': 'x' },
      { 'text/plain': 'x', 'image/png': 'QUJD' },
      { 'text/plain': 'x', 'image/svg+xml': '<svg/>' },
    ]);
  });

  it('is made safe where the notebook is not trusted', () => {
    const data = bundle([{ data: {}, metadata: {}, page: 'text/html' }], mark('<script>1</script>'));
    expect(readSaved(data, () => 'safe')?.runs[0]?.displays[0]?.data).toEqual({ 'text/html': 'safe' });
  });

  it('is left alone where a newer version wrote it, or nobody did', () => {
    expect(readSaved(bundle([], '', 3), same)).toBeNull();
    expect(readSaved({ 'text/html': '' }, same)).toBeNull();
  });
});
