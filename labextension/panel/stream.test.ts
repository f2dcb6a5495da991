import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import type { PackedState } from '../views/store.ts';
import { Stream, type Socket } from './stream.ts';
import { readPacket } from './wire.ts';

/** Lays parts out as the server does. */
function packet(content: unknown, buffers: readonly Uint8Array[]): ArrayBuffer {
  const parts = [new TextEncoder().encode(JSON.stringify(content)), ...buffers];
  const padded = (n: number): number => Math.ceil(n / 8) * 8;
  const head = padded(4 + 4 * parts.length);
  const frame = new ArrayBuffer(head + parts.reduce((sum, part) => sum + padded(part.length), 0));
  const view = new DataView(frame);
  view.setUint32(0, parts.length, true);
  let at = head;
  parts.forEach((part, i) => {
    view.setUint32(4 + 4 * i, part.length, true);
    new Uint8Array(frame, at, part.length).set(part);
    at += padded(part.length);
  });
  return frame;
}

class FakeSocket implements Socket {
  binaryType: BinaryType = 'blob';
  onopen: Socket['onopen'] = null;
  onclose: Socket['onclose'] = null;
  onmessage: Socket['onmessage'] = null;
  readonly sent: unknown[] = [];
  closed = false;
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {
    this.closed = true;
  }
  opens(): void {
    this.onopen?.({} as Event);
  }
  says(data: unknown): void {
    this.onmessage?.({ data } as MessageEvent);
  }
  dies(): void {
    this.onclose?.({} as CloseEvent);
  }
}

const state = (frame: number, name: string): PackedState => ({
  frame,
  clock: 1,
  runs: [{ header: { id: 'r', name, state: 'running' } as never }],
});

describe('the stream', () => {
  let sockets: FakeSocket[] = [];
  let log: unknown[] = [];
  const last = (): FakeSocket => sockets.at(-1) ?? new FakeSocket();
  const make = (): Stream => {
    sockets = [];
    log = [];
    return new Stream(
      () => {
        const socket = new FakeSocket();
        sockets.push(socket);
        return socket;
      },
      {
        connected: (connected) => log.push(connected),
        runs: (store, changed, gone) => log.push([store, changed.length, gone]),
        slots: () => log.push('slots'),
      },
    );
  };
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('a binary frame is the JSON and its buffers, whatever their lengths', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), (content, buffers) => {
        const read = readPacket(packet(content, buffers));
        expect(JSON.stringify(read.content)).toBe(JSON.stringify(content));
        expect(read.buffers.map((view) => [...new Uint8Array(view.buffer, view.byteOffset, view.byteLength)])).toEqual(buffers.map((one) => [...one]));
      }),
    );
  });

  test('one connection carries everything, and asks for all of it again after each loss', () => {
    const stream = make();
    stream.watch(['', 'a']);
    const channel = stream.channel('a', ['r']);
    expect(sockets.length).toBe(1);
    last().opens();
    expect(last().sent).toEqual([{ type: 'watch', stores: ['', 'a'] }, { type: 'open', channel: 1, store: 'a', runs: ['r'] }]);
    last().says(JSON.stringify({ type: 'channel', channel: 1, message: { type: 'state', state: state(0, 'one') } }));
    expect(channel.runs[0]?.header.name).toBe('one');

    last().dies();
    expect(channel.runs[0]?.header.name).toBe('one');
    vi.runOnlyPendingTimers();
    expect(sockets.length).toBe(2);
    last().opens();
    expect(last().sent.length).toBe(2);
    // A server that is new counts its frames anew.
    last().says(JSON.stringify({ type: 'channel', channel: 1, message: { type: 'state', state: state(0, 'two') } }));
    expect(channel.runs[0]?.header.name).toBe('two');
    expect(log).toEqual([true, false, true]);
    channel.dispose();
    expect(last().sent.at(-1)).toEqual({ type: 'close', channel: 1 });
  });

  test('a frame that is missing is asked for, and bytes come where the message names them', () => {
    const stream = make();
    const channel = stream.channel('', ['r']);
    last().opens();
    last().says(JSON.stringify({ type: 'channel', channel: 1, message: { type: 'state', state: state(3, 'one') } }));
    const points = new Uint8Array(new Float64Array([1, 2, 3, 4]).buffer);
    const series = [{ name: 'loss', keep: 0, n: 1, points: { 'mlwidgets:buffer': 0 } }];
    const frame = (number: number): unknown => ({ type: 'channel', channel: 1, message: { type: 'frame', frame: number, clock: 2, runs: [{ id: 'r', series }] } });
    last().says(packet(frame(5), [points]));
    expect(last().sent.at(-1)).toEqual({ type: 'message', channel: 1, message: { type: 'hello', frame: 3 } });
    last().says(packet(frame(4), [points]));
    expect([...(channel.runs[0]?.series[0]?.values ?? [])]).toEqual([3]);
  });

  test('waits longer from attempt to attempt, but never for long, and tries at once when asked to', () => {
    const stream = make();
    stream.watch(['']);
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      last().dies();
      waits.push((stream.next ?? 0) - Date.now());
      vi.runOnlyPendingTimers();
    }
    expect(waits[0]).toBeLessThan(1000);
    expect(Math.max(...waits)).toBeLessThan(20_000);
    expect(waits[5]).toBeGreaterThan(waits[0] ?? 0);
    last().dies();
    const before = sockets.length;
    stream.start();
    expect(sockets.length).toBe(before + 1);
    expect(stream.next).toBeNull();
    stream.dispose();
    expect(last().closed).toBe(true);
    vi.runAllTimers();
    expect(sockets.length).toBe(before + 1);
  });

  test('what a channel was refused is said by it, and news of runs go to the listener', () => {
    const stream = make();
    stream.watch(['']);
    const channel = stream.channel('', ['gone']);
    let told = 0;
    channel.subscribe(() => (told += 1));
    last().opens();
    last().says(JSON.stringify({ type: 'error', channel: 1, message: 'there is no run gone' }));
    expect([channel.error, told]).toEqual(['there is no run gone', 1]);
    // The server may have got over it; until it says so the words stay.
    vi.advanceTimersByTime(6000);
    expect(last().sent.filter((one) => (one as { type: string }).type === 'open').length).toBe(2);
    expect(channel.error).not.toBeNull();
    last().says(JSON.stringify({ type: 'channel', channel: 1, message: { type: 'state', state: state(0, 'back') } }));
    expect([channel.error, channel.runs[0]?.header.name]).toEqual([null, 'back']);
    last().says(JSON.stringify({ type: 'error', channel: 1, message: 'again' }));
    channel.dispose();
    const sent = last().sent.length;
    vi.advanceTimersByTime(60_000);
    expect(last().sent.length).toBe(sent);
    last().says(JSON.stringify({ type: 'runs', store: 's', changed: [{}], gone: ['x'] }));
    last().says(JSON.stringify({ type: 'slots', slots: {} }));
    last().says(JSON.stringify({ type: 'channel', channel: 9, message: { type: 'state', state: state(0, 'late') } }));
    expect(log).toEqual([true, ['s', 1, ['x']], 'slots']);
  });
});
