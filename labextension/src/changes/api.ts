// What the Changes view asks of the server.
import { Refused, type Request } from '../../panel/api.ts';
import type { ChangesDocument } from '../../views/changes/model.ts';

export interface Snapshot {
  readonly id: string;
  /** Unix seconds. */
  readonly time: number;
  /** kept: the state that a restore has replaced; twin: one that was there before the text twin came to the notebook, or it to the twin. */
  readonly kind: 'save' | 'submit' | 'kept' | 'twin';
  readonly run: string | null;
  readonly run_name: string | null;
  readonly names: readonly string[];
  /** Cells added, removed, edited since the one before; null of the first. */
  readonly changed: readonly [number, number, number] | null;
}

export interface Commit {
  readonly id: string;
  readonly time: number;
  readonly subject: string;
}

export interface History {
  /** What keeps the snapshots, in words. */
  readonly where: string;
  /** The newest first: as many as were asked for, then those among the earlier ones that have a name. */
  readonly snapshots: readonly Snapshot[];
  /** Whether earlier ones are left out. */
  readonly more: boolean;
  readonly commits: readonly Commit[];
}

/** The server has no such routes: its mlwidgets is older than this page. */
export class Missing extends Error {}

export class HistoryApi {
  constructor(private readonly request: Request) {}

  /** The newest snapshots; the newest of those before one. */
  history(path: string, limit: number, before?: string): Promise<History> {
    return this.ask('history', { path, limit: String(limit), ...(before === undefined ? {} : { before }) });
  }

  /** Compare two states of a notebook: `commit`, `save`, `save-before`, `snapshot:ID`, `run:ID`, `commit:REV`, `file`. */
  compare(path: string, from: string, to: string, outputs: boolean): Promise<ChangesDocument> {
    return this.ask('changes', { path, from, to, outputs: outputs ? '1' : '0' });
  }

  /** Compare with a notebook that is not saved. */
  compareUnsaved(path: string, from: string, notebook: unknown, outputs: boolean): Promise<ChangesDocument> {
    return this.ask('changes', {}, { path, from, notebook, outputs });
  }

  /** A notebook as it was, without outputs. */
  async notebook(path: string, of: string): Promise<unknown> {
    return (await this.ask<{ notebook: unknown }>('history/notebook', { path, of })).notebook;
  }

  /** Go back to a snapshot; the id of what was there before, null where that was kept already. */
  async restore(path: string, snapshot: string): Promise<string | null> {
    return (await this.ask<{ kept: string | null }>('history', {}, { path, do: 'restore', snapshot })).kept;
  }

  async name(path: string, snapshot: string, name: string | null): Promise<void> {
    await this.ask('history', {}, { path, do: 'name', snapshot, name });
  }

  private async ask<T>(route: string, query: Readonly<Record<string, string>>, body?: object): Promise<T> {
    const search = new URLSearchParams(query).toString();
    const init = body ? { method: 'POST', body: JSON.stringify(body) } : { method: 'GET' };
    const response = await this.request(search ? `${route}?${search}` : route, init);
    const text = await response.text();
    let content: unknown = null;
    try {
      content = JSON.parse(text);
    } catch {
      // A page in place of an answer: a proxy's, or that of a server without these routes.
    }
    if (response.ok && content !== null) return content as T;
    const said = (content as { message?: unknown } | null)?.message;
    if (typeof said === 'string' && said) throw new Refused(said, response.status);
    if (response.status === 404) throw new Missing();
    throw new Refused(response.statusText || `HTTP ${response.status}`, response.status);
  }
}
