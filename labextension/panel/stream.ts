// The page's one connection to the server: what changes comes here, for all panels, tabs and cells of the page.
import { hasEnded, type RunData, type RunSource } from '../views/model.ts';
import type { Rerunner } from '../views/rerunmodel.ts';
import { RunStore, type Message } from '../views/store.ts';
import type { Slots, Summary } from './model.ts';
import { readPacket } from './wire.ts';

/** The part of a WebSocket that the stream uses. */
export interface Socket {
  binaryType: BinaryType;
  onopen: ((event: Event) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  onmessage: ((event: MessageEvent<unknown>) => void) | null;
  send(text: string): void;
  close(): void;
}

export interface Listener {
  /** A connection was made, or is lost. */
  connected(connected: boolean): void;
  runs(store: string, changed: readonly Summary[], gone: readonly string[]): void;
  slots(slots: Slots): void;
}

type News =
  | { type: 'runs'; store: string; changed: Summary[]; gone: string[] }
  | { type: 'slots'; slots: Slots }
  | { type: 'channel'; channel: number; message: Message }
  | { type: 'error'; channel: number | null; message: string };

/** Milliseconds before the first and the longest wait for a new attempt. */
const SOON = 500;
const LATE = 15_000;
/** Milliseconds after which a channel that the server gave up is asked for again. */
const REOPEN = 5000;

export class Stream {
  private socket: Socket | null = null;
  private open = false;
  private attempts = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stores: readonly string[] = [];
  private made = 0;
  private ended = false;
  private readonly channels = new Map<number, Channel>();
  /** When the next attempt is made, in milliseconds as `Date.now` counts; null while connected or connecting. */
  next: number | null = null;

  constructor(
    private readonly connect: () => Socket,
    private readonly listener: Listener,
  ) {}

  get connected(): boolean {
    return this.open;
  }

  /** Hear of all runs of these stores, instead of those asked for before. */
  watch(stores: readonly string[]): void {
    this.stores = stores;
    if (this.open) this.send({ type: 'watch', stores });
    else this.start();
  }

  /** Connect now, rather than when the next attempt is due. */
  start(): void {
    if (this.socket || this.ended) return;
    clearTimeout(this.timer);
    this.next = null;
    let socket: Socket;
    try {
      socket = this.connect();
    } catch {
      this.later();
      return;
    }
    socket.binaryType = 'arraybuffer';
    this.socket = socket;
    socket.onopen = () => {
      if (this.socket !== socket) return;
      this.open = true;
      this.attempts = 0;
      this.send({ type: 'watch', stores: this.stores });
      for (const channel of this.channels.values()) channel.begin();
      this.listener.connected(true);
    };
    socket.onmessage = ({ data }) => {
      if (this.socket === socket) this.receive(data);
    };
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.open = false;
      this.later();
      for (const channel of this.channels.values()) channel.lost();
      this.listener.connected(false);
    };
  }

  dispose(): void {
    this.ended = true;
    clearTimeout(this.timer);
    const { socket } = this;
    this.socket = null;
    this.open = false;
    socket?.close();
  }

  /** Follow runs of one store live. They are empty until the server has told of them. */
  channel(store: string, runs: readonly string[]): Channel {
    const number = (this.made += 1);
    const channel: Channel = new Channel(
      number,
      { store, runs },
      (content) => {
        if (this.open) this.send(content);
      },
      () => {
        this.channels.delete(number);
        if (this.open) this.send({ type: 'close', channel: number });
      },
    );
    this.channels.set(number, channel);
    if (this.open) channel.begin();
    else this.start();
    return channel;
  }

  private send(content: object): void {
    this.socket?.send(JSON.stringify(content));
  }

  private later(): void {
    if (this.ended) return;
    // Not all pages at once, after a server was restarted.
    const wait = Math.min(LATE, SOON * 2 ** this.attempts) * (0.75 + 0.5 * Math.random());
    this.attempts += 1;
    this.next = Date.now() + wait;
    this.timer = setTimeout(() => {
      this.start();
    }, wait);
  }

  private receive(data: unknown): void {
    const { content, buffers } =
      data instanceof ArrayBuffer ? readPacket(data) : { content: JSON.parse(String(data)) as unknown, buffers: [] };
    const news = content as News;
    if (news.type === 'runs') this.listener.runs(news.store, news.changed, news.gone);
    else if (news.type === 'slots') this.listener.slots(news.slots);
    else if (news.type === 'channel') this.channels.get(news.channel)?.receive(news.message, buffers);
    else if (news.channel !== null) this.channels.get(news.channel)?.fail(news.message);
    else console.warn(`mlwidgets: ${news.message}`);
  }
}

/** Some runs as the server tells of them. Opened anew after each connection. */
export class Channel implements RunSource {
  /** What the server refused, in words. */
  error: string | null = null;
  readonly teller = 'server';
  /** Shows one of its runs, or of their trials, in a place of its own. */
  declare open?: (run: string) => void;
  /** Does its runs again. */
  declare rerun?: Rerunner;
  private readonly store: RunStore;
  private readonly listeners = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly number: number,
    private readonly asked: { readonly store: string; readonly runs: readonly string[] },
    private readonly send: (content: object) => void,
    private readonly done: () => void,
  ) {
    this.store = new RunStore((message) => {
      send({ type: 'message', channel: number, message });
    }, 'The server does not answer.');
    this.store.subscribe(() => {
      this.error = null;
      this.changed();
    });
  }

  get runs(): readonly RunData[] {
    return this.store.runs;
  }

  get clock(): number {
    return this.store.clock;
  }

  /** Whether there is nothing more to come. */
  get over(): boolean {
    return this.runs.length > 0 && this.runs.every((run) => hasEnded(run.header.state));
  }

  subscribe(changed: () => void): () => void {
    this.listeners.add(changed);
    return () => this.listeners.delete(changed);
  }

  stop(run: string): void {
    this.store.stop(run);
  }

  steer(...asked: Parameters<RunStore['steer']>): void {
    this.store.steer(...asked);
  }

  ask(question: Parameters<RunStore['ask']>[0]): ReturnType<RunStore['ask']> {
    return this.store.ask(question);
  }

  begin(): void {
    clearTimeout(this.timer);
    this.send({ type: 'open', channel: this.number, ...this.asked });
  }

  lost(): void {
    clearTimeout(this.timer);
    this.changed();
  }

  receive(message: Message, buffers: readonly DataView[]): void {
    this.store.receive(message, buffers);
  }

  fail(message: string): void {
    this.error = message;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.begin();
    }, REOPEN);
    this.changed();
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.listeners.clear();
    this.done();
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }
}
