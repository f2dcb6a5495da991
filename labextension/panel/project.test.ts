import { describe, expect, test, vi } from 'vitest';

import { Api } from './api.ts';
import type { Summary } from './model.ts';
import { Project } from './project.ts';
import type { Socket } from './stream.ts';
import { summary } from './testing.ts';

/** A server in memory: its runs, what it refuses, and how often it was asked. */
class Server {
  runs: Summary[] = [];
  stores = [{ store: '', name: 'here' }];
  refuse: { status: number; body: string } | 'gone' | null = null;
  /** What begins so is refused as a mistake. */
  refused: string | null = null;
  readonly asked: string[] = [];
  readonly sockets: Socket[] = [];
  /** Called between the moment at which a page was read and its arrival. */
  onTheWay: (() => void) | null = null;

  readonly api = new Api(async (path, init) => {
    this.asked.push(`${init.method ?? 'GET'} ${path}`);
    if (this.refuse === 'gone') throw new TypeError('NetworkError');
    if (this.refused && path.startsWith(this.refused)) return new Response('{"message": "no such folder"}', { status: 400 });
    if (this.refuse) return new Response(this.refuse.body, { status: this.refuse.status });
    const [name = '', search = ''] = path.split('?');
    const answer = JSON.stringify(this.answer(name, new URLSearchParams(search), init.method ?? 'GET'));
    this.onTheWay?.();
    await Promise.resolve();
    return new Response(answer);
  });

  readonly project = new Project(this.api, () => {
    const socket: Socket = { binaryType: 'blob', onopen: null, onclose: null, onmessage: null, send: () => undefined, close: () => undefined };
    this.sockets.push(socket);
    return socket;
  });

  open(): void {
    this.sockets.at(-1)?.onopen?.({} as Event);
  }

  say(news: object): void {
    this.sockets.at(-1)?.onmessage?.({ data: JSON.stringify(news) } as MessageEvent);
  }

  names(): string[] {
    return this.project.list.visible().map(({ name }) => name);
  }

  private answer(name: string, search: URLSearchParams, method: string): unknown {
    if (name === 'info') return { version: '1', read_only: false };
    if (name === 'stores') return { stores: this.stores };
    if (name === 'slots') return { gpus: [], cpus: 1, cpus_held: 0, running: [], waiting: [] };
    if (name === 'runs') {
      const all = this.runs.filter(({ store }) => store === search.get('store'));
      const after = search.get('after');
      const begin = after === null ? 0 : all.findIndex(({ id }) => id === after) + 1;
      const runs = all.slice(begin, begin + Number(search.get('limit')));
      return { total: all.length, runs, cursor: begin + runs.length < all.length ? runs.at(-1)?.id : null };
    }
    const run = this.runs.find(({ id }) => id === name.split('/')[1]);
    if (name.endsWith('/stop')) return { ...run, state: 'running', stopping: true };
    if (method === 'PATCH') return { ...run, state: 'running', note: 'kept' };
    if (method === 'DELETE') return { undo_until: 1 };
    return run;
  }
}

const many = (count: number, store = ''): Summary[] =>
  Array.from({ length: count }, (_, i) => summary({ id: `${store}${i}`, store, name: `run ${i}`, submitted: count - i }));

