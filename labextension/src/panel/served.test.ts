import { expect, test, vi } from 'vitest';

import { Api } from '../../panel/api.ts';
import { Project } from '../../panel/project.ts';
import type { Socket } from '../../panel/stream.ts';
import { ServedRuns } from './served.ts';

test('a server that cannot say whether it has a run is asked again, one that has none is not', async () => {
  vi.useFakeTimers();
  for (const [status, times] of [[500, 2], [404, 1]] as const) {
    let asked = 0;
    const request = (path: string): Promise<Response> => {
      if (path.startsWith('runs/')) {
        asked += 1;
        return Promise.resolve(new Response('{"message": "no"}', { status }));
      }
      const answers = { info: { read_only: false }, stores: { stores: [{ store: '', name: 'here' }] }, slots: null };
      const name = path.split('?')[0] ?? '';
      return Promise.resolve(new Response(JSON.stringify(name in answers ? answers[name as 'info'] : { total: 0, runs: [], cursor: null })));
    };
    const socket: Socket = { binaryType: 'blob', onopen: null, onclose: null, onmessage: null, send: () => undefined, close: () => undefined };
    const project = new Project(new Api(request), () => socket);
    project.start();
    const served = new ServedRuns(project, ['r'], { changed: () => undefined, ended: () => undefined });
    await vi.advanceTimersByTimeAsync(7000);
    expect(asked).toBe(times);
    served.dispose();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toBe(times);
    project.dispose();
  }
  vi.useRealTimers();
});
