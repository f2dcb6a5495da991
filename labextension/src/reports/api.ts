// What publishing asks of the server.
import { Refused, type Request } from '../../panel/api.ts';
import type { RunState } from '../../views/model.ts';

export interface Param {
  readonly name: string;
  /** As the notebook's cell says it; null where it has to be given. */
  readonly default: string | null;
  readonly type: string;
  readonly help: string;
  /** The default as one types it: a text without quotes. */
  readonly shown: string;
  /** What the last edition was given, else the default. */
  readonly value: string;
}

/** What a notebook can be published with, and what it was published with last. */
export interface Asked {
  readonly name: string;
  readonly title: string;
  readonly show_code: boolean;
  readonly params: readonly Param[];
}

/** What is published: texts as they were typed. */
export interface Given {
  readonly path: string;
  readonly name: string;
  readonly title: string | null;
  readonly show_code: boolean;
  readonly params: Readonly<Record<string, string>>;
}

export interface Started {
  readonly run: string;
  readonly store: string;
  readonly name: string;
  /** The report's page, from the server's base. */
  readonly address: string;
}

/** How far a report's run has come. */
export interface Told {
  readonly state: RunState;
  readonly cause: string | null;
  /** Why it does not run yet. */
  readonly waiting: string | null;
  readonly cells: { readonly done: number; readonly of: number; readonly heading: string | null } | null;
  /** Whether there is going to be an edition. */
  readonly pending: boolean;
  /** Null until there is one, and where nothing could be made of the run. */
  readonly edition: {
    readonly state: 'published' | 'failed' | 'withheld';
    readonly cause: string | null;
    /** The edition's page, from the server's base. */
    readonly address: string;
  } | null;
}

export class ReportsApi {
  constructor(private readonly request: Request) {}

  params(path: string): Promise<Asked> {
    return this.ask(`reports/params?${new URLSearchParams({ path }).toString()}`, { method: 'GET' });
  }

  start(given: Given): Promise<Started> {
    return this.ask('reports', { method: 'POST', body: JSON.stringify(given) });
  }

  told({ store, run }: Started): Promise<Told> {
    return this.ask(`reports/runs/${encodeURIComponent(run)}?${new URLSearchParams({ store }).toString()}`, { method: 'GET' });
  }

  private async ask<T>(path: string, init: RequestInit): Promise<T> {
    const response = await this.request(path, init);
    const text = await response.text();
    let content: unknown = null;
    try {
      content = JSON.parse(text);
    } catch {
      // A proxy's page in place of an answer.
    }
    if (response.ok && content !== null) return content as T;
    const said = (content as { message?: unknown } | null)?.message;
    throw new Refused(typeof said === 'string' && said ? said : response.statusText || `HTTP ${response.status}`, response.status);
  }
}