describe('a project', () => {
  test('asks for the first hundred, and for the rest when somebody wants it', async () => {
    const server = new Server();
    server.runs = many(6000);
    server.project.start();
    await vi.waitFor(() => { expect(server.project.status).toBe('live'); });
    expect([server.project.list.size, server.project.count]).toEqual([100, 6000]);
    server.project.wantAll();
    await vi.waitFor(() => { expect(server.project.list.size).toBe(6000); });
    expect(server.names()[5999]).toBe('run 5999');
  });

  test('what the stream says is newer than a page that was on its way', async () => {
    const server = new Server();
    server.runs = many(2);
    server.project.start();
    await vi.waitFor(() => { expect(server.sockets.length).toBe(1); });
    server.open();
    server.onTheWay = () => {
      server.say({ type: 'runs', store: '', changed: [{ ...server.runs[0], state: 'failed' }], gone: [] });
    };
    server.project.retry();
    await vi.waitFor(() => { expect(server.asked.filter((path) => path.startsWith('GET runs')).length).toBeGreaterThan(1); });
    server.onTheWay = null;
    // Every page that was on its way has come by then.
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(server.project.list.get('\n0')?.state).toBe('failed');
    expect(server.project.list.size).toBe(2);
  });

  test('what was deleted while a page was on its way stays away', async () => {
    const server = new Server();
    server.runs = many(3);
    server.project.start();
    await vi.waitFor(() => { expect(server.sockets.length).toBe(1); });
    server.open();
    await vi.waitFor(() => { expect([server.project.status, server.project.list.size]).toEqual(['live', 3]); });
    const [first] = server.project.list.visible();
    let told = false;
    server.onTheWay = () => {
      if (told || !server.asked.at(-1)?.startsWith('GET runs')) return;
      told = true;
      server.say({ type: 'runs', store: '', changed: [], gone: ['1'] });
      void server.project.delete(first ?? summary());
    };
    server.project.retry();
    await vi.waitFor(() => { expect(told).toBe(true); });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(server.names()).toEqual(['run 2']);
  });

  test('an answer that is late says nothing against the end of a run, or against its loss', async () => {
    const server = new Server();
    server.runs = [summary({ id: 'a', name: 'a', state: 'running' }), summary({ id: 'b', name: 'b', state: 'running' })];
    server.project.start();
    await vi.waitFor(() => { expect(server.project.list.size).toBe(2); });
    const [a, b] = ['\na', '\nb'].map((key) => server.project.list.get(key) ?? summary());
    server.open();
    server.onTheWay = () => { server.say({ type: 'runs', store: '', changed: [{ ...a, state: 'stopped' }], gone: ['b'] }); };
    await server.project.stop(a ?? summary());
    expect(server.project.list.get('\na')?.state).toBe('stopped');
    await server.project.annotate(a ?? summary(), { note: 'kept' });
    expect(server.project.list.get('\na')).toMatchObject({ state: 'stopped', note: 'kept' });
    await server.project.annotate(b ?? summary(), { note: 'kept' });
    expect(server.names()).toEqual(['a']);
  });

  test('asks what the server allows again when the connection was lost', async () => {
    const server = new Server();
    server.runs = many(1);
    server.project.start();
    await vi.waitFor(() => { expect(server.sockets.length).toBe(1); });
    const asked = (): number => server.asked.filter((path) => path === 'GET info').length;
    server.open();
    await vi.waitFor(() => { expect(server.project.status).toBe('live'); });
    const before = asked();
    server.sockets.at(-1)?.onclose?.({} as CloseEvent);
    server.project.retry();
    server.open();
    await vi.waitFor(() => { expect([server.project.status, asked() > before]).toEqual(['live', true]); });
  });

  test('a folder that the server refuses, or too many of them, leave the rest', async () => {
    const server = new Server();
    server.runs = many(1);
    server.refused = 'stores?';
    server.project.start(Array.from({ length: 60 }, (_, i) => `folder ${i}`));
    await vi.waitFor(() => { expect(server.names()).toEqual(['run 0']); });
    expect(server.project.status).not.toBe('error');
    const [first = ''] = server.asked.filter((path) => path.startsWith('GET stores?'));
    expect(first.split('path=').length - 1).toBe(50);
    expect(first).not.toContain('folder+59');
  });

  test('after an interruption it asks again, forgets what is gone and says what has ended', async () => {
    const server = new Server();
    server.runs = [summary({ id: 'a', name: 'a', state: 'running', cell: 'c' }), summary({ id: 'b', name: 'b' })];
    const ended: string[] = [];
    server.project.onEnd(({ name, state }) => ended.push(`${name} ${state}`));
    server.project.start();
    server.project.wantAll();
    await vi.waitFor(() => { expect(server.sockets.length).toBe(1); });
    server.open();
    await vi.waitFor(() => { expect([server.project.status, server.project.list.size]).toEqual(['live', 2]); });
    server.sockets.at(-1)?.onclose?.({} as CloseEvent);
    expect([server.project.status, server.names().length]).toEqual(['offline', 2]);
    server.runs = [summary({ id: 'a', name: 'a', state: 'stopped', cell: 'c' })];
    server.project.retry();
    server.open();
    await vi.waitFor(() => { expect([server.project.status, server.names()]).toEqual(['live', ['a']]); });
    expect(ended).toEqual(['a stopped']);
    expect(server.project.ofCell('c').map(({ state }) => state)).toEqual(['stopped']);
    server.say({ type: 'runs', store: '', changed: [], gone: ['a'] });
    expect([server.names(), server.project.ofCell('c')]).toEqual([[], []]);
  });

  test('a sweep takes its trials along when it is deleted, and brings them back; its cell is marked with it', async () => {
    const server = new Server();
    const counts = { running: 0, waiting: 0, finished: 1, terminated: 0, failed: 0, stopped: 0, given_back: 0 };
    const sweep = { objectives: [], planned: 1, counts, best: null, best_trial: null, paused: null };
    server.runs = [summary({ id: 's', name: 's', cell: 'c', sweep }), summary({ id: 't', name: 't', cell: 'c', submitted: 200, trial_of: 's', trial: 0 })];
    server.project.start();
    server.project.wantAll();
    await vi.waitFor(() => { expect(server.project.list.size).toBe(2); });
    expect([server.names(), server.project.ofCell('c').map(({ id }) => id)]).toEqual([['s'], ['s']]);
    const removed = await server.project.delete(server.project.list.get('\ns') ?? summary());
    expect([server.project.list.size, server.names()]).toEqual([0, []]);
    await server.project.restore(removed);
    expect([server.project.list.size, server.names(), server.project.list.trials]).toEqual([2, ['s'], 1]);
    expect(server.project.counts()).toEqual({ running: 0, waiting: 0 });
  });

  test('says what is the matter: no extension, no leave, no server', async () => {
    for (const [refuse, status, message] of [
      [{ status: 404, body: '<html>' }, 'missing', ''],
      [{ status: 403, body: '{"message": "not yours"}' }, 'error', 'not yours'],
      [{ status: 503, body: 'proxy' }, 'offline', ''],
      ['gone', 'offline', ''],
    ] as const) {
      const server = new Server();
      server.refuse = refuse;
      server.project.start();
      await vi.waitFor(() => { expect(server.project.status).toBe(status); });
      if (message) expect(server.project.message).toBe(message);
      expect(server.project.readOnly).toBe(true);
      server.project.dispose();
    }
  });

  test('follows the stores of the folders that it is given, and forgets those it is no longer', async () => {
    const server = new Server();
    server.runs = [...many(1), ...many(2, 'deep')];
    server.stores = [{ store: '', name: 'here' }, { store: 'deep', name: 'deep' }];
    server.project.start(['deep']);
    await vi.waitFor(() => { expect(server.project.list.size).toBe(3); });
    expect(server.asked).toContain('GET stores?path=deep');
    server.stores = [{ store: '', name: 'here' }];
    server.project.start([]);
    await vi.waitFor(() => { expect(server.project.list.size).toBe(1); });
  });

  test('takes a deleted run out at once and puts it back', async () => {
    const server = new Server();
    server.runs = many(1);
    server.project.start();
    await vi.waitFor(() => { expect(server.project.list.size).toBe(1); });
    const [run] = server.project.list.visible();
    const removed = await server.project.delete(run ?? summary());
    expect(server.names()).toEqual([]);
    await server.project.restore(removed);
    expect(server.names()).toEqual(['run 0']);
    server.refuse = { status: 409, body: '{"message": "it goes on"}' };
    await expect(server.project.delete(run ?? summary())).rejects.toMatchObject({ message: 'it goes on', status: 409 });
    expect(server.names()).toEqual(['run 0']);
  });
});
